import { createInterface } from 'node:readline';
import { witnessCommandSchema, type WitnessCommand, type WitnessReport } from './messages.ts';
import { Witness } from './witness.ts';

const LIVE_EVERY_MS = 500;

function report(message: WitnessReport): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function finish(running: Witness, command: Extract<WitnessCommand, { type: 'finish' }>): Promise<void> {
  const result = await running.finish(command);
  clearInterval(live);
  report({ type: 'result', result });
}

let witness: Witness | undefined;
let live: NodeJS.Timeout | undefined;

// The runner ends it through its input: a Ctrl-C in the terminal reaches both, and the last word is the runner's.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.stdout.on('error', () => process.exit(1)); // The runner is gone.

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const command = witnessCommandSchema.parse(JSON.parse(line));
  if (command.type === 'start') {
    const started = new Witness(command, (text) => report({ type: 'note', text }));
    witness = started;
    started.start();
    live = setInterval(() => report({ type: 'live', at: Date.now(), volumes: started.live() }), LIVE_EVERY_MS);
    return;
  }
  if (command.type === 'hush') {
    witness?.hush();
    return;
  }
  const running = witness;
  if (running === undefined) throw new Error('The witness was asked for a result before it was started.');
  finish(running, command).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
});
lines.on('close', () => process.exit(0));
