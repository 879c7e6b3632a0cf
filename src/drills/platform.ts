import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiAnswer, ApiArguments } from '../protocol/api.ts';
import type { ApiName } from '../protocol/api/addresses.ts';
import { readAnswer } from '../protocol/api/answer.ts';
import { buildApiRequest, streamRequest, type ApiRequest } from '../protocol/api/request.ts';
import { errorBodySchema, HoldfastError } from '../protocol/errors.ts';
import { layoutOf, type Configuration, type Layout } from '../runtime/config.ts';
import { readIdentity } from '../runtime/identity.ts';
import { readRecord, type ProcessRecord } from '../runtime/process-record.ts';
import { RpcClient } from '../runtime/rpc-client.ts';
import { HttpClient, type Answer, type Place } from './http.ts';

const DEADLINE_MS = 120_000;

export interface OperatorCall {
  deadlineMs?: number;
}

/** A running platform as a drill sees it: through its API, its agent's methods, and the pids it recorded. */
export class Platform implements Disposable {
  readonly configuration: Configuration;
  readonly layout: Layout;
  readonly http = new HttpClient();
  #agent: RpcClient | undefined;

  constructor(configuration: Configuration) {
    this.configuration = configuration;
    this.layout = layoutOf(configuration);
  }

  get authorityFile(): string {
    return join(this.layout.gateway, 'authority.pem');
  }

  /** The agent itself, also while the control plane is down. */
  get agent(): RpcClient {
    this.#agent ??= new RpcClient({ socketPath: this.layout.agentSocket }, readIdentity(this.layout.control));
    return this.#agent;
  }

  /** Asks the control plane over its socket, with the operator's rights. Throws HoldfastError. */
  async operator<N extends ApiName>(
    name: N,
    ...[input, call]: ApiArguments<N, [call?: OperatorCall]>
  ): Promise<ApiAnswer<N>> {
    let token: string;
    try {
      token = readFileSync(join(this.layout.control, 'operator-token'), 'utf8').trim();
    } catch (error) {
      throw new HoldfastError('not-ready', `No platform runs at ${this.configuration.home}.`, { cause: error });
    }
    const place = { host: this.configuration.domain, at: { socketPath: this.layout.controlSocket } };
    return await this.#ask(name, buildApiRequest(name, input), place, token, call?.deadlineMs);
  }

  /** Asks through the gateway, as a member does, with the member's token. Throws HoldfastError. */
  async member<N extends ApiName>(token: string, name: N, ...[input]: ApiArguments<N>): Promise<ApiAnswer<N>> {
    return await this.#ask(name, buildApiRequest(name, input), this.#gateway(), token);
  }

  /** Writes a file through the gateway, as a member does. Throws HoldfastError. */
  async upload(token: string, path: string, bytes: Buffer): Promise<void> {
    const request = streamRequest('files.write', { query: { path } });
    await this.#send(() =>
      this.http.send(this.#gateway(), {
        ...request,
        headers: { authorization: `Token ${token}`, 'content-type': 'application/octet-stream' },
        body: bytes,
        deadlineMs: DEADLINE_MS,
      }),
    );
  }

  #gateway(): Place {
    const { configuration } = this;
    const authority = readFileSync(this.authorityFile, 'utf8');
    return { host: `www.${configuration.domain}`, at: { port: configuration.httpsPort, authority } };
  }

  async #ask<N extends ApiName>(
    name: N,
    { method, path, body }: ApiRequest,
    place: Place,
    token: string,
    deadlineMs = DEADLINE_MS,
  ): Promise<ApiAnswer<N>> {
    const answer = await this.#send(() =>
      this.http.send(place, {
        method,
        path,
        headers: {
          authorization: `Token ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body }),
        deadlineMs,
      }),
    );
    const text = answer.body.toString('utf8');
    return readAnswer(name, answer.status, text === '' ? undefined : JSON.parse(text));
  }

  async #send(call: () => Promise<Answer>): Promise<Answer> {
    let answer: Answer;
    try {
      answer = await call();
    } catch (error) {
      throw new HoldfastError('not-ready', `The platform does not answer: ${(error as Error).message}`, {
        cause: error,
      });
    }
    if (answer.status >= 200 && answer.status < 300) return answer;
    const text = answer.body.toString('utf8');
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      parsed = undefined; // An answer of the gateway itself is a page.
    }
    const body = errorBodySchema.safeParse(parsed);
    if (body.success) throw HoldfastError.fromBody(body.data);
    throw new HoldfastError('internal', `The platform answered ${answer.status}: ${text.slice(0, 200)}`);
  }

  /** One of the platform's own processes, as it recorded it; undefined when it does not run. */
  process(name: 'supervisor' | 'agent' | 'control'): ProcessRecord | undefined {
    return readRecord(join(this.configuration.runDirectory, `${name}.json`));
  }

  [Symbol.dispose](): void {
    this.http[Symbol.dispose]();
    this.#agent?.close();
  }
}

/** Whether a platform runs for this configuration now. */
export function runs(configuration: Configuration): boolean {
  return readRecord(join(configuration.runDirectory, 'supervisor.json')) !== undefined;
}
