import { chmod, mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { mustRun } from '../../runtime/command.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { testContext } from './test-bench.ts';

vi.setConfig({ testTimeout: 180_000 });

const REFUSAL = '{"detail":"Invalid token."}';
const KIB = 1024;

/** A control plane that refuses everything before it has read it. */
describe('an answer of the API that comes before the body was read', () => {
  let context: Awaited<ReturnType<typeof testContext>>;
  let gateway: Gateway;
  let control: Server;
  let file: string;

  beforeAll(async () => {
    context = await testContext();
    gateway = createGateway(context, { wakeDomain: () => Promise.reject(new Error('There are no sites here.')) });
    await gateway.start();
    control = createServer((_request, response) => {
      response.writeHead(401, { 'content-type': 'application/json' }).end(REFUSAL);
    });
    const socket = context.layout.controlSocket;
    await mkdir(dirname(socket), { recursive: true });
    await chmod(dirname(socket), 0o755);
    await new Promise<void>((resolve) => control.listen(socket, resolve));
    await chmod(socket, 0o666);
    file = join(context.configuration.home, 'upload');
    await writeFile(file, '');
  }, 60_000);

  afterAll(async () => {
    control?.closeAllConnections();
    control?.close();
    await gateway?.stop('stop');
    await rm(dirname(context.layout.controlSocket), { recursive: true, force: true });
    await context?.remove();
  }, 60_000);

  /** Sends the file as often as that over one kind of connection. The distinct answers, each with its status. */
  async function send(path: string, bytes: number, flags: readonly string[], times: number): Promise<string[]> {
    await truncate(file, bytes);
    const { httpsPort } = context.configuration;
    const answers = new Set<string>();
    for (let count = 0; count < times; count += 1) {
      const { stdout } = await mustRun(
        '/usr/bin/curl',
        [
          '-ksS', '--max-time', '60', '-w', ' %{http_code}', '-H', 'Expect:', '-F', `content=@${file}`, ...flags,
          '--resolve', `www.holdfast.test:${httpsPort}:127.0.0.1`, `https://www.holdfast.test:${httpsPort}${path}`,
        ], // prettier-ignore
        { deadlineMs: 70_000 },
      );
      answers.add(stdout);
    }
    return [...answers];
  }

  const upload = '/api/v0/user/alice/files/path/home/alice/x';
  const form = '/api/v0/user/alice/webapps/';

  for (const [protocol, flag] of [
    ['HTTP/1.1', '--http1.1'],
    ['HTTP/2', '--http2'],
  ] as const) {
    for (const [length, more] of [
      ['with Content-Length', []],
      ['without Content-Length', ['-H', 'Transfer-Encoding: chunked']],
    ] as const) {
      it.each([
        [1, 3],
        [100, 3],
        [2 * KIB, 15],
        [20 * KIB, 10],
        [100 * KIB, 2],
      ])(`arrives whole over ${protocol} ${length}, %i KiB`, async (kib, times) => {
        expect(await send(upload, kib * KIB, [flag, ...more], times)).toEqual([`${REFUSAL} 401`]);
        if (kib > 15 * KIB) return;
        expect(await send(form, kib * KIB, [flag, ...more], times)).toEqual([`${REFUSAL} 401`]);
      });

      it(`is the API's own when nginx refuses a form over ${protocol} ${length}`, async () => {
        const [answer, ...others] = await send(form, 20 * KIB * KIB, [flag, ...more], 3);
        expect(others).toEqual([]);
        expect(answer).toMatch(/^\{"code":"too-large","message":".*","detail":".*"\} 413$/);
      });
    }
  }
});
