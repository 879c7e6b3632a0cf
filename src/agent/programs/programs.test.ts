import { spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCgroups } from './cgroups.ts';
import { etcFiles } from './etc.ts';
import { MemberPath } from '../member-path.ts';
import { launchOf, virtualenvPath } from './sites/launch.ts';
import { frontConfiguration } from './sites/static-server.ts';
import { nginxTypes } from './sites/static-types.ts';
import { starterFiles } from './sites/quickstarts.ts';
import { sandboxArguments, sandboxEnvironment, type SandboxGround, type SandboxRequest } from './sandbox-arguments.ts';
import { parseUnixSockets } from './sites/sockets.ts';
import { siteSpec } from './test-ground.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp('/var/tmp/holdfast-programs-unit-');
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const account = {
  name: 'alice',
  uid: 2000100,
  volume: 'v1',
  limits: {
    diskBytes: 1, memoryBytes: 1024, sites: 1, workers: 1, cpuSecondsPerDay: 1, consoles: 1, tasks: 1, alwaysOnTasks: 1, taskSeconds: 3600, stopGraceSeconds: 2, processes: 10,
    requestTimeoutSeconds: 300, idleSleepSeconds: 0, cpuWeight: 150,
  },
}; // prettier-ignore
const root = new MemberPath('/v/alice');
const request: SandboxRequest = {
  account,
  home: { volume: 'v1', root, home: root.below('home'), tmp: root.below('tmp'), www: root.below('www') },
  program: 'site-0123456789ab-1',
  command: ['/bin/true', 'an argument'],
  socket: { domain: 'alice.localhost', directory: '/run/s/0123456789ab/1' },
};
const sandboxGround: SandboxGround = {
  etc: '/state/etc',
  logs: '/state/logs/alice',
  shim: '/state/shim',
  caBundle: undefined,
  procsFiles: ['/cgroup/memory/x/cgroup.procs', '/cgroup/pids/x/cgroup.procs'],
  firstDescriptor: 5,
  inherited: [],
  domain: 'holdfast.test',
  httpsPort: 8443,
};

describe('the chain of a sandbox', () => {
  const { argv, options } = sandboxArguments(request, sandboxGround);

  test('joins its cgroups, then makes the sandbox, then gives up root, then runs the command', () => {
    const order = [
      '/cgroup/memory/x/cgroup.procs',
      '/cgroup/pids/x/cgroup.procs',
      '/usr/bin/bwrap',
      '/usr/bin/setpriv',
      '/bin/true',
    ];
    const places = order.map((one) => argv.indexOf(one));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places).not.toContain(-1);
    expect(argv.slice(-2)).toEqual(['/bin/true', 'an argument']);
    expect(argv.join(' ')).toContain('--reuid 2000100 --regid 2000100 --clear-groups');
  });

  test('binds the directories of this account and a read-only system, nothing else', () => {
    const sources: [string, string, string][] = [];
    options.forEach((option, index) => {
      if (/^--(ro-)?bind(-try)?$/.test(option)) sources.push([option, options[index + 1]!, options[index + 2]!]);
    });
    const writable = sources.filter(([kind]) => kind === '--bind').map(([, from, to]) => [from, to]);
    expect(writable).toEqual([
      ['/v/alice/home', '/home/alice'],
      ['/v/alice/tmp', '/tmp'],
      ['/v/alice/www', '/var/www'],
      ['/run/s/0123456789ab/1', '/var/sockets/alice.localhost'],
    ]);
    const others = sources.filter(([kind]) => kind !== '--bind').map(([, from]) => from);
    expect(others).toEqual([
      '/usr', '/state/etc', '/etc/ssl', '/etc/alternatives', '/etc/python3', '/etc/ld.so.cache', '/state/shim', '/state/logs/alice',
    ]); // prettier-ignore
  });

  test('shows no path of the platform in the command line that is readable inside', () => {
    const visible = argv.slice(argv.indexOf('/usr/bin/bwrap')).join(' ');
    expect(visible).not.toMatch(/\/state|\/v\/|\/run\//);
  });

  test('closes what the agent inherited, which needs bash', () => {
    const other = sandboxArguments(request, { ...sandboxGround, inherited: [12, 250] });
    expect(other.argv[0]).toBe('/bin/bash');
    expect(other.argv[3]).toBe('12 250');
  });
});

