import { expect, test } from 'vitest';
import { until } from '../../runtime/deadline.ts';
import { RoomWatch } from './room.ts';
import type { Space } from './space.ts';

const MiB = 1024 ** 2;
const DISK = 2_048 * MiB;

function space(usedMiB: number, promisedMiB: number): Space {
  return {
    data: { total: 1_700 * MiB, used: usedMiB * MiB, promised: promisedMiB * MiB },
    metadata: { total: 256 * MiB, used: 2 * MiB, promised: 0 },
    system: { total: 8 * MiB, used: 16_384, promised: 0 },
    reserve: 4 * MiB,
  };
}

function watched(): {
  room: RoomWatch;
  now: (value: Space | undefined) => void;
  commits: () => number;
  end: () => void;
} {
  let value: Space | undefined;
  let commits = 0;
  let end: (well: boolean) => void = () => undefined;
  const room = new RoomWatch({
    space: async () => await Promise.resolve(value),
    commit: async () => {
      commits += 1;
      return await new Promise<boolean>((resolve) => (end = resolve));
    },
    diskBytes: () => DISK,
  });
  return { room, now: (next) => (value = next), commits: () => commits, end: () => end(true) };
}

test('what is only being written does not make a volume full: it is written out first, and what is used then tells', async () => {
  const { room, now, commits, end } = watched();
  now(space(400, 0));
  const calm = await room.look();
  expect(calm?.freeBytes).toBeGreaterThan(1_000 * MiB);
  now(space(400, 1_360));
  expect(await room.look()).toEqual(calm);
  expect(await room.look()).toEqual(calm);
  expect((await room.look())?.at).toBe(calm?.at);
  expect(commits()).toBe(1);
  end();
  // It is written over again meanwhile, and as little is used as before.
  now(space(420, 1_345));
  await until(async () => ((await room.look())?.usedBytes ?? 0) > 420 * MiB, 'the figures after the commit', 5_000, 10);
  expect((await room.look())?.freeBytes).toBeGreaterThan(1_000 * MiB);
  expect(commits()).toBe(1);
});

test('a volume whose room is used, or that has some beside what is being written, is told as it is, at once', async () => {
  const { room, now, commits } = watched();
  now(space(1_690, 5));
  const full = await room.look();
  expect((full?.freeBytes ?? 0) / MiB).toBeLessThan(100);
  now(space(400, 300));
  const free = await room.look();
  expect((free?.freeBytes ?? 0) / MiB).toBeLessThan(1_100);
  now(undefined);
  expect(await room.look()).toEqual(free);
  expect(commits()).toBe(0);
});
