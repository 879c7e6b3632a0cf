import type { Command } from 'commander';
import type { Spare } from '../protocol/agent.ts';
import type { Configuration } from '../runtime/config.ts';
import { api } from './api.ts';
import { bytes, printJson, table } from './output.ts';

function show(spares: readonly Spare[], json: boolean | undefined): void {
  if (json) return printJson(spares);
  if (spares.length === 0) {
    process.stdout.write(
      'No spare disk. With one, a volume on real disks is repaired without you: holdfast volume spare add DISK\n',
    );
    return;
  }
  process.stdout.write(
    `${table(
      ['disk', 'size'],
      spares.map((spare) => [spare.disk, bytes(spare.bytes)]),
    )}\n`,
  );
}

/** `holdfast volume spare`: empty disks that a repair takes by itself. */
export function spareCommands(volume: Command, configuration: Configuration): void {
  const spare = volume.command('spare').description('empty disks that a repair takes by itself');
  spare
    .command('list')
    .description('the spare disks of this host')
    .option('--json', 'machine-readable')
    .action(async (options: { json?: boolean }) => {
      show(await api(configuration, 'spares.list'), options.json);
    });
  spare
    .command('add <disk>')
    .description('keep an empty disk as a spare; one that holds anything is refused')
    .option('--json', 'machine-readable')
    .action(async (disk: string, options: { json?: boolean }) => {
      show(await api(configuration, 'spares.add', { body: { disk } }), options.json);
    });
  spare
    .command('remove <disk>')
    .description('use this disk for something else')
    .option('--json', 'machine-readable')
    .action(async (disk: string, options: { json?: boolean }) => {
      show(await api(configuration, 'spares.remove', { query: { disk } }), options.json);
    });
}
