import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogRotation } from './log-rotation.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-rotation-'));
});
afterEach(async () => await rm(directory, { recursive: true, force: true }));

test("the gateway's log directory, which is the gateway's own, cannot make the agent read other files into it", async () => {
  const gatewayLogs = join(directory, 'gateway');
  for (const name of ['gateway', 'logs']) await mkdir(join(directory, name));
  await writeFile(join(directory, 'secret'), 'a secret of root');
  await writeFile(join(gatewayLogs, 'platform.log'), 'x'.repeat(100));
  await symlink(join(directory, 'secret'), join(gatewayLogs, 'platform.log.1'));
  const rotation = new LogRotation({
    logs: join(directory, 'logs'),
    gatewayLogs,
    reopen: () => undefined,
    log: pino({ level: 'silent' }),
    largest: 10,
  });
  await rotation.round();
  expect((await readdir(gatewayLogs)).sort()).toEqual(['platform.log.1']);
  expect(await readFile(join(gatewayLogs, 'platform.log.1'), 'utf8')).toBe('x'.repeat(100));
  expect(await readFile(join(directory, 'secret'), 'utf8')).toBe('a secret of root');
});
