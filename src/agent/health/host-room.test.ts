import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import * as files from 'node:fs/promises';
import { until } from '../../runtime/deadline.ts';
import { createLogger } from '../../runtime/log.ts';
import { HostRoomWatch, RESERVE_BYTES } from './host-room.ts';

vi.mock('node:fs/promises', { spy: true });

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'holdfast-room-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(home, { recursive: true, force: true });
});

const sizeOf = async (): Promise<number | undefined> =>
  await stat(join(home, 'reserve')).then(
    ({ size }) => size,
    () => undefined,
  );

test('room is kept for the platform itself while there is enough, given back when there is none, and kept again afterwards', async () => {
  const log = createLogger('test');
  log.level = 'silent';
  const reserve = join(home, 'reserve');
  const watch = new HostRoomWatch({ home, reserve, log, promised: async () => await Promise.resolve(7) });
  const free = (bytes: number): void => {
    vi.mocked(files.statfs).mockResolvedValue({ bavail: bytes / 4096, blocks: 2 ** 24, bsize: 4096 } as never);
  };
  free(10 * 1024 ** 3);
  await watch.look();
  expect(watch.room).toEqual({ path: home, sizeBytes: 2 ** 36, freeBytes: 10 * 1024 ** 3, promisedBytes: 7 });
  expect(await sizeOf()).toBe(RESERVE_BYTES);
  // Little is no reason yet.
  free(512 * 1024 ** 2);
  await watch.look();
  expect(await sizeOf()).toBe(RESERVE_BYTES);
  free(1024 ** 2);
  await watch.look();
  expect(await sizeOf()).toBe(0);
  free(512 * 1024 ** 2);
  await watch.look();
  expect(await sizeOf()).toBe(0);
  free(10 * 1024 ** 3);
  await watch.look();
  expect(await sizeOf()).toBe(RESERVE_BYTES);
  // What was is known for a while.
  expect(watch.spell).toMatchObject({ full: false });
  expect(watch.spell?.overAt).toBeGreaterThan(0);
  // A look that does not come back, because the disk hangs, leaves nothing known.
  const now = performance.now();
  vi.spyOn(performance, 'now').mockReturnValue(now + 6_000);
  expect(watch.room).toBeUndefined();
});

test('that there is no room is known at once, whatever else the look waits for; and who asks meanwhile waits for the same look', async () => {
  const log = createLogger('test');
  log.level = 'silent';
  const { promise, resolve } = Promise.withResolvers<number>();
  const watch = new HostRoomWatch({ home, reserve: join(home, 'reserve'), log, promised: async () => await promise });
  vi.mocked(files.statfs).mockResolvedValue({ bavail: 0, blocks: 2 ** 24, bsize: 4096 } as never);
  const first = watch.look();
  await until(() => watch.spell !== undefined, 'the figure', 10_000, 5);
  expect(watch.spell).toMatchObject({ full: true });
  expect(watch.room).toMatchObject({ freeBytes: 0 });
  const second = watch.look();
  resolve(7);
  await Promise.all([first, second]);
  expect(files.statfs).toHaveBeenCalledTimes(1);
  expect(watch.room).toMatchObject({ promisedBytes: 7 });
});
