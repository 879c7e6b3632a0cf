import { request, type Agent, type ClientRequest, type RequestOptions } from 'node:http';
import { request as secureRequest, type Agent as SecureAgent } from 'node:https';

export interface Target {
  /** A Unix socket, or a port of this machine. */
  at: { socketPath: string } | { port: number; secure: boolean };
  host: string;
}

export interface TimedAnswer {
  status: number;
  text: string;
  /** From before the connection is made until the last byte has arrived. */
  milliseconds: number;
}

export interface SendOptions {
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string | Buffer;
  /** Keep-alive connections; a fresh connection is made and closed when left out. */
  agent?: Agent | SecureAgent;
  deadlineMs?: number;
}

/** One timed request. Throws when there is no whole answer. Certificates are not checked: both sides sign their own. */
export async function send(target: Target, path: string, options: SendOptions = {}): Promise<TimedAnswer> {
  const settings: RequestOptions & { rejectUnauthorized?: boolean; servername?: string } = {
    ...('socketPath' in target.at ? { socketPath: target.at.socketPath } : { host: '127.0.0.1', port: target.at.port }),
    path,
    method: options.method ?? 'GET',
    headers: {
      host: target.host,
      ...options.headers,
      ...(options.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(options.body)) }),
    },
    agent: options.agent ?? false,
    signal: AbortSignal.timeout(options.deadlineMs ?? 120_000),
  };
  const begin = performance.now();
  return await new Promise<TimedAnswer>((resolve, reject) => {
    const secure = 'secure' in target.at && target.at.secure;
    const call: ClientRequest = secure
      ? secureRequest({
          ...settings,
          rejectUnauthorized: false,
          servername: target.host,
          agent: options.agent ?? false,
        })
      : request(settings);
    call.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          text: Buffer.concat(chunks).toString('utf8'),
          milliseconds: performance.now() - begin,
        });
      });
    });
    call.on('error', reject);
    call.end(options.body);
  });
}

/** The same, but an answer other than 2xx throws. */
export async function mustSend(target: Target, path: string, options: SendOptions = {}): Promise<TimedAnswer> {
  const answer = await send(target, path, options);
  if (answer.status < 200 || answer.status > 299) {
    throw new Error(
      `${options.method ?? 'GET'} ${target.host}${path} answered ${answer.status}: ${answer.text.slice(0, 500)}`,
    );
  }
  return answer;
}
