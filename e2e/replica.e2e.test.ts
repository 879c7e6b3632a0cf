import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../src/runtime/deadline.ts';
import { Platform } from './platform.ts';

/** Writes each request's body to a file of its own with fsync, and answers only when it is on disk. */
const WRITER = `
import os
def application(environ, start_response):
    number = environ['PATH_INFO'].strip('/')
    try:
        body = environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0))
        os.makedirs('/home/alice/data', exist_ok=True)
        with open('/home/alice/data/' + number, 'wb') as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        start_response('500 Write failed', [('Content-Type', 'text/plain')])
        return [str(error).encode()]
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'stored']
`;

interface VolumeEntry {
  name: string;
  redundancy: string;
  accounts: number;
  replicas: { id: string; disk: string; state: string }[];
}

function bodyOf(number: number): string {
  return `${number}:${createHash('sha256').update(String(number)).digest('hex').repeat(400)}`;
}

describe('a replica is pulled away while a site writes', () => {
  let platform: Platform;

  beforeAll(async () => {
    platform = await Platform.make();
    await platform.start();
  });

  afterAll(async () => {
    await platform?.remove();
  });

  it('reaches no site as an error; the rebuild restores redundancy; every acknowledged write is there', async () => {
    const account = await platform.account('alice');
    const domain = await platform.wsgiSite(account, WRITER);
    const volume = async (): Promise<VolumeEntry> => {
      const all = await platform.holdfastJson<VolumeEntry[]>('volume', 'list');
      const found = all.find((entry) => entry.accounts === 1);
      if (!found) throw new Error('no volume holds the account');
      return found;
    };

    let going = true;
    let number = 0;
    const failures: string[] = [];
    const acknowledged: number[] = [];
    const writer = (async () => {
      while (going) {
        const current = number;
        number += 1;
        const answer = await platform.request(domain, `/${current}`, { method: 'POST', body: bodyOf(current) });
        if (answer.status === 200) acknowledged.push(current);
        else failures.push(`${current}: ${answer.status} ${answer.text}`);
      }
    })();
    const written = async (more: number): Promise<void> => {
      const goal = acknowledged.length + more;
      await until(() => acknowledged.length >= goal || failures.length > 0, `${more} more writes`, 120_000);
    };

    onTestFinished(async () => {
      going = false;
      await writer.catch(() => undefined);
    });
    await written(50);
    const before = await volume();
    expect(before.redundancy).toBe('full');
    const victim = before.replicas[0];
    if (!victim) throw new Error('the volume has no replica');
    // The disk goes away without a word: the process that stands for it dies.
    await pull(platform, victim.disk);
    await written(100);
    // Nobody asks for it: the platform notices, takes in a fresh disk and copies.
    const repaired = async (): Promise<boolean> => {
      const { redundancy, replicas } = await volume();
      return redundancy === 'full' && !replicas.some((replica) => replica.id === victim.id);
    };
    await until(repaired, `the repair of ${before.name}\n${platform.logs()}`, 120_000, 500);
    await written(50);
    const after = await volume();
    expect(after.redundancy).toBe('full');
    expect(after.replicas.filter((replica) => replica.state === 'healthy')).toHaveLength(2);

    going = false;
    await writer;
    expect(failures).toEqual([]);
    let scrub = await platform.holdfast('volume', 'scrub', before.name);
    // The mirror is whole a moment before the operation that made it ends.
    const begun = async (): Promise<boolean> => {
      if (!scrub.stderr.includes('Another operation is running')) return true;
      scrub = await platform.holdfast('volume', 'scrub', before.name);
      return false;
    };
    await until(begun, 'the end of the rebuild', 60_000, 500);
    expect(scrub.code, scrub.stderr + scrub.stdout).toBe(0);
    await platform.wsgiSiteReplace(account, domain, READER);
    const sums = JSON.parse((await platform.request(domain, '/')).text) as Record<string, string>;
    for (const each of acknowledged) {
      expect(sums[String(each)]).toBe(createHash('sha256').update(bodyOf(each)).digest('hex'));
    }
  });
});

/** Answers the checksum of every file that was written. */
const READER = `
import hashlib, json, os
def application(environ, start_response):
    sums = {}
    for name in os.listdir('/home/alice/data'):
        with open('/home/alice/data/' + name, 'rb') as file:
            sums[name] = hashlib.sha256(file.read()).hexdigest()
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [json.dumps(sums).encode()]
`;

/** Kills the valve of one image disk: the processes that have its image file open. */
async function pull(platform: Platform, disk: string): Promise<void> {
  const { readdirSync, readFileSync } = await import('node:fs');
  const pids = readdirSync('/proc').filter((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      return readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0').includes(disk);
    } catch {
      return false; // Ended while we looked.
    }
  });
  if (pids.length === 0) throw new Error(`no process stands for ${disk}\n${platform.logs()}`);
  for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
}
