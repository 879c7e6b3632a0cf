import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Trouble } from '../../protocol/health.ts';
import type { VolumeStatus } from '../../protocol/volumes.ts';
import { mustRun } from '../../runtime/command.ts';
import { until } from '../../runtime/deadline.ts';
import { directoriesOf } from '../volumes/directories.ts';
import { valvePaths } from '../disks/valve.ts';
import { removeHome } from '../volumes/testing/cleanup.ts';
import { contextOf, makeHome } from '../volumes/testing/context.ts';
import { Writer } from '../volumes/testing/member.ts';

const PROGRAM = join(import.meta.dirname, 'testing', 'host-process.ts');
const STORAGE = join(import.meta.dirname, '..', 'volumes', 'testing', 'storage-process.ts');

let home: string;
let agents: ChildProcess[];
let writer: Writer | undefined;

beforeEach(() => {
  home = makeHome();
  agents = [];
  writer = undefined;
});
afterEach(async () => {
  for (const agent of agents) agent.kill('SIGKILL');
  writer?.kill();
  await removeHome(home);
});

async function storage(action: string): Promise<VolumeStatus[]> {
  const { stdout } = await mustRun(process.execPath, [STORAGE, home, action], { deadlineMs: 90_000 });
  return (JSON.parse(stdout) as { volumes: VolumeStatus[] }).volumes;
}

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

/** Starts an agent; resolves when it is ready or dead. */
async function startAgent(log: string, killAt: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, [PROGRAM, home, log, String(killAt)], { stdio: ['ignore', 'pipe', 'inherit'] });
  agents.push(child);
  let ready = false;
  child.stdout?.on('data', () => (ready = true));
  await until(() => ready || ended(child), 'the agent being ready', 60_000);
  return child;
}

async function hang(volume: VolumeStatus | undefined, replica: string): Promise<void> {
  const context = contextOf(home);
  const disk = volume?.replicas.find(({ id }) => id === replica)?.disk ?? '';
  const { valves } = directoriesOf(context, volume?.name ?? '');
  const paths = valvePaths(valves, context.configuration.runDirectory, volume?.name ?? '', replica, disk);
  const socket = connect(paths.pauseSocket);
  const answer = new Promise<string>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('data', (chunk) => resolve(chunk.toString()));
  });
  socket.write('p');
  expect(await answer).toMatch(/^P/);
  socket.destroy();
}

/** It dies at the n-th change of the trouble that it tells of: when it is named, right before the cut, after it, while it rebuilds ... */
test.each([1, 2, 3, 4, 5, 7])(
  'an agent that is killed at change %i of a trouble finishes the repair after its next start',
  async (killAt) => {
    await storage('create');
    const [volume] = await storage('ensure');
    writer = new Writer(join(home, 'volumes/one/mnt/accounts/alice/home'));
    await writer.writes(20);
    const log = join(home, 'troubles.log');
    writeFileSync(log, '');
    const told = (): Trouble[] =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Trouble);
    const over = (): boolean => told().some(({ state }) => state === 'resolved');
    const first = await startAgent(log, killAt);
    await hang(volume, 'r1');
    await until(() => ended(first) || over(), 'the agent dying in the middle of the repair', 60_000);
    if (ended(first)) {
      expect(first.signalCode).toBe('SIGKILL');
      await startAgent(log, 0);
    }
    await until(over, 'the trouble being over', 90_000);
    await writer.writes(20);
    await writer.stop();
    await writer.verify();
    // One trouble, however often it was begun with, and one disk replaced.
    expect(new Set(told().map(({ id }) => id)).size).toBe(1);
    for (const one of agents) one.kill('SIGTERM');
    await until(() => agents.every(ended), 'the agents ending', 20_000);
    const [after] = await storage('look');
    expect(after).toMatchObject({ redundancy: 'full', trouble: null });
    expect(after?.replicas.map(({ id }) => id)).toEqual(['r2', 'r3']);
  },
);
