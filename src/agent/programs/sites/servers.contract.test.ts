import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AccountSpec, SiteSpec } from '../../../protocol/sites.ts';
import { createPrograms, type Programs } from '../programs.ts';
import { ask, openTestGround, siteSpec, type TestGround } from '../test-ground.ts';

/** Servers that members start by a command of their own, as the servers' guides say, behind the Unix socket. */
const SLOW = 120_000;

let ground: TestGround;
let programs: Programs;
let owner: AccountSpec;

const ASGI = `
import json
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    early = scope["path"] == "/early"
    body = b"please sign in" if early else json.dumps({"address": (scope.get("client") or [None])[0], "scheme": scope["scheme"]}).encode()
    await send({"type": "http.response.start", "status": 401 if early else 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
`;

const WSGI = `
import json
def app(environ, start_response):
    early = environ["PATH_INFO"] == "/early"
    facts = {"address": environ["REMOTE_ADDR"], "scheme": environ["wsgi.url_scheme"], "port": environ["SERVER_PORT"]}
    body = b"please sign in" if early else json.dumps(facts).encode()
    start_response("401 Unauthorized" if early else "200 OK", [("Content-Length", str(len(body)))])
    return [body]
`;

const TORNADO = `
import os, tornado.httpserver, tornado.ioloop, tornado.netutil, tornado.web
class Show(tornado.web.RequestHandler):
    def get(self):
        self.write({"address": self.request.remote_ip, "scheme": self.request.protocol})
@tornado.web.stream_request_body
class Early(tornado.web.RequestHandler):
    def prepare(self):
        self.set_status(401)
        self.finish("please sign in")
    def data_received(self, piece):
        pass
    def post(self):
        pass
server = tornado.httpserver.HTTPServer(tornado.web.Application([("/", Show), ("/early", Early)]), max_body_size=30_000_000)
server.add_socket(tornado.netutil.bind_unix_socket(os.environ["DOMAIN_SOCKET"]))
tornado.ioloop.IOLoop.current().start()
`;

const SERVERS: readonly { name: string; command: string }[] = [
  { name: 'uvicorn', command: 'uvicorn --uds $DOMAIN_SOCKET asgi:app' },
  {
    name: 'uvicorn of pure Python',
    command: 'uvicorn --http h11 --loop asyncio --uds $DOMAIN_SOCKET asgi:app',
  },
  { name: 'gunicorn', command: 'gunicorn -b unix:$DOMAIN_SOCKET wsgi:app' },
  {
    name: 'gunicorn with threads',
    command: 'gunicorn -k gthread --threads 4 -b unix:$DOMAIN_SOCKET wsgi:app',
  },
  {
    name: "gunicorn with uvicorn's workers",
    command: 'gunicorn -k uvicorn.workers.UvicornWorker -b unix:$DOMAIN_SOCKET asgi:app',
  },
  { name: 'hypercorn', command: 'hypercorn -b unix:$DOMAIN_SOCKET asgi:app' },
  { name: 'daphne', command: 'daphne -u $DOMAIN_SOCKET asgi:app' },
  { name: 'waitress', command: 'waitress-serve --unix-socket=$DOMAIN_SOCKET wsgi:app' },
  { name: 'tornado', command: 'python3 tornado_app.py' },
];

beforeAll(async () => {
  ground = await openTestGround();
  programs = createPrograms(ground.context, ground.storage, { lookEveryMs: 100 });
  await programs.start();
  owner = await ground.account('servers');
  await programs.sync([owner], []);
  await ground.write(owner, '/home/servers/asgi.py', ASGI);
  await ground.write(owner, '/home/servers/wsgi.py', WSGI);
  await ground.write(owner, '/home/servers/tornado_app.py', TORNADO);
}, SLOW);

afterAll(async () => {
  await programs.stop('stop');
  await ground.close();
}, SLOW);

/** Sends a long body after its head, as the gateway does: all of it, whatever comes back. Resolves with the answer once it is whole. */
async function upload(site: SiteSpec, path: string, bytes: number, ending = 'please sign in'): Promise<string> {
  const socketPath = join(ground.context.layout.sites, site.id, 'current', 'app.sock');
  return await new Promise((resolve, reject) => {
    let answer = '';
    // nginx goes on sending, too, when the other side says that it will not.
    const socket = connect({ path: socketPath, allowHalfOpen: true }, () => {
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: ${site.domain}\r\nX-Real-IP: 198.51.100.7\r\nX-Forwarded-Proto: https\r\nContent-Length: ${bytes}\r\n\r\n`,
      );
      setImmediate(() =>
        // Only when all of it is written the answer counts: the gateway gives up at the first byte it cannot send.
        socket.write(Buffer.alloc(bytes), (error) => {
          if (error) reject(error);
          else if (answer.includes(ending)) done();
          else socket.on('data', () => answer.includes(ending) && done());
        }),
      );
    });
    const done = (): void => {
      resolve(answer);
      socket.destroy();
    };
    socket.setTimeout(30_000, () => socket.destroy(new Error('no answer within 30 s')));
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    socket.on('error', reject);
    socket.on('end', () => answer.includes(ending) || reject(new Error(`it ended after: ${answer}`)));
  });
}

describe.each(SERVERS)('$name', ({ name, command }) => {
  let site: SiteSpec;

  beforeAll(async () => {
    site = siteSpec(owner, `${name.replaceAll(/[^a-z]/g, '')}.localhost`, { kind: 'command', command });
    await programs.handlers['sites.put'](site);
    await programs.wakeDomain(site.domain);
  }, SLOW);

  afterAll(async () => {
    await programs.handlers['sites.remove']({ id: site.id });
  }, SLOW);

  test('knows the address, the scheme and the port that the gateway says', async () => {
    const headers = {
      'x-real-ip': '198.51.100.7',
      'x-forwarded-for': '198.51.100.7',
      'x-forwarded-proto': 'https',
      'x-forwarded-port': '8443',
    };
    const answer = await ask(ground.context, site, '/', { headers });
    const facts = JSON.parse(answer.body) as Record<string, unknown>;
    expect(facts).toMatchObject({ address: '198.51.100.7', scheme: 'https' });
    if ('port' in facts) expect(facts['port']).toBe('8443');
  });

  test('lets an answer through that comes before the body was read', async () => {
    expect(await upload(site, '/early', 20_000_000)).toMatch(/^HTTP\/1\.[01] 401 [^]*please sign in$/);
  });

  // It refuses what is longer than its own limit by the length that it is told.
  test.runIf(name === 'tornado')('lets its refusal of a long body through', async () => {
    expect(await upload(site, '/', 40_000_000, '400 Bad Request')).toMatch(/^HTTP\/1\.1 400 /);
  });
});
