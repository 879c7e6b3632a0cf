import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AccountSpec, SiteSpec } from '../../../protocol/sites.ts';
import { until } from '../../../runtime/deadline.ts';
import { createPrograms, type Programs } from '../programs.ts';
import { ask, logOf, openTestGround, siteSpec, type TestAnswer, type TestGround } from '../test-ground.ts';

/** What ordinary WSGI programs do, and what their server must make of it: uWSGI with the guard of shim/holdfast_wsgi.py. */
const SLOW = 120_000;

let ground: TestGround;
let programs: Programs;
let owner: AccountSpec;
let site: SiteSpec;

const APPLICATION = `
import gzip, io, json, multiprocessing, os, subprocess, sys, tempfile, threading, time
with open("/tmp/plain", "wb") as plain_file:
    plain_file.write(b"a plain file")
imported_by, beats = os.getpid(), []
def beat():
    while True:
        beats.append(1)
        time.sleep(0.01)
threading.Thread(target=beat, daemon=True).start()

def work():
    time.sleep(60)

def pieces(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    for piece in environ["QUERY_STRING"].split(","):
        if piece == "raise":
            raise KeyError("gone wrong")
        yield piece.encode()

class Stream:
    def __init__(self, pieces):
        self.pieces = pieces
    def read(self, size=-1):
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if piece == "raise":
            raise OSError("the store went away")
        return piece.encode()
    def __iter__(self):
        return iter(self.read, b"")

def application(environ, start_response):
    path, plain = environ["PATH_INFO"], [("Content-Type", "text/plain")]
    if path == "/pieces":
        return pieces(environ, start_response)
    if path == "/exit":
        sys.exit(3)
    if path == "/fork/exit":
        if os.fork() == 0:
            sys.exit(0)
    if path == "/fork/raise":
        if os.fork() == 0:
            raise ValueError("in the child")
    if path == "/fork/return":
        os.fork()
    if path.startswith("/head/"):
        value, status = {"number": (3, "200 OK"), "break": ("a\\r\\nX-Other: b", "200 OK"), "large": ("a" * 70000, "200 OK"), "status": ("a", "abc"), "switch": ("a", "101 Switching Protocols"), "euro": ("\\u20ac", "200 OK"), "euro-status": ("a", "200 \\u20ac")}[path[6:]]
        start_response(status, plain + [("X-Value", value)])
        return [b"body"]
    if path.startswith("/stream/"):
        # What has read() is not always a file: a response of a library, a body in a store.
        start_response("200 OK", plain)
        what = path[8:]
        if what == "file":
            return open("/tmp/plain", "rb")
        if what == "text-file":
            return open("/tmp/plain")
        if what == "pipe":
            return environ["wsgi.file_wrapper"](subprocess.Popen(["echo", "from a pipe"], stdout=subprocess.PIPE).stdout)
        if what == "text":
            return environ["wsgi.file_wrapper"](io.StringIO("text"))
        if what == "rest":
            rest = tempfile.TemporaryFile()
            rest.write(b"0123456789")
            rest.seek(6)
            return environ["wsgi.file_wrapper"](rest)
        if what == "wrapped":
            return environ["wsgi.file_wrapper"](open("/tmp/plain", "rb"))
        if what == "packed":
            with gzip.open("/tmp/packed", "wb") as packed:
                packed.write(b"unpacked")
            return environ["wsgi.file_wrapper"](gzip.open("/tmp/packed", "rb"))
        return Stream(what.split(","))
    if path == "/many-lines":
        raise ValueError("one\\ntwo\\nthree")
    if path == "/unknown-length":
        start_response("200 OK", plain)
        return iter([b"one ", b"", b"two"])
    if path == "/empty":
        start_response("200 OK", plain)
        return iter([])
    if path == "/write":
        start_response("200 OK", plain)(b"one ")
        return [b"two"]
    if path == "/none":
        return None
    if path == "/text":
        start_response("200 OK", plain)
        return ["text"]
    if path == "/array":
        start_response("200 OK", plain)
        return [bytearray(b"array"), memoryview(b" and view")]
    if path == "/unstarted":
        return [b"no head"]
    if path == "/write-and-raise":
        write = start_response("200 OK", plain)
        write(b"begun")
        raise KeyError("too late")
    if path == "/hop":
        start_response("200 OK", [("Transfer-Encoding", "chunked"), ("Connection", "keep-alive"), ("Keep-Alive", "timeout=5"), ("X-Own", "kept")])
        return [b"plain"]
    if path == "/early/list":
        start_response("401 Unauthorized", plain)
        return [b"please sign in"]
    if path == "/early/generator":
        def body():
            yield b"please sign in"
        start_response("401 Unauthorized", plain)
        return body()
    if path == "/early/raise":
        raise KeyError("no session")
    if path == "/late":
        # Reads its input while it answers: that must not be taken away from it.
        def body():
            while True:
                piece = environ["wsgi.input"].read(65536)
                if not piece:
                    return
                yield b"%d\\n" % len(piece)
        start_response("200 OK", plain)
        return body()
    start_response("200 OK", plain)
    if path == "/leave/system":
        os.system("sleep 60 &")
    elif path == "/leave/popen":
        subprocess.Popen(["sleep", "60"])
    elif path == "/leave/fork":
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    elif path == "/leave/process":
        multiprocessing.get_context("fork").Process(target=work).start()
    elif path == "/python":
        run = subprocess.run([sys.executable, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True)
        return [(run.stdout + run.stderr).encode()]
    elif path == "/spawn":
        child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(0,))
        child.start()
        child.join(20)
        return [str(child.exitcode).encode()]
    elif path == "/header":
        start_response("200 OK", plain + [("X-Long", "a" * 40000)])
    names = ("REMOTE_ADDR", "SERVER_PORT", "SERVER_NAME", "wsgi.url_scheme")
    facts = {name: environ.get(name) for name in names}
    return [json.dumps(dict(facts, pid=os.getpid(), imported_by=imported_by, beats=len(beats))).encode()]
`;