test('the environment is clean, and names the authority when there is one', () => {
  const without = sandboxEnvironment(request, sandboxGround);
  expect(without).toMatchObject({
    HOME: '/home/alice',
    PYTHONANYWHERE_SITE: 'www.holdfast.test:8443',
    DOMAIN_SOCKET: '/var/sockets/alice.localhost/app.sock',
  });
  expect(without).not.toHaveProperty('TZ');
  expect(without).not.toHaveProperty('SSL_CERT_FILE');
  const trusted = sandboxEnvironment(request, { ...sandboxGround, caBundle: '/state/bundle.pem' });
  expect(trusted).toMatchObject({
    SSL_CERT_FILE: '/etc/holdfast-ca-bundle.pem',
    REQUESTS_CA_BUNDLE: '/etc/holdfast-ca-bundle.pem',
  });
});

test('/etc names the account and nobody else', () => {
  const files = etcFiles(account, 'holdfast.test');
  expect(files['passwd']?.split('\n').map((line) => line.split(':')[0])).toEqual(['root', 'alice', 'nobody', '']);
  expect(files['hosts']).toContain('127.0.0.1 localhost holdfast.test www.holdfast.test');
});

describe('cgroup v2, on a tree of plain files', () => {
  const limits = { memoryBytes: 1000, processes: 20, cpuWeight: 150 };
  const prepare = async (controllers = 'cpuset cpu io memory pids'): Promise<void> => {
    await writeFile(join(directory, 'cgroup.controllers'), `${controllers}\n`);
  };
  const read = async (path: string): Promise<string> => await readFile(join(directory, path), 'utf8');

  test('enables the controllers on the way down and writes the limits', async () => {
    await prepare();
    const cgroups = createCgroups('abcd0123', directory);
    expect(cgroups.version).toBe('v2');
    const files = await cgroups.ensure('alice', 'site-1', limits);
    expect(files).toEqual([join(directory, 'holdfast/abcd0123/alice/site-1/cgroup.procs')]);
    for (const parent of ['.', 'holdfast', 'holdfast/abcd0123', 'holdfast/abcd0123/alice']) {
      expect(await read(`${parent}/cgroup.subtree_control`)).toBe('+memory +pids +cpu');
    }
    expect(await read('holdfast/abcd0123/alice/site-1/memory.max')).toBe('1000');
    expect(await read('holdfast/abcd0123/alice/site-1/pids.max')).toBe('20');
    expect(await read('holdfast/abcd0123/alice/cpu.weight')).toBe('150');
    expect(await cgroups.list()).toEqual([{ account: 'alice', program: 'site-1' }]);
  });

  test('reads figures', async () => {
    await prepare();
    const cgroups = createCgroups('abcd0123', directory);
    await cgroups.ensure('alice', 'site-1', limits);
    const group = join(directory, 'holdfast/abcd0123/alice/site-1');
    await writeFile(join(group, 'memory.current'), '4096\n');
    await writeFile(join(group, 'memory.events'), 'low 0\nmax 3\noom 2\noom_kill 1\n');
    await writeFile(join(group, 'cgroup.procs'), '11\n12\n');
    await writeFile(join(group, 'cpu.stat'), 'usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n');
    const known = { memoryBytes: 4096, memoryKills: 1, processes: 2, cpuSeconds: 2.5 };
    // Older kernels do not say the most it had.
    expect(await cgroups.usage('alice', 'site-1')).toEqual({ ...known, peakMemoryBytes: null });
    await writeFile(join(group, 'memory.peak'), '8192\n');
    expect(await cgroups.usage('alice', 'site-1')).toEqual({ ...known, peakMemoryBytes: 8192 });
    expect(await cgroups.usage('alice', 'site-2')).toBeUndefined();
  });

  test('keeps what counts beside the rest, sets it back for programs to come, too, and forgets it when asked', async () => {
    await prepare();
    const cgroups = createCgroups('abcd0123', directory);
    await cgroups.ensure('alice', 'site-1', limits);
    await cgroups.ensure('alice', 'task-7-1', limits);
    const counted = 'holdfast/abcd0123/alice.counted';
    await writeFile(join(directory, counted, 'cpu.stat'), 'usage_usec 1500000\n');
    expect(await cgroups.counted()).toMatchObject([{ account: 'alice', seconds: 1.5 }]);
    expect(await cgroups.list()).toEqual([
      { account: 'alice', program: 'site-1' },
      { account: 'alice', program: 'task-7-1' },
    ]);
    await cgroups.setBack('alice', true, 150);
    expect(await read(`${counted}/cpu.weight`)).toBe('2');
    await cgroups.ensure('alice', 'task-7-2', limits);
    expect(await read(`${counted}/cpu.weight`)).toBe('2');
    expect(await read('holdfast/abcd0123/alice/cpu.weight')).toBe('150');
    await cgroups.setBack('alice', false, 150);
    expect(await read(`${counted}/cpu.weight`)).toBe('150');
  });

  test('kills through cgroup.kill, and says so when the kernel holds a process', async () => {
    await prepare();
    const cgroups = createCgroups('abcd0123', directory);
    await cgroups.ensure('alice', 'site-1', limits);
    const group = join(directory, 'holdfast/abcd0123/alice/site-1');
    await writeFile(join(group, 'cgroup.kill'), '');
    await writeFile(join(group, 'cgroup.procs'), '11\n');
    await expect(cgroups.kill('alice', 'site-1', 50)).rejects.toMatchObject({
      code: 'deadline-passed',
      details: ['process 11'],
    });
    expect(await readFile(join(group, 'cgroup.kill'), 'utf8')).toBe('1');
    await expect(cgroups.kill('alice', 'never-made', 50)).resolves.toBeUndefined();
  });

  test('kills one by one where cgroup.kill is missing', async () => {
    await prepare();
    const cgroups = createCgroups('abcd0123', directory);
    await cgroups.ensure('alice', 'site-1', limits);
    const child = spawn('/bin/sleep', ['1000']);
    const ended = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
    await writeFile(join(directory, 'holdfast/abcd0123/alice/site-1/cgroup.procs'), `${child.pid}\n`);
    await cgroups.kill('alice', 'site-1', 50).catch(() => undefined);
    expect(await ended).toBe('SIGKILL');
  });

  test('says which controller is missing', async () => {
    await prepare('cpu io');
    expect(() => createCgroups('abcd0123', directory)).toThrow(/memory, pids/);
    await rm(join(directory, 'cgroup.controllers'));
    await mkdir(join(directory, 'memory'));
    expect(() => createCgroups('abcd0123', directory)).toThrow(/no cgroup controller/);
  });
});

