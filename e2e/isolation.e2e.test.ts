import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Platform } from './platform.ts';

/**
 * A site that runs what it is sent and answers the result or the error: the tries come from inside the sandbox, with
 * everything a member's own code can do.
 */
const TRY = `
import json, traceback
def application(environ, start_response):
    code = environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0)).decode()
    scope = {}
    try:
        exec(code, scope)
        answer = {'result': scope.get('result')}
    except BaseException as error:
        answer = {'error': type(error).__name__ + ': ' + str(error)}
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [json.dumps(answer, default=str).encode()]
`;

interface Outcome {
  result?: unknown;
  error?: string;
}

describe('two accounts on one platform', () => {
  let platform: Platform;
  let alice: { username: string; password: string; api_token: string };
  let bob: { username: string; password: string; api_token: string };

  beforeAll(async () => {
    platform = await Platform.make();
    await platform.start();
    alice = await platform.account('alice');
    bob = await platform.account('bob');
    await platform.wsgiSite(alice, TRY);
    await platform.wsgiSite(bob, TRY);
    await platform.writeFile(bob, '/home/bob/secret.txt', 'the secret of bob');
  });

  afterAll(async () => {
    await platform?.remove();
  });

  async function tryAs(account: string, code: string): Promise<Outcome> {
    const answer = await platform.request(`${account}.localhost`, '/', { method: 'POST', body: code });
    expect(answer.status, answer.text).toBe(200);
    return JSON.parse(answer.text) as Outcome;
  }

  it('can reach what is their own', async () => {
    expect(await tryAs('bob', "result = open('/home/bob/secret.txt').read()")).toEqual({ result: 'the secret of bob' });
    expect(
      await tryAs('alice', "open('/tmp/x', 'w').write('x'); import os; result = sorted(os.listdir('/home'))"),
    ).toEqual({
      result: ['alice'],
    });
  });

  it.each([
    ['another home', "result = open('/home/bob/secret.txt').read()"],
    [
      'another home through a symlink',
      "import os; os.path.lexists('/home/alice/l') or os.symlink('/home/bob', '/home/alice/l'); result = os.listdir('/home/alice/l')",
    ],
    ['another home through /proc/1/root', "result = open('/proc/1/root/home/bob/secret.txt').read()"],
    ['a raw disk', "result = open('/dev/loop0', 'rb').read(1)"],
    [
      'a device it makes itself',
      "import os; os.mknod('/tmp/disk', 0o60666, os.makedev(7, 0)); result = open('/tmp/disk','rb').read(1)",
    ],
    ["the kernel's memory", "result = open('/dev/mem', 'rb').read(1)"],
    [
      'a mount',
      "import ctypes, os; libc = ctypes.CDLL(None, use_errno=True); r = libc.mount(b'none', b'/tmp', b'tmpfs', 0, None); assert r == 0, os.strerror(ctypes.get_errno())",
    ],
    [
      'a namespace of its own',
      'import ctypes, os; libc = ctypes.CDLL(None, use_errno=True); r = libc.unshare(0x10000000); assert r == 0, os.strerror(ctypes.get_errno())',
    ],
    [
      'ptrace of another process',
      'import ctypes, os; libc = ctypes.CDLL(None, use_errno=True); r = libc.ptrace(16, 1, 0, 0); assert r == 0, os.strerror(ctypes.get_errno())',
    ],
    [
      'space outside its quota',
      "import fcntl, os; fcntl.ioctl(os.open('/home/alice', os.O_RDONLY), 0x5000940e, b'\\0' * 8 + b'free'.ljust(4088, b'\\0'))",
    ],
    ['root', 'import os; os.setuid(0)'],
    ['a write to the system', "open('/usr/bin/holdfast-was-here', 'w')"],
    ['a write to its own logs', "import glob; open(sorted(glob.glob('/var/log/*'))[0], 'a')"],
    ['a signal to the platform', 'import os; os.kill(1, 9) or os.kill(2**22 - 1, 0)'],
  ])('cannot get %s', async (_name, code) => {
    const outcome = await tryAs('alice', code);
    expect(outcome.error, JSON.stringify(outcome)).toBeDefined();
  });

  it("see none of the other's processes, sockets, logs or the platform's state", async () => {
    const seen = await tryAs(
      'alice',
      `
import os
commands = []
for pid in filter(str.isdigit, os.listdir('/proc')):
    try:
        commands.append(open('/proc/' + pid + '/cmdline').read())
    except OSError:
        pass
found = []
for root, directories, files in os.walk('/', followlinks=False):
    if root.startswith(('/proc', '/sys', '/usr')):
        directories[:] = []
        continue
    found.extend(os.path.join(root, name) for name in directories + files)
result = {'commands': commands, 'found': found, 'environment': dict(os.environ), 'uid': os.getuid()}
`,
    );
    const { commands, found, environment, uid } = seen.result as {
      commands: string[];
      found: string[];
      environment: Record<string, string>;
      uid: number;
    };
    expect(uid).toBeGreaterThan(100_000);
    const everything = JSON.stringify([
      commands.filter((line) => !line.startsWith('bwrap') && !line.includes('bwrap\0')),
      found,
    ]);
    expect(everything).not.toContain('bob');
    expect(found.filter((path) => path.endsWith('.sock'))).toEqual(['/var/sockets/alice.localhost/app.sock']);
    expect(found.some((path) => path.includes('control') && path.includes('holdfast'))).toBe(false);
    expect(Object.values(environment).some((value) => value.includes(platform.home))).toBe(false);
    expect(commands.join('\n')).not.toContain(platform.home);
  });

  it("cannot use the other's token, and neither can read the other's files through the API", async () => {
    const answer = await platform.api(alice.api_token, 'v0/user/bob/files/path/home/bob/secret.txt');
    expect(answer.status).toBe(403);
    const climbing = await platform.api(alice.api_token, 'v0/user/alice/files/path/home/alice/%2e%2e/bob/secret.txt');
    expect(climbing.status).toBeGreaterThanOrEqual(400);
  });

  it('are killed alone when they fill memory; the other goes on', async () => {
    await platform
      .request('alice.localhost', '/', {
        method: 'POST',
        body: 'result = len(bytearray(3 * 1024**3))',
        deadlineMs: 60_000,
      })
      .catch(() => undefined); // The connection may break: that is how the end of the worker looks from outside.
    expect(await tryAs('bob', 'result = 1 + 1')).toEqual({ result: 2 });
  });

  it('fill only their own quota', async () => {
    const full = await tryAs(
      'alice',
      "f = open('/home/alice/big', 'wb')\nfor _ in range(5000):\n    f.write(b'x' * 1024 * 1024)\n    f.flush()\n    import os; os.fsync(f.fileno())",
    );
    expect(full.error).toMatch(/Disk quota exceeded|No space left/);
    await tryAs('alice', "import os; os.remove('/home/alice/big')");
    expect(await tryAs('bob', "open('/home/bob/after', 'w').write('fine'); result = 'fine'")).toEqual({
      result: 'fine',
    });
  });
});