beforeAll(async () => {
  ground = await openTestGround();
  programs = createPrograms(ground.context, ground.storage, { lookEveryMs: 100 });
  await programs.start();
  owner = await ground.account('ordinary');
  site = siteSpec(owner, 'ordinary.localhost', { workers: 2 });
  await ground.write(owner, '/var/www/ordinary_localhost_wsgi.py', APPLICATION);
  await programs.sync([owner], [site]);
  await programs.wakeDomain(site.domain);
}, SLOW);

afterAll(async () => {
  await programs.stop('stop');
  await ground.close();
}, SLOW);

const get = async (path: string, headers: Record<string, string> = {}): Promise<TestAnswer> =>
  await ask(ground.context, site, path, { headers });

describe('each worker is a program of its own', () => {
  test('the application is imported by the worker that answers, so that what it opened there is not shared', async () => {
    const seen = new Set<number>();
    await until(
      async () => {
        const facts = JSON.parse((await get('/')).body) as { pid: number; imported_by: number };
        expect(facts.imported_by).toBe(facts.pid);
        seen.add(facts.pid);
        return seen.size === 2;
      },
      'answers of both workers',
      60_000,
    );
  });

  test('threads that were started at import go on between requests', async () => {
    const beats = async (): Promise<number> => (JSON.parse((await get('/')).body) as { beats: number }).beats;
    await until(async () => (await beats()) > 20, 'twenty beats', 30_000, 100);
  });
});

describe('what a view leaves behind', () => {
  test.each(['system', 'popen', 'fork', 'process'])('does not hold up its answer: %s', async (how) => {
    // `ask` gives up after 30 s; what is left behind lives for 60 s.
    expect((await get(`/leave/${how}`)).status).toBe(200);
  });

  test('sys.executable is a Python, for subprocesses and for spawn', async () => {
    expect((await get('/python')).body).toBe('(3, 11)\n');
    expect((await get('/spawn')).body).toBe('0');
  });
});