test('/proc/net/unix is parsed', () => {
  const sockets = parseUnixSockets(`Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 1001 /var/sockets/a b/app.sock
0000000000000000: 00000003 00000000 00000000 0001 03 1002 /var/sockets/a b/app.sock
0000000000000000: 00000003 00000000 00000000 0001 02 1003 /x
0000000000000000: 00000003 00000000 00000000 0001 03 1004
`);
  expect(sockets).toEqual([
    { inode: '1001', path: '/var/sockets/a b/app.sock', listening: true, pending: false, connected: false },
    { inode: '1002', path: '/var/sockets/a b/app.sock', listening: false, pending: false, connected: true },
    { inode: '1003', path: '/x', listening: false, pending: true, connected: false },
  ]);
});

test('a virtualenv may be a bare name, or in the home', () => {
  expect(virtualenvPath('', 'alice')).toBe('');
  expect(virtualenvPath('mine', 'alice')).toBe('/home/alice/.virtualenvs/mine');
  expect(virtualenvPath('~/venv', 'alice')).toBe('/home/alice/venv');
  expect(virtualenvPath('/home/alice/venv/', 'alice')).toBe('/home/alice/venv');
});

test("a command's site gets no mappings, and its text is one argument", () => {
  const mapping = { id: 1, url: '/s', path: '/p' };
  const site = siteSpec(account, 'alice.localhost', { kind: 'command', command: 'a; b "c"', staticFiles: [mapping] });
  const { command, environment } = launchOf(site, account, '3.11');
  expect(command.slice(-2)).toEqual(['a; b "c"', '']);
  expect(environment).toEqual({ HOST_NAME: 'alice.localhost', FORWARDED_ALLOW_IPS: '*' });
});

