import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AccountSpec, SiteSpec } from '../../protocol/sites.ts';
import { SOURCE_DIRECTORY } from '../../runtime/config.ts';
import { createPrograms, type Programs } from './programs.ts';
import { createSandboxes, SFTP_SERVER, type Sandboxes } from './sandbox.ts';
import { deniedCalls } from './seccomp.ts';
import { accepts } from './sites/sockets.ts';
import { ask, logOf, openTestGround, siteSpec, type TestGround } from './test-ground.ts';

const SLOW = 60_000;

let ground: TestGround;
let sandboxes: Sandboxes;
let programs: Programs;
let alice: AccountSpec;
let bob: AccountSpec;
let bobsSite: SiteSpec;
let alicesSite: SiteSpec;

beforeAll(async () => {
  ground = await openTestGround();
  alice = await ground.account('alice', { memoryBytes: 128 * 1024 ** 2, processes: 32 });
  bob = await ground.account('bob');
  sandboxes = createSandboxes(ground.context);
  programs = createPrograms(ground.context, ground.storage);
  await programs.start();
  bobsSite = siteSpec(bob, 'bob.localhost');
  // A site of alice's that runs whatever Python it is sent: the tries below are made from a site, and from a job.
  alicesSite = siteSpec(alice, 'alice.localhost');
  await ground.write(bob, '/home/bob/secret.txt', 'the secret of bob');
  await ground.write(
    bob,
    '/var/www/bob_localhost_wsgi.py',
    'import sys\nprint("the log of bob", file=sys.stderr)\ndef application(e, s):\n    s("200 OK", [])\n    return [b"bob"]\n',
  );
  await ground.write(
    alice,
    '/var/www/alice_localhost_wsgi.py',
    'import json\ndef application(e, s):\n    s("200 OK", [])\n    names = {}\n    exec(e["wsgi.input"].read(int(e.get("CONTENT_LENGTH") or 0)).decode(), names)\n    return [json.dumps(names.get("result")).encode()]\n',
  );
  await programs.sync([alice, bob], [alicesSite, bobsSite]);
  await programs.wakeDomain('bob.localhost');
  await programs.wakeDomain('alice.localhost');
}, SLOW);

afterAll(async () => {
  await programs.stop('stop');
  await ground.close();
}, SLOW);

/** Runs Python in a throw-away sandbox of alice; the value of `result` comes back. */
async function inside(python: string): Promise<unknown> {
  const { home } = { home: ground.storage.homeOf('alice') };
  const done = await sandboxes.run(
    { account: alice, home, command: ['/usr/bin/python3', '-c', `${python}\nimport json; print(json.dumps(result))`] },
    { deadlineMs: 20_000 },
  );
  if (done.code !== 0) throw new Error(`code ${done.code}: ${done.stderr}`);
  return JSON.parse(done.stdout);
}

/** The same from alice's site. */
async function fromSite(python: string): Promise<unknown> {
  const answer = await ask(ground.context, alicesSite, '/', { method: 'POST', body: python });
  if (answer.status !== 200) throw new Error(await logOf(ground.context, alicesSite, 'error'));
  return JSON.parse(answer.body);
}

