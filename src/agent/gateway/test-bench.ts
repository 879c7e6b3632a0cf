import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, symlink, unlink, rename } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import type { SiteSpec } from '../../protocol/sites.ts';
import { idsOf, layoutOf, readConfiguration } from '../../runtime/config.ts';
import type { AgentContext } from '../context.ts';
import { releaseSharedMount } from '../kernel/shared-mount.ts';

/** What the contract tests of the gateway stand on: an instance of its own, requests, and small sites on Unix sockets. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createTcpServer());
  const ports = await Promise.all(
    servers.map(async (server) => {
      await new Promise<void>((resolve) => server.listen(0, resolve));
      const address = server.address();
      return typeof address === 'object' && address !== null ? address.port : 0;
    }),
  );
  await Promise.all(servers.map(async (server) => await new Promise((resolve) => server.close(resolve))));
  return ports;
}

export async function testContext(): Promise<AgentContext & { remove(): Promise<void> }> {
  const home = await mkdtemp('/var/tmp/holdfast-test-');
  const [httpPort, httpsPort] = await freePorts(2);
  const configuration = readConfiguration({
    HOLDFAST_HOME: home,
    HOLDFAST_HTTP_PORT: String(httpPort),
    HOLDFAST_HTTPS_PORT: String(httpsPort),
    HOLDFAST_DOMAIN: 'holdfast.test',
  });
  await chmod(home, 0o755);
  return {
    configuration,
    layout: layoutOf(configuration),
    ids: idsOf(configuration.instance),
    log: pino({ level: process.env['HOLDFAST_LOG_LEVEL'] ?? 'silent' }),
    emit: () => undefined,
    async remove() {
      await releaseSharedMount(join(configuration.runDirectory, 's'));
      await rm(home, { recursive: true, force: true });
      await rm(configuration.runDirectory, { recursive: true, force: true });
    },
  };
}

export function siteSpec(change: Partial<SiteSpec> & { domain: string }): SiteSpec {
  return {
    id: randomBytes(6).toString('hex'),
    account: 'alice',
    kind: 'wsgi',
    enabled: true,
    pythonVersion: '3.11',
    virtualenv: '',
    sourceDirectory: '/home/alice',
    workingDirectory: '/home/alice',
    command: '',
    forceHttps: false,
    protection: null,
    staticFiles: [],
    staticHeaders: [],
    stopFirst: false,
    workers: 1,
    certificate: null,
    revision: 1,
    ...change,
  };
}

/** A stand-in for a site's process: an HTTP server on the socket where nginx looks for it. */
export async function serveSite(
  sites: string,
  id: string,
  generation: string,
  listener: RequestListener,
): Promise<Server> {
  const directory = join(sites, id, generation);
  await mkdir(directory, { recursive: true });
  await chmod(join(sites, id), 0o755);
  const socket = join(directory, 'app.sock');
  await unlink(socket).catch(() => undefined);
  const server = createServer({ maxHeaderSize: 128 * 1024 }, listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  await chmod(socket, 0o666);
  const link = join(sites, id, `current.${generation}.new`);
  await symlink(generation, link);
  await rename(link, join(sites, id, 'current'));
  return server;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Ask {
  host: string;
  path?: string;
  method?: string;
  body?: string | Buffer;
  headers?: Record<string, string>;
  tls?: boolean;
  ca?: string;
  address?: string;
}

export async function ask(context: AgentContext, options: Ask): Promise<Answer> {
  const { httpPort, httpsPort } = context.configuration;
  const common = {
    host: options.address ?? '127.0.0.1',
    port: options.tls === true ? httpsPort : httpPort,
    path: options.path ?? '/',
    method: options.method ?? 'GET',
    headers: { Host: options.host, Connection: 'close', ...options.headers },
    agent: false as const,
    maxHeaderSize: 128 * 1024,
    signal: AbortSignal.timeout(30_000),
  };
  return await new Promise((resolve, reject) => {
    const made =
      options.tls === true
        ? httpsRequest({ ...common, servername: options.host.replace(/:\d+$/, ''), ca: options.ca })
        : httpRequest(common);
    made.on('error', reject);
    made.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    made.end(options.body);
  });
}
