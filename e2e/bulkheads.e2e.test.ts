import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../src/runtime/deadline.ts';
import { isAlive, recordOf } from '../src/runtime/process-record.ts';
import { Platform, type Answer } from './platform.ts';

/** Nothing that is not on the hung volume may take longer than this. Generous: the printed table says how it really was. */
const DEADLINE_MS = 30_000;
const ROUNDS = Number(process.env['HOLDFAST_BULKHEAD_ROUNDS'] ?? 1);
/** How often each of those who wait for the hung volume tries again. */
const RETRY_MS = 10_000;

/** `/write` puts a line on the disk with fsync; everything names the process that answered. */
const WRITER = `
import os
# The server's own process, whichever worker answers: its id and when it began (proc(5), field 22).
BOOT = '%d since %s' % (os.getppid(), open('/proc/%d/stat' % os.getppid()).read().rsplit(')', 1)[1].split()[19])
def application(environ, start_response):
    try:
        if environ['PATH_INFO'] == '/write':
            with open(os.path.expanduser('~/written'), 'ab') as file:
                file.write(b'x' * 65536)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        start_response('500 Write failed', [('Content-Type', 'text/plain')])
        return [str(error).encode()]
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [BOOT.encode()]
`;

interface Member {
  username: string;
  password: string;
  api_token: string;
  volume: string;
  domain: string;
}

interface VolumeEntry {
  name: string;
  redundancy: string;
  replicas: { id: string; state: string }[];
}

interface SiteEntry {
  domain: string;
  status: { state: string; generation: number } | null;
}

/** Milliseconds of each try, by what was done. */
type Times = Map<string, number[]>;

const HUNG = 'hung1';
const WELL = ['well1', 'well2'];

