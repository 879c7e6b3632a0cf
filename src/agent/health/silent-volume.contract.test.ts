import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mustRun } from '../../runtime/command.ts';
import { until } from '../../runtime/deadline.ts';
import type { Trouble } from '../../protocol/health.ts';
import { directoriesOf } from '../volumes/directories.ts';
import { WatchedHost } from './testing/watched-host.ts';

/** A real file system that is frozen: every disk is well, and yet nobody can write. */
describe('a volume that does not answer although its disks do', () => {
  let host: WatchedHost;
  let home: string;
  let mount: string;

  beforeEach(async () => {
    host = new WatchedHost();
    await host.start();
    home = await host.create('one');
    mount = directoriesOf(host.context, 'one').mount;
  });
  afterEach(async () => {
    await thaw();
    await host.dispose();
  });

  const freeze = (): Promise<unknown> => mustRun('fsfreeze', ['--freeze', mount], { deadlineMs: 30_000 });
  // It may be thawed already.
  const thaw = (): Promise<unknown> =>
    mustRun('fsfreeze', ['--unfreeze', mount], { deadlineMs: 30_000 }).catch(() => undefined);
  const named = async (): Promise<Trouble> => {
    const find = (): Trouble | undefined => host.open().find(({ key }) => key === 'volume:one:-');
    await until(() => find() !== undefined, 'the volume being named', 90_000);
    return find() as Trouble;
  };

  test('is named with its cause and what to do; no disk is cut, others go on, and it comes back by itself', async () => {
    await host.watch();
    const elsewhere = await host.create('two', [], host.context.ids.firstAccount + 1);
    await freeze();
    // Nothing of the platform's own needs the volume now: it is a member's program that waits.
    const uid = host.context.ids.firstAccount;
    const program = spawn('/bin/sh', ['-c', 'echo here > file'], { cwd: home, uid, gid: uid, stdio: 'ignore' });
    const ended = once(program, 'exit');
    const trouble = await named();
    await until(() => host.open()[0]?.service === 'stopped', 'what asks for the volume being refused', 30_000);
    expect(trouble).toMatchObject({
      mustAct: expect.stringContaining(`fsfreeze --unfreeze ${mount}`),
      diagnosis: { fault: 'hung', culprit: { kind: 'volume', volume: 'one', replica: null } },
    });
    expect(trouble.diagnosis.evidence.join(' ')).toMatch(/Its file system is frozen/);
    expect(() => host.storage.homeOf('of-one')).toThrow(expect.objectContaining({ code: 'storage-repair' }));
    const plan = await host.storage.handlers['volumes.planRecovery']({ name: 'one' });
    expect(plan.problem).toMatch(/fsfreeze --unfreeze/);
    const other = await host.write(elsewhere);
    await other.stop();
    await other.verify();
    await thaw();
    await host.repaired();
    expect(await ended).toEqual([0, null]);
    expect(host.status('one')).toMatchObject({ state: 'open', redundancy: 'full', silence: null });
    expect(host.troubles().map(({ key, state }) => [key, state])).toEqual([['volume:one:-', 'resolved']]);
  });

  test('is named by an agent that starts while it does not answer', async () => {
    await freeze();
    await host.start();
    await host.watch();
    expect((await named()).diagnosis.evidence.join(' ')).toMatch(/Its file system is frozen/);
    await thaw();
    await host.repaired();
    expect(host.status('one').state).toBe('open');
  });
});
