import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
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

await program.parseAsync();
// A signal may have left a request or a child's pipe open that nobody waits for any more.
process.exit();