describe('a process that a view forks and that comes back from it', () => {
  test.each([
    ['exit', 'by sys.exit'],
    ['raise', 'by an exception'],
    ['return', 'by returning'],
  ])('ends there and answers nobody else: %s', async (how) => {
    const before = await workers();
    for (let round = 0; round < 4; round += 1) expect((await get(`/fork/${how}`)).status).toBe(200);
    const answers = await Promise.all(Array.from({ length: 40 }, () => get('/')));
    for (const { status, body } of answers) {
      expect(status).toBe(200);
      const facts = JSON.parse(body) as { pid: number; imported_by: number };
      expect(facts.pid).toBe(facts.imported_by);
    }
    // Nor did the server lose one of its own.
    expect(await workers()).toEqual(before);
    if (how === 'raise') expect(await logOf(ground.context, site, 'error')).toContain('ValueError: in the child');
  });

  /** The workers that answer. */
  async function workers(): Promise<Set<number>> {
    const seen = new Set<number>();
    await until(
      async () => {
        seen.add((JSON.parse((await get('/')).body) as { pid: number }).pid);
        return seen.size === 2;
      },
      'answers of both workers',
      60_000,
    );
    return seen;
  }
});

describe('the visitor', () => {
  test('has the address, the port and the scheme that the gateway says', async () => {
    const { body } = await get('/', {
      'x-real-ip': '198.51.100.7',
      'x-forwarded-proto': 'https',
      'x-forwarded-port': '443',
    });
    expect(JSON.parse(body)).toMatchObject({
      REMOTE_ADDR: '198.51.100.7',
      SERVER_PORT: '443',
      SERVER_NAME: 'ordinary.localhost',
      'wsgi.url_scheme': 'https',
    });
  });
});

describe('answers that are not by the book', () => {
  test('a header that speaks of one connection is left out', async () => {
    const answer = await get('/hop');
    expect(answer).toMatchObject({ status: 200, body: 'plain', headers: { 'x-own': 'kept' } });
    for (const name of ['transfer-encoding', 'keep-alive']) expect(answer.headers[name]).toBeUndefined();
  });

  test.each([
    ['a generator that raises before its first piece', '/pieces?,raise', "KeyError: 'gone wrong'"],
    ['SystemExit in a view', '/exit', 'SystemExit: 3'],
    ['text instead of bytes', '/text', 'TypeError: a WSGI application has to answer with bytes, and this one gave str'],
    ['nothing', '/none', 'TypeError: the application returned None instead of a body'],
    ['a body without a head', '/unstarted', 'RuntimeError: the application gave a body before it called'],
  ])('%s is a 500 with a line in the error log', async (_, path, line) => {
    const answer = await get(path);
    expect(answer).toMatchObject({ status: 500, body: expect.stringContaining('Something went wrong') as string });
    expect(await logOf(ground.context, site, 'error')).toContain(line);
  });

  test('an error in the midst of an answer breaks it off and is in the error log', async () => {
    const before = (await logOf(ground.context, site, 'error')).split('gone wrong').length;
    await get('/pieces?one,raise').catch(() => undefined);
    expect((await logOf(ground.context, site, 'error')).split('gone wrong').length).toBeGreaterThan(before);
    await get('/write-and-raise').catch(() => undefined);
    expect(await logOf(ground.context, site, 'error')).toContain("KeyError: 'too late'");
    expect((await get('/')).status).toBe(200);
  });

  test('half an answer whose length nobody knows is not taken for a whole one', async () => {
    await expect(get('/pieces?one,two,raise')).rejects.toThrow(/aborted|ECONNRESET|hang up/);
    await expect(get('/write-and-raise')).rejects.toThrow(/aborted|ECONNRESET|hang up/);
    expect((await get('/unknown-length')).body).toBe('one two');
    expect((await get('/write')).body).toBe('one two');
    expect(await get('/empty')).toMatchObject({ status: 200, body: '', headers: { 'content-length': '0' } });
    const head = await ask(ground.context, site, '/unknown-length', { method: 'HEAD' });
    expect([head.status, head.headers['transfer-encoding']]).toEqual([200, undefined]);
  });

  test.each([
    ['number', 'TypeError: the value of the header X-Value has to be a str, and 3 is of the type int'],
    ['break', 'ValueError: the value of the header X-Value holds a line break'],
    ['large', 'the largest is X-Value with 70000'],
    ['status', "ValueError: 'abc' cannot be a status"],
    ['switch', 'cannot answer with the status'],
    ['euro', 'the value of the header X-Value has signs that cannot stand in it'],
    ['euro-status', 'has signs that cannot stand in the head of an answer'],
  ])('a head that cannot be sent is a 500, and the error log says why: %s', async (what, line) => {
    expect(await get(`/head/${what}`)).toMatchObject({
      status: 500,
      body: expect.stringContaining('Something went wrong') as string,
    });
    expect(await logOf(ground.context, site, 'error')).toContain(line);
  });

  test('what can be read but is no plain file comes whole, from where it stands, or is seen to be broken', async () => {
    expect((await get('/stream/one,two')).body).toBe('onetwo');
    expect((await get('/stream/file')).body).toBe('a plain file');
    expect((await get('/stream/wrapped')).body).toBe('a plain file');
    expect((await get('/stream/pipe')).body).toBe('from a pipe\n');
    expect((await get('/stream/rest')).body).toBe('6789');
    expect((await get('/stream/packed')).body).toBe('unpacked');
    await expect(get('/stream/one,two,raise')).rejects.toThrow(/aborted|ECONNRESET|hang up/);
    for (const what of ['raise', 'text', 'text-file']) expect((await get(`/stream/${what}`)).status).toBe(500);
    const log = await logOf(ground.context, site, 'error');
    expect(log).toContain('OSError: the store went away');
    expect(log).toContain('TypeError: a WSGI application has to answer with bytes, and this one gave str');
  });

  test('the summary of an exception is its first line', async () => {
    await get('/many-lines');
    expect(await logOf(ground.context, site, 'error')).toMatch(/\d: ValueError: one\n/);
  });

  test('a request with a thousand small headers is answered', async () => {
    const headers = Object.fromEntries(Array.from({ length: 1_000 }, (_, number) => [`x-h${number}`, 'v']));
    expect((await get('/', headers)).status).toBe(200);
  });

  test('byte arrays and views of memory are bytes', async () => {
    expect((await get('/array')).body).toBe('array and view');
  });

  test('a request with 60 KB of headers is answered', async () => {
    const headers = Object.fromEntries([1, 2, 3, 4].map((number) => [`x-piece-${number}`, 'a'.repeat(14_500)]));
    expect((await get('/', headers)).status).toBe(200);
  });
});

