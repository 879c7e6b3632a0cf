import { Agent, request, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';

export interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: Buffer;
  /** It had to be sent again: the other side had closed the kept connection before it answered anything. */
  resent: boolean;
}

export interface Call {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  deadlineMs: number;
}

/** Where requests go: a port of this machine (plain or TLS with this authority), or a socket. */
export interface Place {
  host: string;
  at: { port: number } | { port: number; authority: string } | { socketPath: string };
}

interface ReusableRequest extends ClientRequest {
  reusedSocket: boolean;
}

/** One HTTP client with connections that are kept, as browsers and programs keep them. */
export class HttpClient implements Disposable {
  readonly #plain = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 64 });
  readonly #secure = new SecureAgent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 16 });

  /** One request; throws when no whole answer comes within the deadline. */
  async send(place: Place, call: Call): Promise<Answer> {
    try {
      return { ...(await this.#once(place, call)), resent: false };
    } catch (error) {
      // As every browser does: on a kept connection that turns out closed, the request is sent again on a fresh one.
      if (!(error instanceof StaleConnection)) throw error;
      return { ...(await this.#once(place, call, true)), resent: true };
    }
  }

  async #once(place: Place, call: Call, fresh = false): Promise<Omit<Answer, 'resent'>> {
    const { at } = place;
    const secure = 'authority' in at;
    const settings: RequestOptions = {
      ...('socketPath' in at ? { socketPath: at.socketPath } : { host: '127.0.0.1', port: at.port }),
      ...(secure ? { ca: at.authority, servername: place.host } : {}),
      method: call.method ?? 'GET',
      path: call.path,
      headers: {
        host: place.host,
        ...call.headers,
        ...(call.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(call.body)) }),
      },
      agent: fresh ? false : secure ? this.#secure : this.#plain,
      signal: AbortSignal.timeout(call.deadlineMs),
    };
    return await new Promise((resolve, reject) => {
      const sent = (secure ? secureRequest(settings) : request(settings)) as ReusableRequest;
      sent.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
        });
      });
      sent.on('error', (error: NodeJS.ErrnoException) => {
        const closed = error.code === 'ECONNRESET' || error.code === 'EPIPE';
        reject(closed && sent.reusedSocket ? new StaleConnection() : error);
      });
      sent.end(call.body);
    });
  }

  [Symbol.dispose](): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }
}

class StaleConnection extends Error {}
