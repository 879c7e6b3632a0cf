import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SiteSpec } from '../../protocol/sites.ts';
import { until } from '../../runtime/deadline.ts';
import { createPrograms, type Programs } from './programs.ts';
import { ask, livingGenerations, logOf, openTestGround, siteSpec, type TestGround } from './test-ground.ts';

const SLOW = 90_000;

let ground: TestGround;
let programs: Programs;

beforeAll(async () => {
  ground = await openTestGround();
  programs = createPrograms(ground.context, ground.storage, { lookEveryMs: 100 });
  await programs.start();
}, SLOW);

afterEach(async () => {
  for (const spec of programs.specs()) await programs.handlers['sites.remove']({ id: spec.id });
}, SLOW);

afterAll(async () => {
  await programs.stop('stop');
  await ground.close();
}, SLOW);

async function define(spec: SiteSpec): Promise<SiteSpec> {
  await programs.handlers['sites.put'](spec);
  return spec;
}

async function account(
  name: string,
  limits: Parameters<TestGround['account']>[1] = {},
): ReturnType<TestGround['account']> {
  const made = await ground.account(name, limits);
  accounts.push(made);
  await programs.sync(accounts, programs.specs());
  return made;
}
const accounts: Awaited<ReturnType<TestGround['account']>>[] = [];

describe('quickstarts answer over their socket', () => {
  test.each(['flask', 'django', 'manual'] as const)(
    '%s',
    async (quickstart) => {
      const owner = await account(`quick${quickstart}`);
      const site = await define(siteSpec(owner, `${owner.name}.localhost`));
      const first = await programs.handlers['sites.quickstart']({ id: site.id, quickstart });
      expect(first.kept).toEqual([]);
      expect(first.written).toContain(`/var/www/quick${quickstart}_localhost_wsgi.py`);
      const again = await programs.handlers['sites.quickstart']({ id: site.id, quickstart });
      expect(again).toEqual({ written: [], kept: first.written });
      const status = await programs.wakeDomain(site.domain);
      expect(status).toMatchObject({ state: 'awake', generation: 1, failure: null });
      const answer = await ask(ground.context, site, '/');
      expect(answer.status).toBe(200);
      expect(answer.body).toContain('Hello');
    },
    SLOW,
  );
});
