import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { layoutOf, readConfiguration } from '../../runtime/config.ts';
import { until } from '../../runtime/deadline.ts';
import { controlCommand } from './control-sandbox.ts';
import { makeDirectories } from './directories.ts';

const made: string[] = [];
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

test.each([
  '/tmp/tmp.',
  '/dev/shm/holdfast-',
  '/run/holdfast-home-',
  '/var/tmp/holdfast:a,b=c,é-',
  '/usr/local/holdfast-',
])(
  'the control plane comes up with its home at %s...',
  async (prefix) => {
    const home = mkdtempSync(prefix);
    const configuration = readConfiguration({ HOLDFAST_HOME: home });
    made.push(home, configuration.runDirectory);
    await makeDirectories(configuration);
    const { program, arguments: all } = controlCommand(configuration);
    const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', HOLDFAST_HOME: home };
    const child = spawn(program, all, { stdio: ['ignore', 'pipe', 'pipe'], env: environment });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
    try {
      const layout = layoutOf(configuration);
      const up = (): boolean => existsSync(join(layout.control, 'operator-token')) && existsSync(layout.controlSocket);
      await until(() => up() || ended(), 'the control plane', 60_000);
      expect(ended(), output).toBe(false);
    } finally {
      child.kill('SIGKILL');
      await until(ended, 'the end of the control plane', 30_000);
    }
  },
  120_000,
);
