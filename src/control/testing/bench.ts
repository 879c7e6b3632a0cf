import { mkdtemp, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { pino } from 'pino';
import { readConfiguration, type Configuration } from '../../runtime/config.ts';
import { createAccount, type CreatedAccount } from '../accounts/create-account.ts';
import type { ControlContext } from '../context.ts';
import { openControl, stopWork } from '../control.ts';
import type { IncidentTimes } from '../incidents/incidents.ts';
import type { NotifierTimes } from '../notifications/notifier.ts';
import { lookAtAgent } from '../platform/follow-agent.ts';
import { MemoryAgent } from './memory-agent.ts';

/** In memory where that is possible: every commit waits for the disk, and a test commits a lot. */
const TEST_DIRECTORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A control plane in a directory of its own, with the agent in memory and a clock that tests move. */
export interface Bench extends AsyncDisposable {
  agent: MemoryAgent;
  context: ControlContext;
  server: FastifyInstance;
  configuration: Configuration;
  /** Milliseconds added to the clock. */
  clock: { ahead: number };
  /** A request as the operator's command line. */
  operator(method: string, url: string, body?: unknown): Promise<LightMyRequestResponse>;
  member(name: string, plan?: string): Promise<CreatedAccount>;
}

type Method = NonNullable<InjectOptions['method']>;

export async function openBench(
  options: {
    home?: string;
    agent?: MemoryAgent;
    databaseUrl?: string;
    incidentTimes?: IncidentTimes;
    notifierTimes?: NotifierTimes;
  } = {},
): Promise<Bench> {
  const home = options.home ?? (await mkdtemp(join(TEST_DIRECTORY, 'holdfast-control-')));
  const agent = options.agent ?? new MemoryAgent();
  const configuration = readConfiguration({
    HOLDFAST_HOME: home,
    HOLDFAST_DOMAIN: 'holdfast.test',
    ...(options.databaseUrl === undefined ? {} : { HOLDFAST_DATABASE_URL: options.databaseUrl }),
  });
  const clock = { ahead: 0 };
  const { context, server } = await openControl({
    configuration,
    log: pino({ level: process.env['HOLDFAST_TEST_LOG'] ?? 'silent' }),
    agent,
    now: () => new Date(Date.now() + clock.ahead),
    ...(options.incidentTimes === undefined ? {} : { incidentTimes: options.incidentTimes }),
    ...(options.notifierTimes === undefined ? {} : { notifierTimes: options.notifierTimes }),
  });
  await lookAtAgent(context);
  return {
    agent,
    context,
    server,
    configuration,
    clock,
    operator: async (method, url, body) =>
      await server.inject({
        method: method as Method,
        url,
        headers: { authorization: `Token ${server.operatorToken}` },
        ...(body === undefined ? {} : { payload: body as object }),
      }),
    member: async (name, plan = 'standard') =>
      await createAccount(
        context,
        { name: 'test', address: 'local' },
        { username: name, plan, password: `${name}'s long password` },
      ),
    [Symbol.asyncDispose]: async () => {
      await stopWork(context);
      await server.close();
      await context.store.close();
      if (options.home === undefined) await rm(home, { recursive: true, force: true });
    },
  };
}

export interface Client {
  (method: string, url: string, body?: unknown, headers?: Record<string, string>): Promise<LightMyRequestResponse>;
}

/** Requests with an API token, as nginx passes them on. An object is sent as JSON, a string as a form, a FormData as multipart. */
export function tokenClient(bench: Bench, token: string): Client {
  return async (method, url, body, headers = {}) => {
    const common = { authorization: `Token ${token}`, 'x-real-ip': '192.0.2.1', host: 'www.holdfast.test', ...headers };
    return await bench.server.inject({ method: method as Method, url, ...(await encode(body, common)) });
  };
}

async function encode(
  body: unknown,
  headers: Record<string, string>,
): Promise<Pick<InjectOptions, 'headers' | 'payload'>> {
  if (body === undefined) return { headers };
  if (typeof body === 'string')
    return { headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers }, payload: body };
  if (body instanceof FormData) {
    const encoded = new Response(body);
    const type = encoded.headers.get('content-type') ?? '';
    return { headers: { ...headers, 'content-type': type }, payload: Buffer.from(await encoded.arrayBuffer()) };
  }
  return { headers, payload: body as object };
}

export interface Browser {
  send(method: string, url: string, body?: unknown, headers?: Record<string, string>): Promise<LightMyRequestResponse>;
  cookie: string;
  csrf: string;
}

/** A browser that is signed in. */
export async function signedInBrowser(bench: Bench, username: string, password: string): Promise<Browser> {
  const answer = await bench.server.inject({
    method: 'POST',
    url: '/api/holdfast/session',
    headers: { 'x-real-ip': '192.0.2.7' },
    payload: { username, password },
  });
  if (answer.statusCode !== 200) throw new Error(`sign-in answered ${answer.statusCode}: ${answer.body}`);
  const cookie = cookieOf(answer);
  const browser: Browser = {
    cookie,
    csrf: answer.json<{ csrfToken: string }>().csrfToken,
    send: async (method, url, body, headers = {}) => {
      const all = { cookie: browser.cookie, 'x-csrf-token': browser.csrf, 'x-real-ip': '192.0.2.7', ...headers };
      return await bench.server.inject({
        method: method as Method,
        url,
        // An empty header is one that is not sent.
        headers: Object.fromEntries(Object.entries(all).filter(([, value]) => value !== '')),
        ...(body === undefined ? {} : { payload: body as object }),
      });
    },
  };
  return browser;
}

export function cookieOf(answer: LightMyRequestResponse): string {
  const cookie = answer.cookies[0];
  return cookie ? `${cookie.name}=${cookie.value}` : '';
}
