import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../protocol/errors.ts';
import { until } from '../../../runtime/deadline.ts';
import { openBench, signedInBrowser, tokenClient, type Bench, type Client } from '../../testing/bench.ts';

let bench: Bench;
let alice: Client;
let token: string;

beforeEach(async () => {
  bench = await openBench();
  token = (await bench.member('alice')).apiToken;
  alice = tokenClient(bench, token);
  bench.agent.files.set('/home/alice/x.py', Buffer.from('print(1)\n'));
});
afterEach(() => bench[Symbol.asyncDispose]());

const FILES = '/api/v0/user/alice/files';

function content(text: string, name = 'content'): FormData {
  const form = new FormData();
  form.set(name, new Blob([text]), 'whatever.txt');
  return form;
}

describe('GET files/path', () => {
  it('answers the bytes as application/octet-stream, JSON files too', async () => {
    bench.agent.files.set('/home/alice/d.json', Buffer.from('{}'));
    for (const [path, body] of [
      ['/home/alice/x.py', 'print(1)\n'],
      ['/home/alice/d.json', '{}'],
    ]) {
      const answer = await alice('GET', `${FILES}/path${path}`);
      expect([answer.statusCode, answer.headers['content-type'], answer.body]).toEqual([
        200,
        'application/octet-stream',
        body,
      ]);
    }
  });

  it.each([
    ['/api/v0/user/alice//files/path/home/alice/x.py'],
    [`${FILES}/path//home/alice/x.py`],
    [`${FILES}/path/home/alice/x.py/`],
  ])('takes the path form %s', async (url) => {
    expect((await alice('GET', url)).body).toBe('print(1)\n');
  });

  it('answers a directory as an object of types and absolute URLs', async () => {
    bench.agent.files.set('/home/alice/.hidden', Buffer.from(''));
    bench.agent.files.set('/home/alice/my dir', null);
    for (const end of ['', '/']) {
      const answer = await alice('GET', `${FILES}/path/home/alice${end}`, undefined, { host: 'hold.example:8443' });
      expect(answer.headers['content-type']).toMatch(/^application\/json/);
      const base = 'https://hold.example:8443/api/v0/user/alice/files/path/home/alice';
      expect([answer.statusCode, answer.json()]).toEqual([
        200,
        {
          'x.py': { type: 'file', url: `${base}/x.py` },
          '.hidden': { type: 'file', url: `${base}/.hidden` },
          'my dir': { type: 'directory', url: `${base}/my%20dir` },
        },
      ]);
    }
  });

  it.each([['/foo'], ['/home/alice/none'], ['/home/bob/x'], ['/etc/passwd'], ['/']])(
    'answers 404 to %s',
    async (path) => {
      const answer = await alice('GET', `${FILES}/path${path}`);
      expect([answer.statusCode, answer.json()]).toEqual([404, { detail: `No such file or directory: ${path}` }]);
    },
  );

  it('never asks the agent for a path outside', async () => {
    const before = bench.agent.calls.length;
    for (const path of ['/home/alice/%2e%2e/bob/x', '/home/alice/..%2fbob', '/home/alice/a%00b', '/home/alice2/x']) {
      const answer = await alice('GET', `${FILES}/path${path}`);
      expect([400, 404]).toContain(answer.statusCode);
      expect(answer.json()).toBeTypeOf('object');
    }
    expect(bench.agent.calls.length).toBe(before);
  });

  it('answers a path that is not UTF-8 with an error', async () => {
    const answer = await alice('GET', `${FILES}/path/home/alice/%ff%fe`);
    expect(answer.statusCode).toBe(400);
  });

  it('says 503 while the storage is repaired', async () => {
    bench.agent.instead.set('files.stat', () =>
      Promise.reject(new HoldfastError('storage-repair', 'Being repaired.', { retryAfterSeconds: 5 })),
    );
    const answer = await alice('GET', `${FILES}/path/home/alice/x.py`);
    expect([answer.statusCode, answer.headers['retry-after'], answer.json()]).toEqual([
      503,
      '5',
      { detail: 'Being repaired.' },
    ]);
  });
});