describe('one volume hangs and nobody reacts', () => {
  let platform: Platform;
  const members: Member[] = [];
  const hung = (): Member[] => members.filter((member) => member.volume === HUNG);
  const well = (): Member[] => members.filter((member) => member.volume !== HUNG);

  async function valves(order: 'p' | 'r'): Promise<void> {
    for (const replica of ['r1', 'r2']) {
      await new Promise<void>((done, reject) => {
        const socket = connect(join(platform.configuration.runDirectory, 'valves', `${HUNG}.${replica}.sock`));
        socket.setTimeout(20_000, () => socket.destroy(new Error(`the valve of ${replica} does not answer`)));
        socket.once('error', reject);
        // It answers with the capital letter when the order is in force.
        socket.once('data', () => {
          socket.destroy();
          done();
        });
        socket.write(order);
      });
    }
  }

  const must = (answer: Answer, what: string): Answer => {
    if (answer.status >= 400) throw new Error(`${what}: ${answer.status} ${answer.text.slice(0, 400)}`);
    return answer;
  };

  const pages = async (member: Member, path: string, method = 'GET', body?: string): Promise<Answer> =>
    must(
      await platform.request('localhost', `/api/holdfast/${path}`, {
        method,
        deadlineMs: DEADLINE_MS,
        headers: {
          authorization: `Token ${member.api_token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/octet-stream' }),
        },
        ...(body === undefined ? {} : { body }),
      }),
      `${method} ${path}`,
    );

  const webapp = async (member: Member, verb: string): Promise<void> => {
    const path = `v0/user/${member.username}/webapps/${member.domain}/${verb}/`;
    must(await platform.api(member.api_token, path, { method: 'POST', deadlineMs: DEADLINE_MS }), verb);
  };

  const bootOf = async (member: Member, path = '/'): Promise<string> =>
    must(await platform.request(member.domain, path, { deadlineMs: DEADLINE_MS }), `${member.domain}${path}`).text;

  const time = async (times: Times, what: string, work: () => Promise<unknown>): Promise<void> => {
    const begun = performance.now();
    try {
      await work();
    } catch (error) {
      const took = Math.round(performance.now() - begun);
      throw new Error(`${what} failed after ${took} ms: ${String(error)}\n${platform.logs()}`, { cause: error });
    }
    times.set(what, [...(times.get(what) ?? []), performance.now() - begun]);
  };

  /** Everything that somebody does who has nothing to do with the hung volume. */
  async function everybodyElse(times: Times, phase: string): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      for (const member of well()) {
        const { username } = member;
        await time(times, 'sign in', async () =>
          must(
            await platform.request('localhost', '/api/holdfast/session', {
              method: 'POST',
              deadlineMs: DEADLINE_MS,
              headers: { 'content-type': 'application/json', origin: `https://localhost:${platform.httpsPort}` },
              body: JSON.stringify({ username, password: member.password }),
            }),
            'sign-in',
          ),
        );
        await time(times, 'dashboard', () => pages(member, 'dashboard'));
        await time(times, 'file listing', () => pages(member, `files?account=${username}&path=/home/${username}`));
        const file = `files/content?account=${username}&path=/home/${username}/upload-${phase}-${round}`;
        await time(times, 'upload of 256 KiB', () => pages(member, file, 'PUT', 'u'.repeat(256 * 1024)));
        for (let count = 0; count < 5; count++) await time(times, 'site request', () => bootOf(member));
        await time(times, 'site write with fsync', () => bootOf(member, '/write'));
        await time(times, 'reload', () => webapp(member, 'reload'));
        await time(times, 'switch off', () => webapp(member, 'disable'));
        await time(times, 'switch on', () => webapp(member, 'enable'));
        await time(times, 'wake', () => bootOf(member));
      }
      const [operator] = members;
      if (operator === undefined) throw new Error('there is no member');
      await time(times, 'new account', () =>
        platform.holdfastJson('account', 'create', `${phase}${round}`, '--volume', WELL[round % 2] ?? ''),
      );
      await time(times, 'operator: volumes', () => platform.holdfastJson('volume', 'list'));
      await time(times, 'operator: accounts', () => platform.holdfastJson('account', 'list'));
      await time(times, 'operator: status', async () => {
        const status = await platform.holdfast('status');
        if (status.code !== 0) throw new Error(status.stdout + status.stderr);
      });
      await time(times, 'status page', async () =>
        must(await platform.request('localhost', '/status/'), 'status page'),
      );
    }
  }

  /** Members of the hung volume who do not give up: more of everything than its pools hold. What becomes of it is not asked. */
  function press(signal: AbortSignal): Promise<unknown> {
    const rest = (milliseconds: number): Promise<void> =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        signal.addEventListener('abort', () => resolve(clearTimeout(timer)), { once: true });
      });
    const works: (() => Promise<unknown>)[] = [];
    for (const member of hung()) {
      const { username, api_token: token } = member;
      const deadlineMs = 120_000;
      const headers = { authorization: `Token ${token}` };
      const pagesOf = (path: string, options: object = {}): Promise<Answer> =>
        platform.request('localhost', `/api/holdfast/${path}`, { deadlineMs, headers, ...options });
      for (let count = 0; count < 60; count++) {
        works.push(() => platform.request(member.domain, '/write', { deadlineMs }));
      }
      for (let count = 0; count < 20; count++) {
        const file = `files/content?account=${username}&path=/home/${username}/pressing-${count}`;
        works.push(() => pagesOf(file, { method: 'PUT', body: 'p'.repeat(64 * 1024) }));
        works.push(() => pagesOf(`files?account=${username}&path=/home/${username}`));
      }
      for (let count = 0; count < 4; count++) {
        works.push(() => pagesOf('dashboard'));
        const reload = `v0/user/${username}/webapps/${member.domain}/reload/`;
        works.push(() => platform.api(token, reload, { method: 'POST', deadlineMs }));
      }
    }
    // As people do: they do not all come in the same instant, and those who are refused at once come back, but not as a flood, which would use
    // up the machine itself.
    return Promise.all(
      works.map(async (work, index) => {
        await rest((RETRY_MS * index) / works.length);
        while (!signal.aborted) {
          await work().catch(() => undefined);
          await rest(RETRY_MS);
        }
      }),
    );
  }

  function print(before: Times, pressed: Times, during: Times): void {
    const at = (values: readonly number[], share: number): string =>
      (values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0).toFixed(
        0,
      );
    const columns = (values: readonly number[]): string =>
      [at(values, 0.5), at(values, 0.99), at(values, 1)].map((text) => text.padStart(7)).join('');
    const lines = [...before].map(
      ([what, values]) =>
        `${what.padEnd(24)}${columns(values)}  |${columns(pressed.get(what) ?? [])}  |${columns(during.get(what) ?? [])}  n=${values.length}`,
    );
    const head = ['before', 'as many, none hangs', `while ${HUNG} hangs`].map((text) => text.padStart(21)).join('  |');
    const kinds = Array.from({ length: 3 }, () => '    p50    p99    max').join('  |');
    process.stdout.write(`\n${'milliseconds'.padEnd(24)}${head}\n${' '.repeat(24)}${kinds}\n${lines.join('\n')}\n`);
  }

  /** Processes of members that wait in the kernel, by what /proc/<pid>/stat says. */
  function stuck(): number {
    return platform.processes().filter((pid) => {
      try {
        return /^\d+ \(.*\) D /s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
      } catch {
        return false; // It ended meanwhile.
      }
    }).length;
  }

  beforeAll(async () => {
    platform = await Platform.make();
    platform.environment['HOLDFAST_REACTION'] = 'off';
    await platform.start();
    for (const name of [HUNG, ...WELL]) {
      const made = await platform.holdfast('volume', 'create', name, '--size', '2GiB');
      if (made.code !== 0) throw new Error(made.stderr + made.stdout + platform.logs());
    }
    for (const [volume, names] of [
      [HUNG, ['alice', 'anna', 'adam']],
      ['well1', ['bob', 'bea']],
      ['well2', ['carol']],
    ] as const) {
      for (const name of names) {
        const account = await platform.holdfastJson<Omit<Member, 'volume' | 'domain'>>(
          'account',
          'create',
          name,
          '--plan',
          'standard',
          '--volume',
          volume,
        );
        members.push({ ...account, volume, domain: await platform.wsgiSite(account, WRITER) });
      }
    }
  }, 300_000);

  afterAll(async () => {
    // Whatever failed: a volume that hangs on could not be taken down.
    if (platform !== undefined && members.length > 0) await valves('r').catch(() => undefined);
    await platform?.remove();
  }, 300_000);

  it('changes nothing for anybody else; afterwards all goes on by itself, and nothing is left', async () => {
    const before: Times = new Map();
    const pressed: Times = new Map();
    const during: Times = new Map();
    await everybodyElse(before, 'before');
    // What the same members ask for costs everybody a little also when nothing hangs.
    const calm = new AbortController();
    const asking = press(calm.signal);
    await everybodyElse(pressed, 'pressed').finally(() => calm.abort());
    await asking;

    // One is asleep, so that starts press on, too; the others are awake and stay the processes they are.
    const [sleeper, ...awake] = hung();
    if (sleeper === undefined) throw new Error('there is no member on the hung volume');
    await webapp(sleeper, 'disable');
    await webapp(sleeper, 'enable');
    await Promise.all(awake.map((member) => bootOf(member, '/write')));

    await valves('p');
    const enough = new AbortController();
    const pressing = press(enough.signal);
    try {
      await until(() => stuck() >= 2, 'programs that wait for the hung volume', 60_000, 100);
      await everybodyElse(during, 'during');
      process.stdout.write(`\n${stuck()} processes wait in the kernel for ${HUNG}\n`);
      // The kernel would have its mount wait, and then others' unmounts: it is refused, and says why.
      const made = await platform.holdfast('volume', 'create', 'fresh1', '--size', '1GiB');
      expect(made.code, made.stderr + made.stdout + platform.logs()).not.toBe(0);
      expect(made.stderr).toMatch(/does not answer/);
    } finally {
      enough.abort();
      await valves('r');
    }
    print(before, pressed, during);
    await pressing;

    await until(
      async () =>
        (
          await Promise.all(hung().map(async (member) => (await platform.request(member.domain, '/write')).status))
        ).every((status) => status === 200),
      `the sites of ${HUNG} answering again\n${platform.logs()}`,
      120_000,
      250,
    );
    const sites = await platform.holdfastJson<SiteEntry[]>('site', 'list');
    for (const member of hung())
      expect(sites.find((site) => site.domain === member.domain)?.status?.state).toBe('awake');
    await until(() => stuck() === 0, 'the end of everything that waited', 60_000, 100);
    expect(readdirSync(join(platform.configuration.runDirectory, 'held'))).toEqual([]);
    const made = await platform.holdfast('volume', 'create', 'fresh1', '--size', '1GiB');
    expect(made.code, made.stderr + made.stdout + platform.logs()).toBe(0);
    await until(
      async () =>
        (await platform.holdfastJson<VolumeEntry[]>('volume', 'list')).every((volume) => volume.redundancy === 'full'),
      'full redundancy everywhere: nobody reacted, so nothing was cut',
      60_000,
      500,
    );
  }, 900_000);

  it('restarts none that only waits', async () => {
    const boots = await Promise.all(hung().map((member) => bootOf(member)));
    await valves('p');
    const requests = hung().flatMap((member) =>
      Array.from({ length: 200 }, () => platform.request(member.domain, '/write', { deadlineMs: 240_000 })),
    );
    const settled = Promise.allSettled(requests);
    try {
      await until(() => stuck() >= 2, 'programs that wait for the hung volume', 60_000, 100);
      // Long enough for several looks at everything, and for what is refused to be refused.
      for (let round = 0; round < 20; round++) for (const member of well()) await bootOf(member, '/write');
    } finally {
      await valves('r');
    }
    const answers = await settled;
    // Those that found a place waited and were answered; those beyond what a server can hold were told so at once.
    const statuses = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.status : 0));
    expect([...new Set(statuses)].filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(hung().length * 50);
    await until(
      async () =>
        (await Promise.all(hung().map(async (member) => (await platform.request(member.domain, '/')).status))).every(
          (status) => status === 200,
        ),
      'the sites answering again',
      60_000,
      250,
    );
    expect(await Promise.all(hung().map((member) => bootOf(member)))).toEqual(boots);
  }, 600_000);

  it('shows the public status page with the agent and the control plane dead', async () => {
    // Stopped, their parent would start them again at once: it is held still meanwhile.
    const supervisor = platform.pidOf('supervisor');
    process.kill(supervisor, 'SIGSTOP');
    try {
      for (const name of ['agent', 'control'] as const) {
        const record = recordOf(platform.pidOf(name));
        process.kill(platform.pidOf(name), 'SIGKILL');
        await until(() => record === undefined || !isAlive(record), `the end of ${name}`, 20_000);
      }
      const page = await platform.request('localhost', '/status/', { deadlineMs: DEADLINE_MS });
      expect(page.status).toBe(200);
      expect(page.text).toContain(`Storage ${HUNG}`);
      const summary = await platform.request('localhost', '/status/api/v2/summary.json', { deadlineMs: DEADLINE_MS });
      expect(JSON.parse(summary.text)).toMatchObject({ page: { name: 'localhost' }, scheduled_maintenances: [] });
    } finally {
      process.kill(supervisor, 'SIGCONT');
    }
    await until(async () => (await platform.holdfast('status')).code === 0, 'the return of the platform', 120_000, 250);
  }, 300_000);
});
