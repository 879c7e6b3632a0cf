import { chownSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { idsOf, layoutOf, readConfiguration } from '../../runtime/config.ts';
import { giveBackToOwners } from './owners.ts';

const SOMEBODY = 54_321;
let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'holdfast-owners-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test('what belongs to the platform is given back to its users, and links and members are left alone', async () => {
  const configuration = readConfiguration({ HOLDFAST_HOME: home });
  const layout = layoutOf(configuration);
  const { control, gateway } = idsOf(configuration.instance);
  const outside = join(home, 'outside');
  const member = join(layout.logs, 'alice', 'x.log');
  const files = {
    database: join(layout.control, 'holdfast.sqlite'),
    journal: join(layout.agent, 'operations', 'one.json'),
    requests: join(layout.gateway, 'logs', 'error.log'),
  };
  for (const path of [...Object.values(files), member, outside]) {
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, '');
    chownSync(path, SOMEBODY, SOMEBODY);
  }
  symlinkSync(outside, join(layout.control, 'link'));
  expect(await giveBackToOwners(configuration)).toMatch(/belonged to another user and could not be used; given back/);
  expect(lstatSync(files.database)).toMatchObject({ uid: control, gid: control });
  expect(lstatSync(files.journal)).toMatchObject({ uid: 0, gid: 0 });
  expect(lstatSync(files.requests)).toMatchObject({ uid: gateway, gid: gateway });
  expect(lstatSync(outside).uid).toBe(SOMEBODY);
  expect(lstatSync(member).uid).toBe(SOMEBODY);
  expect(await giveBackToOwners(configuration)).toBeUndefined();
});

test('a home that does not exist yet is nobody else’s', async () => {
  expect(await giveBackToOwners(readConfiguration({ HOLDFAST_HOME: join(home, 'none') }))).toBeUndefined();
});
