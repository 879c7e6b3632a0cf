import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { benchDrills, DRILL_NAMES } from './drills.ts';
import { benchHealth } from './health.ts';
import { benchTasks } from './tasks.ts';
import { benchSites, defaultJsonFile, MEASUREMENTS } from './sites/sites.ts';

/** Fires at the first Ctrl-C (or SIGTERM): the benchmark then cleans up. A third one ends it at once. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  let asked = 0;
  const stop = (): void => {
    asked += 1;
    if (asked > 2) process.exit(130);
    process.stderr.write('Stopping, and removing what the benchmark made ...\n');
    controller.abort(new Error('Stopped by a signal.'));
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stop);
  return controller.signal;
}

const names = MEASUREMENTS.map((one) => one.name);

function measurementName(value: string, previous: string[]): string[] {
  if (!names.includes(value))
    throw new InvalidArgumentError(`There is none of this name. Choose from: ${names.join(', ')}.`);
  return [...previous, value];
}

const program = new Command('npm run bench --')
  .description('Measures Holdfast beside the same thing written by hand, on this machine, in one run.')
  .showHelpAfterError();

program
  .command('sites')
  .description('sites behind the platform beside hand-written nginx + uWSGI; the platform itself')
  .option('--json <file>', 'where the figures go (default: bench/results/sites-<time>.json)')
  .option('--quick', 'fewer and shorter rounds: to see that it works, not to quote')
  .option('--only <name>', 'only this measurement (again for more)', measurementName, [])
  .addHelpText(
    'after',
    `\nMeasurements:\n${MEASUREMENTS.map((one) => `  ${one.name.padEnd(9)}${one.title}`).join('\n')}`,
  )
  .action(async (options: { json?: string; quick?: boolean; only: string[] }) => {
    const signal = stopSignal();
    try {
      const report = await benchSites(
        {
          quick: options.quick === true,
          only: options.only,
          jsonFile: resolve(options.json ?? defaultJsonFile('sites')),
          say: (line) => process.stdout.write(`${line}\n`),
        },
        signal,
      );
      if (report.failures.length > 0) process.exitCode = 1;
    } catch (error) {
      if (!signal.aborted) throw error;
      process.exitCode = 130;
    }
  });

function drillNames(value: string, previous: string[]): string[] {
  const wanted = value.split(',').map((name) => name.trim());
  for (const name of wanted)
    if (!DRILL_NAMES.includes(name))
      throw new InvalidArgumentError(`There is no drill "${name}". Choose from: ${DRILL_NAMES.join(', ')}.`);
  return [...previous, ...wanted];
}

program
  .command('drills')
  .description('every drill, one after the other, each on a platform of its own')
  .option('--json <file>', 'where the figures go (default: bench/results/drills-<time>.json)')
  .option('--only <names>', 'only these, with commas between them', drillNames, [])
  .option('--rounds <count>', 'how often each', '1')
  .action(async (options: { json?: string; only: string[]; rounds: string }) => {
    const held = await benchDrills(
      {
        only: options.only,
        rounds: Math.max(1, Math.trunc(Number(options.rounds)) || 1),
        jsonFile: resolve(options.json ?? defaultJsonFile('drills')),
        say: (line) => process.stdout.write(`${line}\n`),
      },
      stopSignal(),
    );
    if (!held) process.exitCode = 1;
  });

program
  .command('health')
  .description('what the watching of disks costs; with --soak, whether heavy but healthy work raises an alarm')
  .option('--volumes <count>', 'how many volumes to watch', '20')
  .option('--soak <minutes>', 'heavy work for so long instead')
  .action(async (options: { volumes: string; soak?: string }) => {
    const honest = await benchHealth({
      volumes: Math.max(1, Math.trunc(Number(options.volumes)) || 20),
      soakMinutes: Number(options.soak ?? 0) || 0,
      say: (line) => process.stdout.write(`${line}\n`),
    });
    if (!honest) process.exitCode = 1;
  });

program
  .command('tasks')
  .description(
    'what scheduled tasks cost while nothing is due, how exactly they start, and what many at once do to visitors',
  )
  .option('--tasks <count>', 'how many are defined', '10000')
  .option('--burst <count>', 'how many are due in one minute', '500')
  .action(async (options: { tasks: string; burst: string }) => {
    const held = await benchTasks({
      tasks: Math.max(100, Math.trunc(Number(options.tasks)) || 10_000),
      burst: Math.max(1, Math.trunc(Number(options.burst)) || 500),
      say: (line) => process.stdout.write(`${line}\n`),
    });
    if (!held) process.exitCode = 1;
  });

await program.parseAsync();
// A signal may have left a request or a child's pipe open that nobody waits for any more.
process.exit();
