import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readConfiguration } from '../../runtime/config.ts';
import { until } from '../../runtime/deadline.ts';
import { unitFile } from '../service.ts';
import { ServiceWatchdog, watchdogEvery } from './service-watchdog.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync('/var/tmp/holdfast-watchdog-');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Stands where systemd does: a datagram socket whose messages it prints. */
const LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('ready', flush=True)
while True: print(s.recv(4096).decode(), flush=True)
`;

test('systemd hears again and again that the supervisor is there', async () => {
  const socket = join(directory, 'notify.sock');
  const listener = spawn('python3', ['-c', LISTENER, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  let heard = '';
  listener.stdout.setEncoding('utf8').on('data', (chunk: string) => (heard += chunk));
  try {
    await until(() => heard.includes('ready'), 'the listener', 30_000);
    const said: string[] = [];
    new ServiceWatchdog({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: '3000000' }, (line) => said.push(line)).start();
    await until(() => heard.split('WATCHDOG=1').length > 2, 'the second word', 60_000);
    expect(said).toEqual([]);
  } finally {
    listener.kill('SIGKILL');
  }
});

test('without systemd, or without a watchdog, nothing is told', () => {
  expect(watchdogEvery({})).toBeUndefined();
  expect(watchdogEvery({ NOTIFY_SOCKET: '/x' })).toBeUndefined();
  expect(watchdogEvery({ NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '30000000' })).toBe(10_000);
});

test('the unit asks for it, from any process of the service', () => {
  const unit = unitFile(readConfiguration({ HOLDFAST_HOME: directory }));
  expect(unit).toContain('\nWatchdogSec=30\n');
  expect(unit).toContain('\nNotifyAccess=all\n');
});