/** Sends a request with a long body as the gateway does, all of it whatever comes back, and returns what came back. */
async function upload(path: string, megabytes: number): Promise<string> {
  const socketPath = join(ground.context.layout.sites, site.id, 'current', 'app.sock');
  return await new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(socketPath, () => {
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: ${site.domain}\r\nConnection: close\r\nContent-Length: ${megabytes * 1_000_000}\r\n\r\n`,
      );
      // Not together with the head, which the server would read in one piece with it.
      setImmediate(() => socket.write(Buffer.alloc(megabytes * 1_000_000)));
    });
    socket.setTimeout(30_000, () => socket.destroy(new Error('no end of the answer within 30 s')));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('end', () => resolve(Buffer.concat(chunks).toString('latin1')));
  });
}

describe('an answer that comes before the body was read', () => {
  test.each(['list', 'generator'])('arrives whole, and so does the request: %s', async (how) => {
    const answer = await upload(`/early/${how}`, 20);
    expect(answer).toMatch(/^HTTP\/1\.[01] 401 /);
    expect(answer).toMatch(how === 'list' ? /please sign in$/ : /please sign in\r\n0\r\n\r\n$/);
  });

  test('so does the page of a view that raises', async () => {
    expect(await upload('/early/raise', 20)).toMatch(/^HTTP\/1\.[01] 500 /);
  });

  test('an application that reads its input while it answers gets all of it', async () => {
    // In chunks: each has its length in a line before it.
    const sum = [...(await upload('/late', 2)).matchAll(/\r\n(\d+)\n\r\n/g)]
      .map(([, count]) => Number(count))
      .reduce((a, b) => a + b, 0);
    expect(sum).toBe(2_000_000);
  });
});
