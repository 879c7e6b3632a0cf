import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Operation, VolumeStatus } from '../../protocol/volumes.ts';
import { runCommand } from '../../runtime/command.ts';
import { processesNamed } from '../kernel/processes.ts';
import { removeHome } from './testing/cleanup.ts';
import { makeHome } from './testing/context.ts';
import { inVolume } from './testing/member.ts';

const PROGRAM = join(import.meta.dirname, 'testing', 'storage-process.ts');

interface Outcome {
  killed: boolean;
  volumes: VolumeStatus[];
  operations: Operation[];
}

/**
 * The agent is killed at many points of each operation: when it tells of a step, and right after it started a program, which
 * then goes on alone. The next start must finish the work. Every start below is a process of its own.
 */
describe('an agent killed in the middle', () => {
  let home: string;
  const file = (name: string): string => join(home, 'volumes/one/mnt/accounts/alice/home', name);

  beforeEach(() => {
    home = makeHome();
  });
  afterEach(async () => {
    await removeHome(home);
  });

  async function agent(action: string, killKind = '', killAt = 0): Promise<Outcome> {
    const result = await runCommand(process.execPath, [PROGRAM, home, action, killKind, String(killAt)], {
      deadlineMs: 90_000,
    });
    if (result.signal === 'SIGKILL') return { killed: true, volumes: [], operations: [] };
    if (result.code !== 0) throw new Error(`agent ${action} failed: ${result.stderr}`);
    return { killed: false, ...(JSON.parse(result.stdout) as Omit<Outcome, 'killed'>) };
  }

  /** Kills at every `stride`-th point until one run gets through; answers how many kills that were. */
  async function killEverywhere(
    action: string,
    kind: string,
    stride: number,
    check: (outcome: Outcome, at: number) => Promise<void>,
  ): Promise<number> {
    let kills = 0;
    for (let at = 1; ; at += stride) {
      const outcome = await agent(action, kind, at);
      if (!outcome.killed) {
        await check(outcome, at);
        return kills;
      }
      kills += 1;
      await check(await agent('look'), at);
    }
  }

  async function deleteForNextRound(): Promise<void> {
    const outcome = await agent('delete');
    expect(outcome.volumes).toEqual([]);
  }

  test.each([
    ['step', 3],
    ['command', 9],
  ])('while it makes a volume (at every %s): the next start finishes it', async (kind, stride) => {
    const kills = await killEverywhere('create', kind, stride, async ({ volumes, operations }, at) => {
      expect(
        operations.filter((operation) => operation.state !== 'done'),
        `killed at ${kind} ${at}`,
      ).toEqual([]);
      // Killed before it was journaled, it is as if it had never been asked for.
      const wanted = operations.length === 0 ? [] : [{ name: 'one', state: 'open', redundancy: 'full', trouble: null }];
      expect(volumes, `killed at ${kind} ${at}`).toMatchObject(wanted);
      if (volumes.length > 0) await deleteForNextRound();
    });
    expect(kills).toBeGreaterThan(1);
  });

  test.each([
    ['step', 3],
    ['command', 6],
  ])('while it rebuilds (at every %s): the next start finishes it, nothing is lost', async (kind, stride) => {
    await agent('create');
    await agent('ensure');
    await inVolume(
      'dd if=/dev/urandom of="$1" bs=1M count=20 status=none; sha256sum "$1" > "$1.sum"; sync -f "$1"',
      file('data'),
    );
    const kills = await killEverywhere('rebuild', kind, stride, async ({ operations }, at) => {
      expect(
        operations.filter((operation) => operation.state === 'running'),
        `killed at ${kind} ${at}`,
      ).toEqual([]);
      let outcome = await agent('look');
      // Killed before the work was journaled: it is as if it had never been asked for.
      if (outcome.volumes[0]?.redundancy !== 'full') outcome = await agent('rebuild');
      expect(outcome.volumes, `killed at ${kind} ${at}`).toMatchObject([
        { state: 'open', redundancy: 'full', trouble: null, replicas: [{ state: 'healthy' }, { state: 'healthy' }] },
      ]);
      expect(await inVolume('sha256sum --quiet -c "$1.sum"', file('data'))).toBe('');
    });
    expect(kills).toBeGreaterThan(1);
    // Nothing of the replaced ones stays behind.
    expect((await inVolume('ls "$1"', join(home, 'volumes/one/disks'))).split('\n')).toHaveLength(2);
    const valves = (await processesNamed('nbdfuse')).filter((valve) =>
      valve.arguments.some((argument) => argument.startsWith(home)),
    );
    expect(valves).toHaveLength(2);
  });

  async function withData(): Promise<void> {
    await agent('create');
    await agent('ensure');
    await inVolume(
      'dd if=/dev/urandom of="$1" bs=1M count=20 status=none; sha256sum "$1" > "$1.sum"; sync -f "$1"',
      file('data'),
    );
  }

  const whole = [{ state: 'open', redundancy: 'full', trouble: null }];

  test.each([
    ['step', 3],
    ['command', 7],
  ])(
    'while it recovers a volume (at every %s): the next start or the next recovery finishes it',
    async (kind, stride) => {
      await withData();
      const kills = await killEverywhere('recover', kind, stride, async ({ operations }, at) => {
        expect(
          operations.filter((operation) => operation.state !== 'done'),
          `killed at ${kind} ${at}`,
        ).toEqual([]);
        // Killed before the work was journaled: it is as if it had never been asked for.
        let outcome = await agent('look');
        if (outcome.volumes[0]?.redundancy !== 'full') outcome = await agent('recover');
        expect(outcome.volumes, `killed at ${kind} ${at}`).toMatchObject(whole);
        expect(await inVolume('sha256sum --quiet -c "$1.sum"', file('data'))).toBe('');
      });
      expect(kills).toBeGreaterThan(1);
    },
  );

  test.each([
    ['step', 3],
    ['command', 7],
  ])('while it replaces a disk (at every %s): redundancy is full after the next start', async (kind, stride) => {
    await withData();
    const kills = await killEverywhere('replace', kind, stride, async ({ volumes, operations }, at) => {
      expect(
        operations.filter((operation) => operation.state !== 'done'),
        `killed at ${kind} ${at}`,
      ).toEqual([]);
      expect(volumes, `killed at ${kind} ${at}`).toMatchObject(whole);
      expect(volumes[0]?.replicas, `killed at ${kind} ${at}`).toHaveLength(2);
      expect(await inVolume('sha256sum --quiet -c "$1.sum"', file('data'))).toBe('');
    });
    expect(kills).toBeGreaterThan(1);
    expect((await inVolume('ls "$1"', join(home, 'volumes/one/disks'))).split('\n')).toHaveLength(2);
  });

  test.each([
    ['step', 3],
    ['command', 5],
  ])('while it deletes (at every %s): the next start finishes it, nothing stays', async (kind, stride) => {
    await agent('create');
    const kills = await killEverywhere('delete', kind, stride, async ({ volumes, operations }, at) => {
      expect(
        operations.filter((operation) => operation.state !== 'done'),
        `killed at ${kind} ${at}`,
      ).toEqual([]);
      if (volumes.length > 0) return;
      expect(await inVolume('ls "$1/volumes"', home), `killed at ${kind} ${at}`).toBe('');
      await agent('create');
    });
    expect(kills).toBeGreaterThan(1);
  });
});
