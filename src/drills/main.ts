import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { DRILLS } from '../model/drills.ts';
import { drillResultSchema } from '../protocol/drills.ts';
import { readConfiguration } from '../runtime/config.ts';
import { Printer } from './print.ts';
import { runDrill } from './run.ts';

/**
 * The runner: `main.ts NAME [--id ID] [--here] [--no-reaction] [--json FILE] [--accounts N] [--volumes N] [--seconds N] [--fill-mib N] [--pictures DIRECTORY] [--keep]`. Started by the
 * `holdfast` command and by the agent. Exit code 0 only when every promise held; 130 when it was stopped.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    id: { type: 'string' },
    here: { type: 'boolean', default: false },
    'no-reaction': { type: 'boolean', default: false },
    json: { type: 'string' },
    accounts: { type: 'string' },
    volumes: { type: 'string' },
    seconds: { type: 'string' },
    'fill-mib': { type: 'string' },
    pictures: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});
const name = positionals[0] ?? '';

function whole(text: string | undefined, option: string, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  process.stderr.write(`holdfast: --${option} needs a whole number from ${least} on.\n`);
  return process.exit(64);
}

const stop = new AbortController();
let asked = 0;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    asked += 1;
    if (asked > 3 && process.stdin.isTTY) process.exit(130); // An impatient person; the next drill cleans up.
    if (asked === 1) process.stderr.write('Stopping, and removing what the drill made ...\n');
    stop.abort(new Error('Stopped by a signal.'));
  });
}
// The terminal may be gone; the drill cleans up all the same.
process.stdout.on('error', () => undefined);

if (!DRILLS.some((drill) => drill.name === name)) {
  process.stderr.write(`holdfast: there is no drill "${name}". See: holdfast drill list\n`);
  process.exit(66);
}
if (process.getuid?.() !== 0) {
  process.stderr.write('holdfast: a drill makes disks and hurts them, so it needs root. Run it with sudo.\n');
  process.exit(77);
}

const stamp = `${new Date()
  .toISOString()
  .slice(0, 19)
  .replaceAll(/[^0-9]/g, '')}-${randomBytes(2).toString('hex')}`;
const printer = new Printer(
  (text) => process.stdout.write(text),
  process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '',
);
try {
  const end = await runDrill(
    readConfiguration(),
    {
      id: values.id ?? `${name}-${stamp}`,
      drill: name,
      where: values.here ? 'here' : 'scratch',
      reaction: !values['no-reaction'],
      accounts: whole(values.accounts, 'accounts', 2),
      volumes: whole(values.volumes, 'volumes', 2),
      seconds: whole(values.seconds, 'seconds', 5),
      fillMiB: whole(values['fill-mib'], 'fill-mib', 0),
      pictures: values.pictures === undefined ? undefined : resolve(values.pictures),
      keep: values.keep,
    },
    stop.signal,
    printer.show,
  );
  const { run } = end.live;
  if (run.checks.length > 0) printer.score(run);
  if (end.result !== undefined) {
    if (name === 'outage-2020') printer.sideBySide(end.result);
    // Through its schema: exactly these keys, in this order.
    const text = `${JSON.stringify(drillResultSchema.parse(end.result), undefined, 2)}\n`;
    if (values.json !== undefined) writeFileSync(resolve(values.json), text);
  }
  printer.end(run, end.directory);
  process.exitCode = end.state === 'passed' ? 0 : stop.signal.aborted ? 130 : 1;
} catch (error) {
  process.stderr.write(`holdfast: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
// Kept connections would hold the process open.
process.exit();
