import { isAlive, signalRecorded } from '../../runtime/process-record.ts';
import type { Stage } from '../script.ts';

const BACK_DEADLINE_MS = 60_000;
const AGAIN_EVERY_MS = 100;

/** Resolves when an agent answers. */
export async function agentIsBack(stage: Stage): Promise<void> {
  await stage.until(
    async () =>
      await stage.platform.agent.call('host.status', {}).then(
        () => true,
        () => false,
      ),
    'the return of the agent',
    BACK_DEADLINE_MS,
  );
}

/** kill -9 of the agent, by the pid that the platform recorded. Resolves when the next one answers. */
export async function killAgent(stage: Stage, text: string): Promise<void> {
  const record = stage.platform.process('agent');
  if (record === undefined) throw new Error('The agent does not run.');
  signalRecorded(record, 'SIGKILL');
  stage.say(text);
  const killed = Date.now();
  await agentIsBack(stage);
  stage.facts.agentBackAfterS = (Date.now() - killed) / 1000;
}

/** Keeps the control plane dead: each one that the supervisor starts is killed. Ends it when the returned function is called. */
export function keepControlDead(stage: Stage): () => void {
  const strike = (): void => {
    const record = stage.platform.process('control');
    if (record !== undefined && isAlive(record)) signalRecorded(record, 'SIGKILL');
  };
  strike();
  const timer = setInterval(strike, AGAIN_EVERY_MS);
  stage.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  return () => clearInterval(timer);
}