test('a starter project never spills into the home itself', async () => {
  for (const sourceDirectory of ['', '/home/alice', '/home/alice/']) {
    const files = await starterFiles('flask', { domain: 'a.example', sourceDirectory }, { name: 'alice' }, 8443);
    expect(files.map((file) => file.path)).toContain('/home/alice/mysite/flask_app.py');
  }
});

test.each(['flask', 'django', 'fastapi', 'static', 'manual', 'command'] as const)(
  'the %s quickstart is filled in',
  async (quickstart) => {
    const site = { domain: 'www.alice-shop.example', sourceDirectory: '/home/alice/second' };
    const files = await starterFiles(quickstart, site, { name: 'alice' }, 8443);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      expect(file.path).toMatch(/^(\/home\/alice\/second\/|\/var\/www\/www_alice-shop_example_wsgi\.py$)/);
      expect(file.content).not.toContain('__HOLDFAST');
      if (!file.path.endsWith('.py')) continue;
      const checked = spawnSync('/usr/bin/python3', ['-c', 'import ast,sys; ast.parse(sys.stdin.read())'], {
        input: file.content,
      });
      expect(checked.stderr.toString()).toBe('');
    }
  },
);

test('a site without files or headers of its own has no nginx before its server', () => {
  const bare = siteSpec(account, 'alice.localhost');
  expect(frontConfiguration(bare, '/home/alice')).toBeUndefined();
  const header = { id: 1, url: '/', name: 'X-A', value: 'b' };
  expect(frontConfiguration({ ...bare, staticHeaders: [header] }, '/home/alice')).toContain('add_header "X-A"');
  expect(frontConfiguration({ ...bare, kind: 'command', staticHeaders: [header] }, '/home/alice')).toBeUndefined();
});

test('what a mapping says cannot become another line of the configuration', () => {
  const mapping = { id: 1, url: '/a\n}', path: '/p' };
  const site = siteSpec(account, 'alice.localhost', {
    staticFiles: [mapping, { id: 2, url: '/q"; }', path: '/x"; root /; $host\\' }],
    staticHeaders: [
      { id: 1, url: '/', name: 'X y', value: 'z' },
      { id: 2, url: '/', name: 'X', value: 'z\r\n' },
    ],
  });
  const text = frontConfiguration(site, '/home/alice') ?? '';
  expect(text).toContain(
    String.raw`location ^~ "/q\"; }/" { more_set_input_headers "Range: $range"; more_set_headers -s 405 "Allow: GET, HEAD"; alias "/x\"; root /; ${'${dollar}'}host\\/"; }`,
  );
  expect(text).not.toContain('"/a');
  expect(text).not.toContain('add_header "X');
});

test("nginx's types come from Debian's table, and what browsers need comes first", () => {
  const types = nginxTypes(
    '# comment\napplication/javascript\tjs\nimage/x-odd ODD odd2 # more\nno-type x\ntext/x;y z\n',
  );
  expect(types).toContain('  text/javascript js;\n');
  expect(types).toContain('  image/x-odd odd;\n  image/x-odd odd2;\n');
  expect(types).not.toMatch(/ js;[^]* js;/);
  expect(types).not.toContain('no-type');
  expect(types).not.toContain('y;');
});
