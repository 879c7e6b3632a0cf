import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf, readConfiguration, type Configuration } from '../../runtime/config.ts';
import { until } from '../../runtime/deadline.ts';
import { controlCommand } from './control-sandbox.ts';
import { makeDirectories } from './directories.ts';

let home: string;
let configuration: Configuration;
const tokenFile = (): string => join(layoutOf(configuration).control, 'operator-token');

beforeEach(async () => {
  home = mkdtempSync('/var/tmp/holdfast-control-sandbox-');
  configuration = readConfiguration({ HOLDFAST_HOME: home });
  await makeDirectories(configuration);
});
afterEach(() => {
  for (const directory of [home, configuration.runDirectory]) rmSync(directory, { recursive: true, force: true });
});

/** One that has ended and waits to be taken note of is not there any more. */
function isThere(pid: number): boolean {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function childOf(pid: number): number | undefined {
  const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return first === undefined || first === '' ? undefined : Number(first);
}

test.each([
  ['while it starts', (inner: number) => readFileSync(`/proc/${inner}/cmdline`, 'utf8').includes('control/main.ts')],
  ['when it runs', () => existsSync(tokenFile()) && existsSync(layoutOf(configuration).controlSocket)],
])(
  'a control plane whose bwrap is killed %s ends, too, so that none goes on beside its successor',
  async (_when, reached) => {
    const { program, arguments: all } = controlCommand(configuration);
    const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', HOLDFAST_HOME: home };
    const child = spawn(program, all, { stdio: 'ignore', env: environment });
    let inner: number | undefined;
    try {
      await until(
        () => {
          inner ??= childOf(child.pid ?? 0);
          return inner !== undefined && isThere(inner) && reached(inner);
        },
        'the control plane',
        60_000,
      );
      expect(child.exitCode).toBeNull();
      child.kill('SIGKILL');
      await until(() => !isThere(inner ?? 0), 'the end of the control plane', 30_000);
    } finally {
      child.kill('SIGKILL');
      if (inner !== undefined && isThere(inner)) process.kill(inner, 'SIGKILL');
    }
  },
  120_000,
);
