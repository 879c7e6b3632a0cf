import { randomBytes } from 'node:crypto';
import { writeFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AccountSpec } from '../../protocol/sites.ts';
import { mustRun, runCommand } from '../../runtime/command.ts';
import { createPrograms, type Programs } from './programs.ts';
import { ask, openTestGround, siteSpec, type TestGround } from './test-ground.ts';

const SLOW = 90_000;

let ground: TestGround;
let owner: AccountSpec;
let programs: Programs;
let home: string;

/** The home and /var/www are small file systems of their own here, so that they can be filled to the last block. */
beforeEach(async () => {
  ground = await openTestGround();
  owner = await ground.account('full');
  const directories = ground.pathsOf(owner.name);
  home = directories.home;
  for (const directory of [home, directories.www]) {
    const options = `size=64k,uid=${owner.uid},gid=${owner.uid},mode=700`;
    await mustRun('mount', ['-t', 'tmpfs', '-o', options, 'full-home', directory], { deadlineMs: 10_000 });
  }
  programs = createPrograms(ground.context, ground.storage);
  await programs.start();
}, SLOW);

afterEach(async () => {
  await programs.stop('stop');
  const directories = ground.pathsOf(owner.name);
  for (const directory of [home, directories.www]) {
    await runCommand('umount', ['-l', directory], { deadlineMs: 10_000 });
  }
  await ground.close();
}, SLOW);

async function fill(): Promise<string> {
  const ballast = join(home, 'ballast');
  const wrote = writeFile(ballast, randomBytes(128 * 1024));
  await expect(wrote).rejects.toMatchObject({ code: 'ENOSPC' });
  return ballast;
}

test(
  'a starter project on a full home is refused with what to do, leaves nothing half written, and is written when there is room',
  async () => {
    const site = siteSpec(owner, 'full.localhost', { sourceDirectory: '/home/full/mysite' });
    await programs.sync([owner], [site]);
    const ballast = await fill();
    await expect(programs.handlers['sites.quickstart']({ id: site.id, quickstart: 'flask' })).rejects.toMatchObject({
      code: 'quota-exceeded',
      message: expect.stringContaining('delete something') as string,
    });
    await rm(ballast);
    const { written } = await programs.handlers['sites.quickstart']({
      id: site.id,
      quickstart: 'flask',
    });
    expect(written).toContain('/home/full/mysite/flask_app.py');
    expect(await readFile(join(home, 'mysite', 'flask_app.py'), 'utf8')).toContain('Flask');
    expect(await programs.wakeDomain(site.domain)).toMatchObject({ state: 'awake' });
  },
  SLOW,
);

test(
  'a site wakes and answers although the home is full',
  async () => {
    const site = siteSpec(owner, 'full.localhost', { sourceDirectory: '/home/full/mysite' });
    await programs.sync([owner], [site]);
    await programs.handlers['sites.quickstart']({ id: site.id, quickstart: 'flask' });
    await fill();
    expect(await programs.wakeDomain(site.domain)).toMatchObject({ state: 'awake' });
    expect((await ask(ground.context, site, '/')).status).toBe(200);
  },
  SLOW,
);