describe('POST files/path', () => {
  it('answers 201 for a new file, 200 for an old one, and makes missing directories', async () => {
    const url = `${FILES}/path/home/alice/a/b/new.txt`;
    expect((await alice('POST', url, content('one'))).statusCode).toBe(201);
    expect((await alice('POST', url, content('two'))).statusCode).toBe(200);
    expect(bench.agent.files.get('/home/alice/a/b/new.txt')?.toString()).toBe('two');
    expect(bench.agent.files.get('/home/alice/a/b')).toBeNull();
  });

  it('writes the WSGI file and takes an empty file and a path with a slash at the end', async () => {
    const url = `${FILES}/path/var/www/alice_holdfast_test_wsgi.py`;
    expect((await alice('POST', url, content('application = 1'))).statusCode).toBe(201);
    expect(bench.agent.files.get('alice:/var/www/alice_holdfast_test_wsgi.py')?.toString()).toBe('application = 1');
    expect((await alice('POST', `${FILES}/path/tmp/empty/`, content(''))).statusCode).toBe(201);
    expect(bench.agent.files.get('alice:/tmp/empty')).toEqual(Buffer.alloc(0));
  });

  it('takes content without a file name, and ignores other fields', async () => {
    const form = new FormData();
    form.set('other', 'field');
    form.set('content', 'plain field');
    form.set('more', new Blob(['x']), 'y');
    expect((await alice('POST', `${FILES}/path/home/alice/n`, form)).statusCode).toBe(201);
    expect(bench.agent.files.get('/home/alice/n')?.toString()).toBe('plain field');
  });

  it.each(['../../bob/x', '/etc/passwd', '..', 'a\u0000b', '\udcff.py'])(
    'does not care what the file was called where it came from: %j',
    async (name) => {
      const form = new FormData();
      form.set('content', new Blob(['mine']), name);
      expect((await alice('POST', `${FILES}/path/home/alice/n`, form)).statusCode).toBe(201);
      expect(bench.agent.files.get('/home/alice/n')?.toString()).toBe('mine');
    },
  );

  it.each([
    ['no body', undefined, {}],
    ['another field', content('x', 'file'), {}],
    ['JSON', '{}', { 'content-type': 'application/json' }],
    ['a form', 'content=x', {}],
  ])('refuses %s', async (_name, body, headers) => {
    const answer = await alice('POST', `${FILES}/path/home/alice/n`, body, headers);
    expect([answer.statusCode, answer.json()]).toEqual([
      400,
      { detail: "You must provide a file with the name 'content'." },
    ]);
  });

  it.each([['/etc/x'], ['/home/bob/x'], ['/home/alice'], ['/home/alice/%2e%2e/bob/x']])(
    'answers 403 to %s',
    async (path) => {
      expect((await alice('POST', `${FILES}/path${path}`, content('x'))).statusCode).toBe(403);
      expect(bench.agent.files.has('/home/bob/x')).toBe(false);
    },
  );

  it('refuses more than the limit and leaves the old file whole', async () => {
    await bench.operator('PATCH', '/api/holdfast/settings', { uploadLimitBytes: 1000 });
    const answer = await alice('POST', `${FILES}/path/home/alice/x.py`, content('y'.repeat(200_000)));
    expect(answer.statusCode).toBe(413);
    expect(bench.agent.files.get('/home/alice/x.py')?.toString()).toBe('print(1)\n');
  });

  it('says so when the home is full', async () => {
    bench.agent.writeFile = (_account, _path, stream) => {
      stream.resume();
      return Promise.reject(new HoldfastError('quota-exceeded', 'Your disk is full.'));
    };
    const answer = await alice('POST', `${FILES}/path/home/alice/x.py`, content('y'.repeat(200_000)));
    expect([answer.statusCode, answer.json()]).toEqual([507, { detail: 'Your disk is full.' }]);
    expect(bench.context.fileStreams.inside('v1')).toBe(0);
  });
});

