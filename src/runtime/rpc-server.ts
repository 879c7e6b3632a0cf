import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { chmodSync, chownSync, rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TLSSocket } from 'node:tls';
import { agentMethods, type AgentEvent, type AgentHandlers, type AgentMethod } from '../protocol/agent.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { insteadOfSchema, memberPathSchema, type InsteadOf } from '../protocol/files.ts';
import { within } from './deadline.ts';
import type { Identity } from './identity.ts';
import type { Logger } from './log.ts';

/** An address of an agent: a Unix socket on this machine, or a TCP port for other hosts. */
export type RpcAddress = { socketPath: string } | { host: string; port: number };

export interface RpcServerOptions {
  address: RpcAddress;
  /** For a Unix socket: the group that may connect, beside root. */
  groupId?: number;
  identity: Identity;
  log: Logger;
  handlers: AgentHandlers;
  readFile(account: string, path: string): Promise<{ size: number; stream: NodeJS.ReadableStream }>;
  writeFile(
    account: string,
    path: string,
    content: NodeJS.ReadableStream,
    expectedBytes: number | undefined,
    insteadOf?: InsteadOf,
  ): Promise<{ created: boolean }>;
  events(after: number, signal: AbortSignal): AsyncIterable<AgentEvent | 'heartbeat'>;
}

/** A request body is a list of specs at most; files have a stream of their own. */
const BODY_LIMIT = 16 * 1024 * 1024;

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw new HoldfastError('too-large', 'The request is too large.');
    chunks.push(chunk);
  }
  if (size === 0) return {};
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    throw new HoldfastError('input-invalid', 'The request is not JSON.', { cause: error });
  }
}

function isMethod(name: string): name is AgentMethod {
  return Object.hasOwn(agentMethods, name);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

/** Serves the agent's methods over mutual TLS; only the process named `control` may call. */
export class RpcServer {
  readonly #options: RpcServerOptions;
  readonly #server: Server;
  readonly #stopping = new AbortController();

  constructor(options: RpcServerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        key: options.identity.privateKey,
        cert: options.identity.certificate,
        ca: options.identity.authority,
        requestCert: true,
        rejectUnauthorized: true,
        minVersion: 'TLSv1.3',
        // Uploads of any length are bounded by their own deadlines.
        requestTimeout: 0,
      },
      (request, response) => void this.#answer(request, response),
    );
  }

  async listen(): Promise<void> {
    const { address, groupId } = this.#options;
    if ('socketPath' in address) rmSync(address.socketPath, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen('socketPath' in address ? { path: address.socketPath } : address, resolve);
    });
    if ('socketPath' in address) {
      chownSync(address.socketPath, 0, groupId ?? 0);
      chmodSync(address.socketPath, 0o660);
    }
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now();
    const url = new URL(request.url ?? '/', 'https://agent');
    try {
      const peer = (request.socket as TLSSocket).getPeerCertificate();
      if (peer.subject?.CN !== 'control')
        throw new HoldfastError('forbidden', 'Only the control plane may call an agent.');
      if (request.method === 'POST' && url.pathname.startsWith('/rpc/')) {
        await this.#call(url.pathname.slice('/rpc/'.length), request, response);
      } else if (url.pathname === '/files') {
        await this.#file(url, request, response);
      } else if (url.pathname === '/events' && request.method === 'GET') {
        await this.#events(Number(url.searchParams.get('after') ?? 0), request, response);
      } else {
        throw new HoldfastError('not-found', `The agent has nothing at ${url.pathname}.`);
      }
    } catch (error) {
      const known = error instanceof HoldfastError;
      const body = known
        ? error
        : new HoldfastError('internal', 'The agent met an unexpected error. Its log has the details.');
      const fields = { path: url.pathname, milliseconds: Math.round(performance.now() - started) };
      if (known) this.#options.log.info({ ...fields, code: error.code }, error.message);
      else this.#options.log.error({ ...fields, error }, 'unexpected error');
      if (response.headersSent) response.destroy();
      else {
        request.resume();
        sendJson(response, body.status, body.toBody());
      }
    }
  }

  async #call(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!isMethod(name)) throw new HoldfastError('not-found', `The agent has no method ${name}.`);
    const method = agentMethods[name];
    const parsed = method.input.safeParse(await readBody(request));
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new HoldfastError(
        'input-invalid',
        `${name}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'not valid'}`,
      );
    }
    const handler = this.#options.handlers[name] as (input: unknown) => Promise<unknown>;
    const output = await within(method.deadlineMs, name, handler(parsed.data));
    sendJson(response, 200, output);
  }

  async #file(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const account = url.searchParams.get('account') ?? '';
    const parsed = memberPathSchema.safeParse(url.searchParams.get('path') ?? '');
    if (!parsed.success)
      throw new HoldfastError('input-invalid', parsed.error.issues[0]?.message ?? 'The path is not valid.');
    if (request.method === 'GET') {
      const { size, stream } = await this.#options.readFile(account, parsed.data);
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'x-holdfast-size': size });
      await pipeline(stream, response);
    } else if (request.method === 'PUT') {
      const length = request.headers['x-holdfast-length'] ?? request.headers['content-length'];
      const expected = length === undefined ? undefined : Number(length);
      // Whoever stops reading in the middle (there is no room, say) destroys what he reads. That must not be the connection, or
      // nobody would hear why.
      const content = Readable.from(request.iterator({ destroyOnReturn: false }), { objectMode: false });
      const given = insteadOfSchema.optional().safeParse(request.headers['x-holdfast-instead-of']);
      // Never taken for "whatever is there".
      if (!given.success) throw new HoldfastError('input-invalid', 'What the file takes the place of is not valid.');
      sendJson(response, 200, await this.#options.writeFile(account, parsed.data, content, expected, given.data));
    } else {
      throw new HoldfastError('not-found', 'Files are read with GET and written with PUT.');
    }
  }

  async #events(after: number, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    request.on('close', () => gone.abort());
    response.on('close', () => gone.abort());
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.flushHeaders();
    for await (const event of this.#options.events(after, AbortSignal.any([gone.signal, this.#stopping.signal]))) {
      const line = event === 'heartbeat' ? '\n' : `${JSON.stringify(event)}\n`;
      // A reader that does not read is let go rather than buffered for; it asks again from its last number.
      if (!response.write(line) && response.writableLength > 4 * 1024 * 1024) break;
    }
    response.end();
  }
}
