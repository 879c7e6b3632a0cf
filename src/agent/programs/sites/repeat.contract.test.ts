import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPrograms, type Programs } from '../programs.ts';
import { logOf, openTestGround, siteSpec, type TestGround } from '../test-ground.ts';

const SLOW = 90_000;

let ground: TestGround;
let programs: Programs;

beforeAll(async () => {
  ground = await openTestGround();
  programs = createPrograms(ground.context, ground.storage, { lookEveryMs: 100 });
  await programs.start();
}, SLOW);

afterAll(async () => {
  await programs.stop('stop');
  await ground.close();
}, SLOW);

const count = (text: string, word: string): number => text.split(word).length - 1;

test(
  'an import that fails in the same way again does not write its traceback again',
  async () => {
    const owner = await ground.account('again');
    const site = siteSpec(owner, 'again.localhost', { workers: 2 });
    const file = '/var/www/again_localhost_wsgi.py';
    await ground.write(owner, file, 'x = 1\nraise RuntimeError("no " + "settings")\n');
    await programs.sync([owner], [site]);
    const start = async (): Promise<void> =>
      await expect(programs.handlers['sites.wake']({ id: site.id })).rejects.toMatchObject({
        message: expect.stringContaining('no settings') as string,
      });
    for (let round = 0; round < 4; round++) await start();
    const log = await logOf(ground.context, site, 'error');
    expect(count(log, 'Traceback')).toBe(1);
    // Each start has left its time, and what it was.
    expect(count(log, 'RuntimeError: no settings (as above, with the same traceback)')).toBeGreaterThanOrEqual(3);
    // The page shows the traceback all the same.
    const [status] = await programs.handlers['sites.statuses']({});
    expect(status?.failure?.output.join('\n')).toMatch(/Traceback[^]*again_localhost_wsgi.py", line 2[^]*as above/);
    await ground.write(owner, file, 'x = 1\ny = 2\nraise RuntimeError("no settings")\n');
    await start();
    expect(count(await logOf(ground.context, site, 'error'), 'Traceback')).toBe(2);
  },
  SLOW,
);
