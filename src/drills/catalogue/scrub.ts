import type { Operation } from '../../protocol/volumes.ts';
import type { Stage } from '../script.ts';

const SCRUB_DEADLINE_MS = 180_000;

/** Reads everything on the hurt volume and counts what had to be repaired. The drill asks for it, so it counts as nobody's command. */
export async function scrubAll(stage: Stage): Promise<void> {
  const { agent } = stage.platform;
  stage.say(`Reading everything on ${stage.target.volume} once more`);
  // Redundancy is full before a rebuild has tidied up after itself, and one thing at a time is done to a volume.
  await stage.until(
    async () =>
      !(await agent.call('operations.list', {})).some(
        ({ subject, state }) => subject === stage.target.volume && state === 'running',
      ),
    `the end of what is done to ${stage.target.volume}`,
    SCRUB_DEADLINE_MS,
  );
  const started = await agent.call('volumes.scrub', { name: stage.target.volume });
  let operation: Operation = started;
  await stage.until(
    async () => {
      operation = (await agent.call('operations.list', {})).find((entry) => entry.id === started.id) ?? operation;
      return operation.state !== 'running';
    },
    `reading everything on ${stage.target.volume}`,
    SCRUB_DEADLINE_MS,
  );
  if (operation.state === 'failed') throw new Error(`The scrub failed: ${operation.error ?? 'unknown'}`);
  const counts = operation.steps.map((step) => /(\d+) repaired, (\d+) damaged/.exec(step.detail ?? ''));
  stage.facts.scrubCorrected = counts.reduce(
    (sum, found) => sum + Number(found?.[1] ?? 0) + Number(found?.[2] ?? 0),
    0,
  );
}