describe('transfers over a real connection', () => {
  let sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    sockets = [];
  });

  async function open(): Promise<Socket> {
    if (!bench.server.server.listening) await bench.server.listen({ port: 0, host: '127.0.0.1' });
    const socket = connect((bench.server.server.address() as AddressInfo).port, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  }

  const HEAD = '--b\r\nContent-Disposition: form-data; name="content"; filename="content"\r\n\r\n';

  function uploadHead(length: number, member = 'alice', itsToken = token): string {
    return `POST /api/v0/user/${member}/files/path/home/${member}/x.py HTTP/1.1\r\nHost: x\r\nX-Real-IP: 192.0.2.1\r\nAuthorization: Token ${itsToken}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${length}\r\n\r\n`;
  }

  it('leaves the old file whole when an upload is cut off half way', async () => {
    const socket = await open();
    let failed: Error | undefined;
    const original = bench.agent.writeFile.bind(bench.agent);
    bench.agent.writeFile = async (account, path, stream) => {
      stream.once('error', (error: Error) => (failed = error));
      return await original(account, path, stream);
    };
    socket.write(uploadHead(1_000_000) + HEAD + 'half of it');
    await until(() => bench.context.fileStreams.inside('v1') === 1, 'the upload', 20_000);
    socket.destroy();
    await until(() => bench.context.fileStreams.inside('v1') === 0, 'the end of the upload', 20_000);
    expect(failed).toBeDefined();
    expect(bench.agent.files.get('/home/alice/x.py')?.toString()).toBe('print(1)\n');
  });

  it("answers 503 when a volume's places are taken, while another volume goes on", async () => {
    const { someVolume } = await import('../../testing/memory-agent.ts');
    const neighbours: [string, string][] = [['alice', token]];
    for (const name of ['carol', 'dave']) neighbours.push([name, (await bench.member(name)).apiToken]);
    bench.agent.volumes.set('v2', someVolume('v2'));
    bench.context.world.apply({ type: 'volume', volume: someVolume('v2') });
    const { apiToken } = await bench.member('bob');
    await until(() => bench.agent.accounts.get('bob')?.volume === 'v2', 'placement on the emptier volume', 5_000);
    for (let count = 0; count < 16; count += 1) {
      const socket = await open();
      const [name, itsToken] = neighbours[count % 3] ?? ['', ''];
      socket.write(uploadHead(1_000_000, name, itsToken) + HEAD + 'slow');
    }
    await until(() => bench.context.fileStreams.inside('v1') === 16, 'sixteen uploads', 20_000);
    const carol = tokenClient(bench, neighbours[1]?.[1] ?? '');
    const refused = await carol('POST', '/api/v0/user/carol/files/path/home/carol/f', content('x'));
    expect(refused.statusCode).toBe(503);
    expect(refused.headers['retry-after']).toBeDefined();
    const bob = tokenClient(bench, apiToken);
    const form = content('fine');
    expect((await bob('POST', '/api/v0/user/bob/files/path/home/bob/f', form)).statusCode).toBe(201);
  });
});

describe('slow transfers of one member', () => {
  it('take no more than its share of the places, and others on the volume have theirs', async () => {
    const { apiToken } = await bench.member('bob');
    const stuck: (() => void)[] = [];
    const original = bench.agent.writeFile.bind(bench.agent);
    bench.agent.writeFile = async (account, path, stream) => {
      if (account === 'alice' && stuck.length < 6) await new Promise<void>((resolve) => stuck.push(resolve));
      return await original(account, path, stream);
    };
    const uploads = Array.from({ length: 6 }, (_value, index) =>
      alice('POST', `${FILES}/path/home/alice/${index}`, content('slow')),
    );
    await until(() => stuck.length === 6, 'six uploads', 20_000);
    const refused = await alice('POST', `${FILES}/path/home/alice/one-more`, content('x'));
    expect(refused.statusCode).toBe(429);
    expect(refused.headers['retry-after']).toBeDefined();
    const bob = tokenClient(bench, apiToken);
    expect((await bob('POST', '/api/v0/user/bob/files/path/home/bob/f', content('fine'))).statusCode).toBe(201);
    for (const go of stuck) go();
    expect((await Promise.all(uploads)).map((answer) => answer.statusCode)).toEqual(Array(6).fill(201));
    expect((await alice('POST', `${FILES}/path/home/alice/one-more`, content('x'))).statusCode).toBe(201);
  });
});

describe('DELETE files/path', () => {
  it('deletes files and directories with 204, also with a spurious slash', async () => {
    bench.agent.files.set('/home/alice/d', null);
    bench.agent.files.set('/home/alice/d/f', Buffer.from('x'));
    bench.agent.files.set('alice:/var/log/alice.holdfast.test.access.log.2.gz', Buffer.from('x'));
    for (const path of ['/home/alice/x.py', '/home/alice/d', '/var/log/alice.holdfast.test.access.log.2.gz/']) {
      const answer = await alice('DELETE', `${FILES}/path${path}`);
      expect([answer.statusCode, answer.body]).toEqual([204, '']);
    }
    expect(bench.agent.files.has('/home/alice/d/f')).toBe(false);
  });

  it.each([['/home/alice'], ['/home/alice/'], ['/tmp'], ['/etc/passwd'], ['/home/bob/x']])(
    'answers 403 to %s',
    async (path) => {
      const answer = await alice('DELETE', `${FILES}/path${path}`);
      expect([answer.statusCode, answer.json()]).toMatchObject([
        403,
        { message: 'You do not have permission to delete this', code: 'forbidden' },
      ]);
    },
  );

  it('answers 404 to what is not there', async () => {
    const answer = await alice('DELETE', `${FILES}/path/home/alice/none`);
    expect([answer.statusCode, answer.json()]).toMatchObject([
      404,
      { message: 'File does not exist', code: 'not_found' },
    ]);
  });
});

