import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../runtime/deadline.ts';
import { isAlive, recordOf, type ProcessRecord } from '../../runtime/process-record.ts';
import { contextOf, makeHome } from '../volumes/testing/context.ts';
import { createDrills } from './drills.ts';

const DEADLINE_MS = 120_000;

/** Runners of this home, which may be nobody's children. */
function runnersOf(home: string): ProcessRecord[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      try {
        const ours =
          readFileSync(`/proc/${entry}/cmdline`, 'utf8').includes('src/drills/main.ts') &&
          readFileSync(`/proc/${entry}/environ`, 'utf8').includes(`HOLDFAST_HOME=${home}\0`);
        const record = ours ? recordOf(Number(entry)) : undefined;
        return record === undefined ? [] : [record];
      } catch {
        return []; // It ended while we looked.
      }
    });
}

describe('drills of the agent', () => {
  let home: string;

  beforeEach(() => {
    home = makeHome();
  });

  afterEach(async () => {
    for (const record of runnersOf(home)) process.kill(record.pid, 'SIGINT');
    await until(() => runnersOf(home).length === 0, 'the end of the runners', DEADLINE_MS, 100);
    rmSync(home, { recursive: true, force: true });
  });

  const request = { id: 'disk-hang-test-1', drill: 'disk-hang', where: 'scratch', reaction: true } as const;

  it('start a runner with its own log, once, and stop it', async () => {
    const drills = createDrills(contextOf(home));
    await drills['drills.start'](request);
    await drills['drills.start'](request);
    await until(() => runnersOf(home).length > 0, 'the runner', DEADLINE_MS, 50);
    const runners = runnersOf(home);
    expect(runners.length).toBe(1);
    const log = join(home, 'drills', request.id, 'runner.log');
    await until(() => readFileSync(log, 'utf8').includes('Starting a platform'), 'its first words', DEADLINE_MS, 50);
    expect(await drills['drills.stop']({ id: request.id })).toEqual({ running: true });
    await until(() => runners.every((record) => !isAlive(record)), 'its end', DEADLINE_MS, 100);
    const said = readFileSync(log, 'utf8');
    expect(said).toContain('It was stopped');
    const record = /^Record and logs: (\S+)$/m.exec(said)?.[1];
    expect(record, said).toMatch(/\/disk-hang-test-1$/);
    rmSync(record ?? '', { recursive: true });
    expect(await drills['drills.stop']({ id: request.id })).toEqual({ running: false });
  });

  it('refuse what is no drill and what is no name of a run', async () => {
    const drills = createDrills(contextOf(home));
    await expect(drills['drills.start']({ ...request, drill: 'nonsense' })).rejects.toMatchObject({
      code: 'not-found',
    });
    await expect(drills['drills.start']({ ...request, id: '../../etc' })).rejects.toMatchObject({
      code: 'input-invalid',
    });
    await expect(drills['drills.stop']({ id: '../x' })).rejects.toMatchObject({ code: 'input-invalid' });
    expect(await drills['drills.stop']({ id: 'never-was' })).toEqual({ running: false });
    expect(existsSync(join(home, 'drills'))).toBe(false);
  });
});
