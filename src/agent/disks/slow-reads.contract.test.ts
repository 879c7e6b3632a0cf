import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { mustRun } from '../../runtime/command.ts';
import { until } from '../../runtime/deadline.ts';
import { processesNamed } from '../kernel/processes.ts';
import { removeHome } from '../volumes/testing/cleanup.ts';
import { makeHome } from '../volumes/testing/context.ts';
import { cutValve, diskOf, makeImage, startValve, valvePaths, type ValvePaths } from './valve.ts';

const DEADLINE = { deadlineMs: 60_000 };
/** Long enough that a write which begins after the read is over before it on any machine that can run this. */
const LATE_MS = 5_000;

let home: string;
let paths: ValvePaths;

beforeEach(async () => {
  home = makeHome();
  vi.stubEnv('HOLDFAST_SLOW_READS', 'follow');
  const image = join(home, 'disk.img');
  await makeImage(image, 64 * 1024 ** 2);
  paths = valvePaths(join(home, 'valve'), join(home, 'run'), 'one', 'r1', image);
  await mkdir(join(home, 'valve', 'r1'), { recursive: true });
  await startValve(paths);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await cutValve(paths);
  await removeHome(home);
});

const dd = async (...parameters: string[]): Promise<void> => {
  await mustRun('dd', [...parameters, 'status=none'], DEADLINE);
};

test('reads of a disk can be made late while its writes are not, nothing is changed on the way, and its end ends the helper', async () => {
  const disk = diskOf(paths);
  const [first, back] = [join(home, 'first'), join(home, 'back')];
  await writeFile(first, randomBytes(8 * 1024 ** 2));
  await dd(`if=${first}`, `of=${disk}`, 'bs=1M', 'conv=fsync,notrunc');
  await writeFile(paths.readDelayFile, String(LATE_MS));
  const order: string[] = [];
  const read = dd(`if=${disk}`, `of=${back}`, 'bs=8M', 'count=1', 'iflag=fullblock').then(() => order.push('read'));
  const write = dd('if=/dev/zero', `of=${disk}`, 'bs=4k', 'count=1', 'seek=4096', 'conv=fsync,notrunc').then(() =>
    order.push('write'),
  );
  await write;
  await rm(paths.readDelayFile);
  await read;
  expect(order).toEqual(['write', 'read']);
  await mustRun('cmp', [first, back], DEADLINE);
  const helpers = async (): Promise<number> =>
    (await processesNamed('python3')).filter((one) => one.arguments.includes(paths.readDelayFile)).length;
  expect(await helpers()).toBe(1);
  await cutValve(paths);
  await until(async () => (await helpers()) === 0, 'the helper ending', 20_000);
});
