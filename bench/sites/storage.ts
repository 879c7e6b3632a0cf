import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from '../../src/runtime/command.ts';
import type { Figure } from '../measure/figures.ts';
import { interleaved, median } from '../measure/statistics.ts';
import type { Measurement } from './ground.ts';

interface Written {
  per_second: number;
  p50_ms: number;
  p99_ms: number;
  worst_ms: number;
}
type Run = Record<'pages' | 'files', Written>;

/** A process of its own writes: whatever the storage does to it, the benchmark goes on. */
async function write(directory: string, seconds: number): Promise<Run> {
  const script = join(import.meta.dirname, 'fsync_writes.py');
  const result = await mustRun('/usr/bin/python3', [script, directory, String(seconds)], {
    deadlineMs: seconds * 2000 + 60_000,
  });
  return JSON.parse(result.stdout) as Run;
}

export const storage: Measurement = {
  name: 'storage',
  title: 'Small fsynced writes on a volume beside the plain file system under it',
  async run(ground) {
    const rounds = ground.quick ? 2 : 5;
    const seconds = ground.quick ? 1 : 3;
    await ground.members.create('writer', 'standard');
    const accounts = await ground.members.operator('accounts.list');
    const volume = accounts.find((entry) => entry.name === 'writer')?.volume;
    if (volume === null || volume === undefined) throw new Error('The account "writer" has no volume.');
    const home = join(ground.platform.layout.volumes, volume, 'mnt/accounts/writer/home');
    // Beside the image files: the same file system, the same device.
    const plain = join(ground.platform.home, 'plain');
    mkdirSync(plain, { recursive: true });
    ground.say(`  ${rounds} rounds of ${seconds} s on each side, two kinds of writing`);
    const runs: Record<'volume' | 'plain', Run[]> = { volume: [], plain: [] };
    for (const side of interleaved('volume' as const, 'plain' as const, rounds)) {
      await ground.calm.wait();
      runs[side].push(await write(side === 'volume' ? home : plain, seconds));
    }
    ground.raw['storage'] = runs;
    const figure = (
      kind: keyof Run,
      key: keyof Written,
      name: string,
      unit: string,
      goal?: Figure['goal'],
    ): Figure => ({
      name,
      unit,
      platform: median(runs.volume.map((run) => run[kind][key])),
      baseline: median(runs.plain.map((run) => run[kind][key])),
      ...(goal === undefined ? {} : { goal }),
    });
    return [
      figure('pages', 'per_second', 'fsynced 4 KiB writes into a file', '/s', { of: 'ratio', at: 'least', value: 0.5 }),
      figure('pages', 'p99_ms', '  p99', 'ms'),
      figure('files', 'per_second', 'fsynced small files, made and renamed', '/s', {
        of: 'ratio',
        at: 'least',
        value: 0.5,
      }),
      figure('files', 'p99_ms', '  p99', 'ms'),
    ];
  },
};