describe.each([
  ['a job', (python: string) => inside(python)],
  ['a site', (python: string) => fromSite(python)],
])('from %s of alice', (_name, run) => {
  test('bob, the platform and the machine have no files', async () => {
    const volumes = ground.context.layout.volumes;
    const paths = [
      '/home/bob', '/home/bob/secret.txt', '/root', '/boot', '/srv', '/mnt', '/media', '/sys', '/run', '/var/lib', '/etc/shadow', '/etc/ssh',
      join(volumes, 'v1/bob/home/secret.txt'), ground.context.configuration.home, ground.context.configuration.runDirectory,
      SOURCE_DIRECTORY, '/sys/fs/cgroup', '/proc/1/root/etc', '/proc/1/cwd',
    ]; // prettier-ignore
    const result = await run(
      `import os\nresult = [p for p in ${JSON.stringify(paths)} if os.path.lexists(p) and os.access(p, os.R_OK)]`,
    );
    expect(result).toEqual([]);
    expect(await run('import os\nresult = sorted(os.listdir("/home"))')).toEqual(['alice']);
    expect(await run('import os\nresult = sorted(os.listdir("/"))')).toEqual(
      ['bin', 'dev', 'etc', 'home', 'lib', 'lib32', 'lib64', 'opt', 'proc', 'sbin', 'tmp', 'usr', 'var'],
    ); // prettier-ignore
  });

  test('nothing outside home, /tmp and /var/www can be written to', async () => {
    const result = await run(`
import os
result = []
for directory in ["/", "/etc", "/usr", "/usr/bin", "/usr/local", "/var", "/var/log", "/opt/holdfast", "/home", "/dev", "/etc/ssl", "/proc/sys/kernel"]:
    try:
        with open(directory + "/x", "w"):
            result.append(directory)
    except OSError:
        pass
for directory in ["/home/alice", "/tmp", "/var/www", "/dev/shm", "/var/tmp"]:
    with open(directory + "/x", "w"):
        os.unlink(directory + "/x")
`);
    expect(result).toEqual([]);
  });

  test("bob's processes cannot be seen or signalled", async () => {
    const pids = [...(await ground.processesOf(bobsSite)), process.pid];
    expect(pids.length).toBeGreaterThan(1);
    const result = await run(`
import os
result = []
for pid in ${JSON.stringify(pids)}:
    try:
        os.kill(pid, 0)
        result.append(pid)
    except ProcessLookupError:
        pass
for pid in os.listdir("/proc"):
    if pid.isdigit() and os.stat("/proc/" + pid).st_uid not in (os.getuid(), 0):
        result.append(pid)
`);
    expect(result).toEqual([]);
    expect(await run('result = open("/proc/1/cmdline").read()')).not.toContain(ground.context.configuration.home);
  });

  test("bob's sockets and the platform's cannot be reached", async () => {
    const { layout } = ground.context;
    const paths = [
      '/var/sockets/bob.localhost/app.sock', join(layout.sites, bobsSite.id, 'current', 'app.sock'), layout.agentSocket,
      layout.controlSocket, join(layout.wakeDirectory, 'wake.sock'),
    ]; // prettier-ignore
    const result = await run(`
import socket
result = []
for path in ${JSON.stringify(paths)}:
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        result.append(path)
    except OSError:
        pass
`);
    expect(result).toEqual([]);
  });

  test('only the own logs are there, and only to read', async () => {
    expect(await logOf(ground.context, bobsSite, 'error')).toContain('the log of bob');
    expect(await run('import os\nresult = sorted(os.listdir("/var/log"))')).toEqual([
      'alice.localhost.error.log',
      'alice.localhost.server.log',
    ]);
    expect(
      await run('import os\nresult = [os.access("/var/log/" + n, os.W_OK) for n in os.listdir("/var/log")]'),
    ).not.toContain(true);
  });

  test('dangerous system calls are refused', async () => {
    const denied = deniedCalls(process.arch === 'arm64' ? 'arm64' : 'x64');
    const result = (await run(`
import ctypes, json
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    ctypes.set_errno(0)
    return [libc.syscall(*(ctypes.c_long(a) for a in arguments)), ctypes.get_errno()]
result = {}
for name, number in json.loads('${JSON.stringify([...denied])}'):
    result[name] = call(number, 0, 0, 0, 0, 0, 0)
import platform
x86 = platform.machine() == "x86_64"
result["clone NEWUSER"] = call(56 if x86 else 220, 0x10000000 | 17, 0, 0, 0, 0)
result["clone NEWNS"] = call(56 if x86 else 220, 0x00020000 | 17, 0, 0, 0, 0)
result["personality"] = call(135 if x86 else 92, 0x0040000)
result["ioctl TIOCSTI"] = call(16 if x86 else 29, 0, 0x5412, 0)
result["ioctl TIOCSTI with high bits"] = call(16 if x86 else 29, 0, 0x5412 | (1 << 32), 0)
result["clone3"] = call(435, 0, 0)
result["io_uring_setup"] = call(425, 1, 0)
result["vsock"] = call(41 if x86 else 198, 40, 1, 0)
if x86:
    result["x32 getpid"] = call(0x40000000 | 39)
`)) as Record<string, [number, number]>;
    const expected: Record<string, number> = { clone3: 38, io_uring_setup: 38, vsock: 97, 'x32 getpid': 38 };
    for (const [name, [value, errno]] of Object.entries(result)) {
      expect({ name, value, errno }).toEqual({ name, value: -1, errno: expected[name] ?? 1 });
    }
  });

  test('no rights can be gained', async () => {
    const result = await run(`
import os, shutil, subprocess
result = {}
for name, attempt in dict(setuid=lambda: os.setuid(0), setgid=lambda: os.setgid(0), groups=lambda: os.setgroups([0]),
        chroot=lambda: os.chroot("/tmp"), device=lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(8, 0)), nice=lambda: os.nice(-5)).items():
    try:
        attempt()
        result[name] = "done"
    except OSError as error:
        result[name] = error.errno
shutil.copy("/usr/bin/id", "/tmp/id")
os.chmod("/tmp/id", 0o6755)
result["suid"] = subprocess.run(["/tmp/id", "-u"], capture_output=True, text=True).stdout.strip() == str(os.getuid())
os.unlink("/tmp/id")
status = open("/proc/self/status").read()
result["status"] = [line for line in status.split("\\n") if line.startswith(("Cap", "NoNewPrivs", "Seccomp:"))]
result["disks"] = [name for name in os.listdir("/dev") if name not in
    "core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero mqueue".split()]
`);
    const none = '0000000000000000';
    expect(result).toEqual({
      setuid: 1,
      setgid: 1,
      groups: 1,
      chroot: 1,
      device: 1,
      nice: 1,
      suid: true,
      status: [
        ...['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((name) => `${name}:\t${none}`),
        'NoNewPrivs:\t1',
        'Seccomp:\t2',
      ],
      disks: [],
    });
  });

  test('processes are bounded', async () => {
    const count = (await run(`
import os, signal
children = []
try:
    while len(children) < 200:
        pid = os.fork()
        if pid == 0:
            signal.pause()
        children.append(pid)
except BlockingIOError:
    pass
result = len(children)
for pid in children:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
`)) as number;
    expect(count).toBeGreaterThan(10);
    expect(count).toBeLessThan(32);
  });
});

test('a program that fills its memory is killed, and nobody else', async () => {
  const home = ground.storage.homeOf('alice');
  const done = await sandboxes.run(
    { account: alice, home, command: ['/usr/bin/python3', '-c', 'x = bytearray(300_000_000)'] },
    { deadlineMs: 20_000 },
  );
  expect(done.code).toBe(137);
  expect((await ask(ground.context, bobsSite, '/')).body).toBe('bob');
  expect(await fromSite('result = 1')).toBe(1);
});

test("a site's socket directory holds a socket, not the platform's run directory", async () => {
  const result = await fromSite(`
result = 0
try:
    with open("/var/sockets/alice.localhost/big", "wb", 0) as file:
        while result < 10_000_000:
            result += file.write(b"x" * 4096)
except OSError as error:
    import errno
    assert error.errno == errno.ENOSPC
`);
  expect(result).toBeLessThan(100_000);
});

test('a link in the place of a socket leads nowhere from outside', async () => {
  const socketOf = (site: SiteSpec): string => join(ground.context.layout.sites, site.id, 'current', 'app.sock');
  const target = await realpath(socketOf(bobsSite));
  await fromSite(`
import os
os.symlink("${target}", "/var/sockets/alice.localhost/link.sock")
os.rename("/var/sockets/alice.localhost/app.sock", "/var/sockets/alice.localhost/kept.sock")
os.symlink("${target}", "/var/sockets/alice.localhost/app.sock")
result = 1
`);
  expect(await accepts(socketOf(bobsSite), 5000)).toBe(true);
  expect(await accepts(socketOf(alicesSite), 5000)).toBe(false);
  // The gateway's next wake finds that nothing answers, and starts it anew on a socket of its own.
  expect(await programs.wakeDomain('alice.localhost')).toMatchObject({ state: 'awake', generation: 2 });
  expect(await fromSite('result = "alice"')).toBe('alice');
});

test('/dev/shm counts as memory', async () => {
  const home = ground.storage.homeOf('alice');
  const command = ['/bin/sh', '-c', 'head -c 300000000 /dev/zero > /dev/shm/x'];
  const done = await sandboxes.run({ account: alice, home, command }, { deadlineMs: 20_000 });
  expect(done.code).not.toBe(0);
});

test('nothing of a job is left, even what tried to outlive it', async () => {
  const home = ground.storage.homeOf('alice');
  const command = ['/bin/sh', '-c', 'setsid sh -c "trap \\"\\" TERM HUP; while :; do sleep 0.1; done" & echo started'];
  const done = await sandboxes.run({ account: alice, home, command }, { deadlineMs: 20_000 });
  expect(done).toMatchObject({ code: 0, stdout: 'started\n' });
  expect((await sandboxes.cgroups.list()).filter((one) => one.program.startsWith('job-'))).toEqual([]);
});

test('a job that does not end is killed at its deadline', async () => {
  const home = ground.storage.homeOf('alice');
  await expect(
    sandboxes.run({ account: alice, home, command: ['/bin/sleep', '1000'] }, { deadlineMs: 300 }),
  ).rejects.toMatchObject({ code: 'deadline-passed' });
  expect((await sandboxes.cgroups.list()).filter((one) => one.program.startsWith('job-'))).toEqual([]);
});

test('a job inherits no descriptor and no variable of the agent', async () => {
  process.env['HOLDFAST_TEST_SECRET'] = 'secret';
  try {
    expect(await inside('import os\nresult = sorted(os.listdir("/proc/self/fd"))[:-1]')).toEqual(['0', '1', '2']);
    expect(await inside('import os\nresult = "HOLDFAST_TEST_SECRET" in os.environ')).toBe(false);
  } finally {
    delete process.env['HOLDFAST_TEST_SECRET'];
  }
});

test('names of the platform resolve to this machine, and time is UTC', async () => {
  expect(
    await inside(
      'import socket, time\nresult = [socket.gethostbyname("localhost"), socket.gethostbyname("www.localhost"), time.tzname[0]]',
    ),
  ).toEqual(['127.0.0.1', '127.0.0.1', 'UTC']);
});

test('the locales that programs set are there', async () => {
  const wanted = ['de_DE.UTF-8', 'en_US.UTF-8', 'fr_FR.UTF-8', 'ja_JP.UTF-8', 'pt_BR.UTF-8', 'de_DE', 'C.UTF-8'];
  expect(
    await inside(
      `import locale\nresult = [locale.setlocale(locale.LC_ALL, name) for name in ${JSON.stringify(wanted)}]`,
    ),
  ).toEqual(wanted);
});

test.skipIf(!existsSync(SFTP_SERVER[0]!))('sftp-server answers the protocol as the account', async () => {
  const home = ground.storage.homeOf('alice');
  // SSH_FXP_INIT, version 3 (draft-ietf-secsh-filexfer-02).
  const child = await sandboxes.spawn({ account: alice, home, program: 'files', command: SFTP_SERVER }, [
    'pipe',
    'pipe',
    'pipe',
  ]);
  try {
    child.stdin!.write(Buffer.from([0, 0, 0, 5, 1, 0, 0, 0, 3]));
    const answer = await new Promise<Buffer>((resolve) => child.stdout!.once('data', resolve));
    expect(answer[4]).toBe(2);
  } finally {
    await sandboxes.end('alice', 'files');
  }
});
