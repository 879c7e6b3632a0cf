import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  agentEventSchema,
  agentMethods,
  type AgentEvent,
  type AgentInput,
  type AgentMethod,
  type AgentOutput,
} from '../protocol/agent.ts';
import { FILE_IDLE_MS } from '../protocol/api/deadlines.ts';
import { errorBodySchema, HoldfastError } from '../protocol/errors.ts';
import type { InsteadOf } from '../protocol/files.ts';
import { AGENT_SERVER_NAME, type Identity } from './identity.ts';
import type { RpcAddress } from './rpc-server.ts';

/** The agent sends an empty line every second; so many missed ones mean that it is gone, or hangs. */
const EVENTS_IDLE_MS = 4_500;
/**
 * The longest that a timer can be. Not 0: then Node would not let go of an idle connection before the agent does (it announces when), and a
 * call that is sent just as the agent closes it would fail.
 */
const NO_TIMEOUT_MS = 2 ** 31 - 1;
/** Allowance on top of a method's own deadline for the way there and back. */
const GRACE_MS = 2_000;

function unreachable(error: unknown): HoldfastError {
  return new HoldfastError(
    'agent-unreachable',
    'The host does not answer right now. Please try again in a few seconds.',
    {
      cause: error,
      retryAfterSeconds: 2,
    },
  );
}

async function bodyOf(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

/** The control plane's side of the connection to one agent. Keeps no queue: callers bound what they send per volume. */
export class RpcClient {
  readonly #base: RequestOptions;
  #reachable = false;
  #heardAt: string | null = null;

  constructor(address: RpcAddress, identity: Identity) {
    this.#base = {
      ...('socketPath' in address ? { socketPath: address.socketPath } : { host: address.host, port: address.port }),
      servername: AGENT_SERVER_NAME,
      ca: identity.authority,
      cert: identity.certificate,
      key: identity.privateKey,
      minVersion: 'TLSv1.3',
      agent: new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 8, timeout: NO_TIMEOUT_MS }),
    };
  }

  /** Whether the last exchange reached the agent. */
  reachable(): boolean {
    return this.#reachable;
  }

  /** When the agent was last heard, ISO 8601; null: never. */
  heardAt(): string | null {
    return this.#heardAt;
  }

  close(): void {
    (this.#base.agent as Agent).destroy();
  }

  /** Calls one method. Throws the agent's HoldfastError, `agent-unreachable`, or `deadline-passed`. */
  async call<M extends AgentMethod>(method: M, input: AgentInput<M>): Promise<AgentOutput<M>> {
    const definition = agentMethods[method];
    const text = JSON.stringify(input);
    const response = await this.#send(
      {
        method: 'POST',
        path: `/rpc/${method}`,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
        signal: AbortSignal.timeout(definition.deadlineMs + GRACE_MS),
      },
      (request) => request.end(text),
    );
    const body = await bodyOf(response).catch((error: unknown) => {
      throw unreachable(error);
    });
    return definition.output.parse(body) as AgentOutput<M>;
  }

  /** Streams a file from a member's storage. The caller must read or destroy the stream. */
  async readFile(account: string, path: string): Promise<{ size: number; stream: Readable }> {
    const response = await this.#send(
      { method: 'GET', path: `/files?${new URLSearchParams({ account, path }).toString()}`, timeout: FILE_IDLE_MS },
      (request) => request.end(),
    );
    return { size: Number(response.headers['x-holdfast-size'] ?? 0), stream: response };
  }

  /** Streams a file to a member's storage; the old file stays whole until all of it has arrived. */
  async writeFile(
    account: string,
    path: string,
    content: Readable,
    expectedBytes: number | undefined,
    insteadOf?: InsteadOf,
  ): Promise<{ created: boolean }> {
    let sending: ReturnType<typeof httpsRequest> | undefined;
    let answered = false;
    try {
      const response = await this.#send(
        {
          method: 'PUT',
          path: `/files?${new URLSearchParams({ account, path }).toString()}`,
          timeout: FILE_IDLE_MS,
          headers: {
            'content-type': 'application/octet-stream',
            ...(expectedBytes === undefined ? {} : { 'x-holdfast-length': String(expectedBytes) }),
            ...(insteadOf === undefined ? {} : { 'x-holdfast-instead-of': insteadOf }),
          },
        },
        (request) => {
          sending = request;
          request.once('response', () => (answered = true));
          pipeline(content, request).catch((error: unknown) => {
            // An agent that cannot take it all answers before it has it: that answer says more than that nobody reads the rest.
            if (!answered) request.destroy(error instanceof Error ? error : new Error(String(error)));
          });
        },
      );
      return (await bodyOf(response).catch((error: unknown) => {
        throw unreachable(error);
      })) as { created: boolean };
    } finally {
      if (sending?.writableFinished === false) sending.destroy();
    }
  }

  /** Events from `after` on, until the connection ends or `signal` fires. Throws `agent-unreachable` when it breaks. */
  async *events(after: number, signal: AbortSignal): AsyncGenerator<AgentEvent> {
    const response = await this.#send(
      { method: 'GET', path: `/events?after=${after}`, signal, timeout: EVENTS_IDLE_MS },
      (request) => request.end(),
    );
    try {
      for await (const line of createInterface({ input: response })) {
        this.#heardAt = new Date().toISOString();
        if (line !== '') yield agentEventSchema.parse(JSON.parse(line));
      }
    } catch (error) {
      // Also when the connection stands still: an agent that hangs is not reached, though the kernel takes connections for it.
      if (!signal.aborted) this.#reachable = false;
      throw error;
    } finally {
      response.destroy();
    }
  }

  async #send(
    options: RequestOptions,
    send: (request: ReturnType<typeof httpsRequest>) => void,
  ): Promise<IncomingMessage> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      // Told each time, and not what the pool has: a kept connection would keep the limit that it had while it was idle.
      const request = httpsRequest({ ...this.#base, timeout: NO_TIMEOUT_MS - 1, ...options });
      request.on('response', resolve);
      request.on('timeout', () => request.destroy(new Error('the connection stood still')));
      request.on('error', (error) => {
        if (error.name === 'TimeoutError' || (error as NodeJS.ErrnoException).code === 'ABORT_ERR') {
          const late = options.signal?.reason instanceof Error && options.signal.reason.name === 'TimeoutError';
          if (late) {
            reject(
              new HoldfastError('deadline-passed', 'The host did not finish in time. Please try again.', {
                cause: error,
              }),
            );
            return;
          }
        }
        this.#reachable = false;
        reject(unreachable(error));
      });
      send(request);
    });
    this.#reachable = true;
    this.#heardAt = new Date().toISOString();
    if (response.statusCode === 200) return response;
    const body = await bodyOf(response).catch((error: unknown) => {
      throw unreachable(error);
    });
    const parsed = errorBodySchema.safeParse(body);
    throw parsed.success
      ? HoldfastError.fromBody(parsed.data)
      : new HoldfastError('internal', `The host answered ${response.statusCode ?? 0} without saying why.`);
  }
}
