import type { Command } from 'commander';
import type { ApiInput } from '../protocol/api.ts';
import type { VolumeView } from '../protocol/browser.ts';
import type { Configuration } from '../runtime/config.ts';
import { api } from './api.ts';
import { requireConfirmation } from './confirm.ts';
import { follow } from './follow.ts';
import { bytes, parseBytes, printJson, table } from './output.ts';
import { replaceDiskCommand } from './recover.ts';
import { spareCommands } from './spare.ts';

function toListEntry(volume: VolumeView): Record<string, unknown> {
  return {
    name: volume.name,
    engine: volume.engine,
    redundancy: volume.redundancy,
    size_bytes: volume.sizeBytes,
    used_bytes: volume.usedBytes,
    // What can still be written: a file system keeps some of its size for itself. null: not known yet.
    free_bytes: volume.freeBytes ?? null,
    accounts: volume.accounts,
    replicas: volume.replicas.map(({ id, disk, state }) => ({ id, disk, state })),
    state: volume.state,
    trouble: volume.trouble,
  };
}

/** A volume that is not in use, or not looked at yet, is not called mirrored: that is how it was. */
export function redundancyWords({ state, redundancy }: { state: string; redundancy: string }): string {
  return state === 'open' || state === 'trouble' ? redundancy : `was ${redundancy}`;
}

/** A volume in `volume list`. What was never read is not shown as nothing. */
export function volumeRow(entry: VolumeView): string[] {
  const read = Date.parse(entry.readAt) > 0;
  return [
    entry.name,
    entry.state,
    redundancyWords(entry),
    read ? `${bytes(entry.usedBytes)} of ${bytes(entry.sizeBytes)}` : 'not read yet',
    entry.freeBytes === undefined ? '' : bytes(entry.freeBytes),
    String(entry.accounts),
    entry.replicas.map((replica) => `${replica.id}:${replica.state}`).join(' '),
    entry.trouble ?? '',
  ];
}

type Act = ApiInput<'volumes.act'>;

export function volumeCommands(program: Command, configuration: Configuration): void {
  const volume = program.command('volume').description('mirrored volumes, where homes live');
  const act = async (
    name: string,
    action: Act['params']['action'],
    body: Act['body'],
    json: boolean | undefined,
  ): Promise<void> => {
    const view = await api(configuration, 'volumes.act', { params: { name, action }, body });
    if ('steps' in view) await follow(configuration, view, json);
    else if (json) printJson(toListEntry(view));
    else {
      process.stdout.write(
        `${view.name}: ${view.state}${view.state === 'closed' ? '' : `, redundancy ${view.redundancy}`}${view.trouble === null ? '' : ` - ${view.trouble}`}\n`,
      );
    }
  };

  volume
    .command('list')
    .description('all volumes with their replicas')
    .option('--json', 'machine-readable')
    .action(async (options: { json?: boolean }) => {
      const volumes = await api(configuration, 'volumes.list');
      if (options.json) return printJson(volumes.map(toListEntry));
      const rows = volumes.map(volumeRow);
      process.stdout.write(
        `${table(['name', 'state', 'redundancy', 'used', 'left', 'accounts', 'replicas', 'trouble'], rows)}\n`,
      );
    });

  volume
    .command('create <name>')
    .description('make a mirrored volume on two or more empty disks, or on fresh image files')
    .option(
      '--disk <path>',
      'an empty block device, or the path of a new image file; repeat for each replica',
      collect,
      [],
    )
    .option('--size <size>', 'size of each image file when no disk is given', '8GiB')
    .option('--json', 'machine-readable')
    .action(async (name: string, options: { disk: string[]; size: string; json?: boolean }) => {
      const operation = await api(configuration, 'volumes.create', {
        body: { name, disks: options.disk, imageBytes: parseBytes(options.size) },
      });
      await follow(configuration, operation, options.json);
    });

  for (const [verb, description] of [
    ['open', 'mount it, also with a replica missing'],
    ['close', "stop its members' programs and unmount it"],
    ['scrub', 'read everything, compare checksums, heal from the other replica'],
  ] as const) {
    volume
      .command(`${verb} <name>`)
      .description(description)
      .option('--json', 'machine-readable')
      .action(async (name: string, options: { json?: boolean }) => await act(name, verb, {}, options.json));
  }

  volume
    .command('set-aside <name> <replica>')
    .description('stop using one replica; the volume goes on with the other')
    .option('--json', 'machine-readable')
    .action(
      async (name: string, replica: string, options: { json?: boolean }) =>
        await act(name, 'set-aside', { replica }, options.json),
    );

  volume
    .command('add-replica <name>')
    .description('take in a disk (or a fresh image file) and rebuild onto it')
    .option('--disk <path>', 'an empty block device; otherwise a fresh image file')
    .option('--json', 'machine-readable')
    .action(
      async (name: string, options: { disk?: string; json?: boolean }) =>
        await act(name, 'add-replica', options.disk === undefined ? {} : { disk: options.disk }, options.json),
    );

  volume
    .command('grow <name>')
    .description('use the whole of its disks; image files can be made larger first')
    .option('--size <size>', 'new size of each image file')
    .option('--json', 'machine-readable')
    .action(
      async (name: string, options: { size?: string; json?: boolean }) =>
        await act(
          name,
          'grow',
          options.size === undefined ? {} : { imageBytes: parseBytes(options.size) },
          options.json,
        ),
    );

  replaceDiskCommand(volume, configuration);
  spareCommands(volume, configuration);

  volume
    .command('delete <name>')
    .description('remove a volume on which no account lives')
    .option('--confirm <name>', 'the name again, instead of being asked')
    .option('--json', 'machine-readable')
    .action(async (name: string, options: { confirm?: string; json?: boolean }) => {
      await requireConfirmation(name, options.confirm, `This deletes volume ${name} and everything on its disks.`);
      const operation = await api(configuration, 'volumes.delete', { params: { name }, query: { confirm: name } });
      await follow(configuration, operation, options.json);
    });
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}