describe('files/tree', () => {
  it('lists absolute paths, each directory before its children', async () => {
    bench.agent.files.set('/home/alice/dir', null);
    bench.agent.files.set('/home/alice/dir/b.py', Buffer.from(''));
    const answer = await alice('GET', `${FILES}/tree/?path=/home/alice`);
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      ['/home/alice/dir/', '/home/alice/dir/b.py', '/home/alice/x.py'],
    ]);
  });

  it('lists log files', async () => {
    bench.agent.files.set('alice:/var/log/a.access.log', Buffer.from(''));
    expect((await alice('GET', `${FILES}/tree/?path=/var/log/`)).json()).toEqual(['/var/log/a.access.log']);
  });

  it.each([
    ['?path=/home/alice/x.py', { detail: '/home/alice/x.py is not a directory' }],
    ['?path=/home/alice/none', { detail: '/home/alice/none does not exist' }],
    ['?path=/home/bob', { detail: '/home/bob does not exist' }],
    ['', { detail: 'required field (path) not found' }],
  ])('answers 400 to %s', async (query, body) => {
    const answer = await alice('GET', `${FILES}/tree/${query}`);
    expect([answer.statusCode, answer.json()]).toEqual([400, body]);
  });
});

describe('files/sharing', () => {
  const url = `${FILES}/sharing/`;

  it('shares once, tells the link, ends', async () => {
    const made = await alice('POST', url, { path: '/home/alice/x.py' });
    expect([made.statusCode, made.json()]).toEqual([
      201,
      { url: expect.stringMatching(/^\/user\/alice\/shares\/[0-9a-f]+\/$/) },
    ]);
    const again = await alice('POST', url, 'path=%2Fhome%2Falice%2Fx.py');
    expect([again.statusCode, again.json()]).toEqual([200, made.json()]);
    expect((await alice('GET', `${url}?path=/home/alice/x.py`)).json()).toEqual(made.json());
    const ended = await alice('DELETE', `${url}?path=/home/alice/x.py`);
    expect([ended.statusCode, ended.body]).toEqual([204, '']);
    expect((await alice('GET', `${url}?path=/home/alice/x.py`)).statusCode).toBe(404);
    expect((await alice('DELETE', `${url}?path=/home/alice/x.py`)).statusCode).toBe(204);
  });

  it('understands paths that are not encoded', async () => {
    for (const path of ['/home/alice/c++.py', '/home/alice/a&b.txt', '/home/alice/100%.txt', '/home/alice/a b']) {
      bench.agent.files.set(path, Buffer.from(''));
      const made = await alice('POST', url, { path });
      expect((await alice('GET', `${url}?path=${path.replace(' ', '%20')}`)).json()).toEqual(made.json());
    }
  });

  it('refuses what cannot be shared', async () => {
    expect((await alice('POST', url, {})).json()).toMatchObject({ error: 'required field (path) not found' });
    expect((await alice('POST', url, { path: '/home/alice/none' })).statusCode).toBe(404);
    expect((await alice('POST', url, { path: '/home/alice' })).statusCode).toBe(400);
    expect((await alice('GET', url)).statusCode).toBe(400);
  });

  it('shows a shared file to whoever is signed in, as text that no browser runs', async () => {
    const link = (await alice('POST', url, { path: '/home/alice/x.py' })).json<{ url: string }>().url;
    await bench.member('bob');
    const bob = await signedInBrowser(bench, 'bob', "bob's long password");
    const answer = await bob.send('GET', link);
    expect([answer.statusCode, answer.headers['content-type'], answer.body]).toEqual([
      200,
      'text/plain; charset=utf-8',
      'print(1)\n',
    ]);
    expect(answer.headers['content-security-policy']).toContain('sandbox');
    const stranger = await bench.server.inject({ url: link, headers: { 'x-real-ip': '192.0.2.9' } });
    expect([stranger.statusCode, stranger.headers.location]).toEqual([
      302,
      `/sign-in?next=${encodeURIComponent(link)}`,
    ]);
    expect((await bob.send('GET', '/user/alice/shares/nonsense/')).statusCode).toBe(404);
    expect((await bob.send('GET', link.replace('/user/alice/', '/user/bob/'))).statusCode).toBe(404);
  });
});
