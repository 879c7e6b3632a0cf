import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorBodySchema, HoldfastError } from '../protocol/errors.ts';
import { layoutOf, type Configuration, type Layout } from '../runtime/config.ts';
import { readIdentity } from '../runtime/identity.ts';
import { readRecord, type ProcessRecord } from '../runtime/process-record.ts';
import { RpcClient } from '../runtime/rpc-client.ts';
import { HttpClient, type Answer } from './http.ts';

const DEADLINE_MS = 120_000;

export interface OperatorCall {
  method?: string;
  body?: unknown;
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

  /** One call of /api/holdfast/ with the operator's rights, over the socket of the control plane. Throws HoldfastError. */
  async operator(path: string, call: OperatorCall = {}): Promise<unknown> {
    let token: string;
    try {
      token = readFileSync(join(this.layout.control, 'operator-token'), 'utf8').trim();
    } catch (error) {
      throw new HoldfastError('not-ready', `No platform runs at ${this.configuration.home}.`, { cause: error });
    }
    const text = call.body === undefined ? undefined : JSON.stringify(call.body);
    const answer = await this.#send(() =>
      this.http.send(
        { host: this.configuration.domain, at: { socketPath: this.layout.controlSocket } },
        {
          method: call.method ?? 'GET',
          path: `/api/holdfast/${path}`,
          headers: {
            authorization: `Token ${token}`,
            ...(text === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(text === undefined ? {} : { body: text }),
          deadlineMs: call.deadlineMs ?? DEADLINE_MS,
        },
      ),
    );
    return answer.body.length === 0 ? undefined : (JSON.parse(answer.body.toString('utf8')) as unknown);
  }

  /** A call of a member's, through the gateway, with the member's token. Throws HoldfastError. */
  async member(
    token: string,
    path: string,
    call: { method?: string; json?: unknown; bytes?: Buffer } = {},
  ): Promise<unknown> {
    const { configuration } = this;
    const authority = readFileSync(this.authorityFile, 'utf8');
    const body = call.bytes ?? (call.json === undefined ? undefined : JSON.stringify(call.json));
    const type = call.bytes === undefined ? 'application/json' : 'application/octet-stream';
    const answer = await this.#send(() =>
      this.http.send(
        { host: `www.${configuration.domain}`, at: { port: configuration.httpsPort, authority } },
        {
          method: call.method ?? 'GET',
          path: `/api/holdfast/${path}`,
          headers: { authorization: `Token ${token}`, ...(body === undefined ? {} : { 'content-type': type }) },
          ...(body === undefined ? {} : { body }),
          deadlineMs: DEADLINE_MS,
        },
      ),
    );
    return answer.body.length === 0 ? undefined : (JSON.parse(answer.body.toString('utf8')) as unknown);
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
