import { chmod, chown, mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { normaliseDomain } from '../../model/names.ts';
import { HoldfastError, type ErrorCode } from '../../protocol/errors.ts';
import type { SiteStatus } from '../../protocol/sites.ts';
import { within } from '../../runtime/deadline.ts';
import type { Logger } from '../../runtime/log.ts';
import { PAGES, renderPage, type PageName, type PageText } from './pages.ts';

/** What the gateway needs of the programs part. */
export interface Waker {
  /** Makes the site at this domain answer; throws HoldfastError when it does not. Many calls at once are one start. */
  wakeDomain(domain: string): Promise<SiteStatus>;
  /** The volume an account lives on, so that waiting requests of one volume cannot use up another's places. */
  volumeOf?(account: string): string | undefined;
}

/** How long a visitor's request is held; after that a page says that the site is waking and loads itself again. */
const HOLD_MS = 30_000;
const WAITING_PER_SITE = 256;
const WAITING_PER_VOLUME = 1024;

const PAGE_OF: Partial<Record<ErrorCode, PageName>> = {
  'not-found': 'unknown',
  'site-disabled': 'disabled',
  'site-start-failed': 'failed',
  'storage-repair': 'repair',
  'volume-closed': 'repair',
  'deadline-passed': 'waking',
  'not-ready': 'waking',
  'too-many-requests': 'busy',
};

export interface WakerServerOptions {
  directory: string;
  gatewayGid: number;
  waker: Waker;
  /** The account of a published domain. */
  accountOf: (domain: string) => string | undefined;
  /** Whether a volume is in trouble now: a start that did not come in time is then the storage's matter. */
  held?: (volume: string) => boolean;
  /** Where the status page is. */
  statusUrl?: string;
  log: Logger;
  holdMs?: number;
  waitingPerSite?: number;
  waitingPerVolume?: number;
}

/** Answers nginx on <run>/wake/wake.sock. Runs in the agent: while the agent is away, nginx shows the waking page. */
export class WakerServer {
  readonly #options: WakerServerOptions;
  readonly #waiting = new Map<string, number>();
  #server: Server | undefined;

  constructor(options: WakerServerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { directory, gatewayGid, log } = this.#options;
    const socket = join(directory, 'wake.sock');
    await mkdir(directory, { recursive: true });
    await chown(directory, 0, gatewayGid);
    await chmod(directory, 0o750);
    // Left behind by an agent that was killed. One agent runs per instance, so nobody listens there now.
    await rm(socket, { force: true });
    const server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        log.error({ err: error }, 'The waker failed.');
        this.#page(response, 'waking');
      });
    });
    server.maxConnections = 20_000;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socket, 4096, () => {
        server.off('error', reject);
        resolve();
      });
    });
    await chown(socket, 0, gatewayGid);
    await chmod(socket, 0o660);
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { waker, accountOf, log } = this.#options;
    const domain = normaliseDomain(request.headers.host ?? '');
    const account = accountOf(domain);
    if (account === undefined) return this.#page(response, 'unknown');
    const keys: [string, number][] = [[`site ${domain}`, this.#options.waitingPerSite ?? WAITING_PER_SITE]];
    const volume = waker.volumeOf?.(account);
    if (volume !== undefined) keys.push([`volume ${volume}`, this.#options.waitingPerVolume ?? WAITING_PER_VOLUME]);
    if (keys.some(([key, limit]) => (this.#waiting.get(key) ?? 0) >= limit)) return this.#page(response, 'busy');
    for (const [key] of keys) this.#waiting.set(key, (this.#waiting.get(key) ?? 0) + 1);
    try {
      await within(this.#options.holdMs ?? HOLD_MS, `Waking ${domain}`, waker.wakeDomain(domain));
      response.writeHead(204, { 'X-Accel-Redirect': '@again' });
      response.end();
    } catch (error) {
      const code = error instanceof HoldfastError ? error.code : 'internal';
      if (code === 'internal') log.error({ err: error, domain }, 'Waking a site failed.');
      else log.info({ domain, code }, 'A site was not woken.');
      const held = volume !== undefined && this.#options.held?.(volume) === true;
      this.#page(
        response,
        held && code !== 'site-disabled' ? 'repair' : (PAGE_OF[code] ?? 'failed'),
        error instanceof HoldfastError ? error.retryAfterSeconds : undefined,
      );
    } finally {
      for (const [key] of keys) {
        const left = (this.#waiting.get(key) ?? 1) - 1;
        if (left > 0) this.#waiting.set(key, left);
        else this.#waiting.delete(key);
      }
    }
  }

  #page(response: ServerResponse, name: PageName, retryAfterSeconds?: number): void {
    if (response.headersSent) return;
    const page: PageText = PAGES[name];
    const retry = page.retryAfterSeconds === undefined ? undefined : (retryAfterSeconds ?? page.retryAfterSeconds);
    response.writeHead(page.status, {
      'Content-Type': 'text/html; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      // For the gateway's own log; nginx takes it off.
      'X-Holdfast-Page': name,
      ...(retry === undefined ? {} : { 'Retry-After': String(retry) }),
    });
    response.end(renderPage(name, this.#options.statusUrl));
  }
}
