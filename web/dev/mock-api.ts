import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { z } from 'zod';
import { pagesPattern } from '../../src/model/pages.ts';
import * as shapes from '../../src/protocol/browser.ts';
import { ERRORS, type ErrorCode, HoldfastError } from '../../src/protocol/errors.ts';
import { memberPathSchema } from '../../src/protocol/files.ts';
import { planLimitsSchema } from '../../src/protocol/sites.ts';
import { type Operation, operationSchema } from '../../src/protocol/volumes.ts';
import { ago, limits, SCENARIOS as OTHERS, site as makeSite, status, type World } from './scenarios.ts';
import { healthAt, storageRoutes } from './storage-routes.ts';
import { drillRun, STORAGE_SCENARIOS } from './storage-scenarios.ts';

/**
 * A stand-in for the control plane, for working on the pages and for their screenshots: `node dev/mock-api.ts [port] [scenario]`.
 * Every answer passes through the real schemas of src/protocol, so it cannot drift from the contract unnoticed.
 * Serves web/dist too, under the strictest content security policy the pages claim to work with.
 * `POST /stand-in/<scenario>` changes the scenario; `POST /stand-in/hang` answers nothing until the next.
 */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const DIST = join(import.meta.dirname, '../dist');
const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.html': 'text/html; charset=utf-8',
};

const SCENARIOS: Readonly<Record<string, () => World>> = { ...OTHERS, ...STORAGE_SCENARIOS };
const STILL = process.env['STAND_IN_STILL'] === '1';

let world: World = startWorld(process.argv[3] ?? 'busy');
const streams = new Set<ServerResponse>();

function startWorld(name: string): World {
  const make = SCENARIOS[name];
  if (make === undefined)
    throw new Error(`There is no scenario "${name}". There are: ${Object.keys(SCENARIOS).join(', ')}.`);
  return make();
}

function emit(event: string, data: unknown): void {
  for (const stream of streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

interface Call {
  url: URL;
  parameters: readonly string[];
  body: () => Promise<unknown>;
  bytes: () => Promise<Buffer>;
  headers: IncomingMessage['headers'];
  response: ServerResponse;
}

interface Answer {
  status: number;
  body?: unknown;
}

function ok<S extends z.ZodType>(schema: S, value: z.input<S>, statusCode = 200): Answer {
  return { status: statusCode, body: schema.parse(value) };
}

function fail(code: ErrorCode, message: string, field?: string): never {
  throw new HoldfastError(code, message, field === undefined ? {} : { field });
}

function me(): NonNullable<shapes.Session['account']> {
  const { account } = world.session;
  if (account === null) fail('not-signed-in', 'Please sign in.');
  return account;
}

function find<T>(list: readonly T[], matches: (item: T) => boolean): T {
  const item = list.find(matches);
  if (item === undefined) fail('not-found', 'This does not exist (any more).');
  return item;
}

function isMemberPath(path: string): boolean {
  return [`/home/${me().name}`, '/tmp', '/var/www', '/var/log'].some(
    (root) => path === root || path.startsWith(`${root}/`),
  );
}

function pathOf(value: string | null): string {
  const path = memberPathSchema.parse(value);
  if (!isMemberPath(path)) fail('not-found', `No such file or directory: ${path}`, 'path');
  return path;
}

function change(id: string, patch: Partial<shapes.SiteView>): shapes.SiteView {
  const old = find(world.sites, (each) => each.id === id);
  const fresh = { ...old, ...patch };
  world.sites = world.sites.map((each) => (each.id === id ? fresh : each));
  emit('site', fresh);
  return fresh;
}

function startOperation(kind: Operation['kind'], subject: string): Operation {
  const operation: Operation = {
    id: `op-${kind}-${world.operations.length}`,
    kind,
    subject,
    state: 'running',
    progress: 0.05,
    error: null,
    startedAt: new Date().toISOString(),
    finishedAt: null,
    steps: [
      { name: 'Prepare', state: 'done', detail: null },
      { name: 'Work', state: 'running', detail: null },
    ],
  };
  world.operations = [operation, ...world.operations];
  emit('operation', operation);
  return operation;
}

type Route = readonly [method: string, pattern: RegExp, run: (call: Call) => Answer | Promise<Answer>];
const credentials = z.object({ username: z.string(), password: z.string() });

const routes: readonly Route[] = [
  ...storageRoutes({ world: () => world, emit, ok, find, fail, startOperation }),
  ['GET', /^session$/, () => ok(shapes.sessionSchema, world.session)],
  [
    'POST',
    /^(?:session|sign-up)$/,
    async ({ body }) => {
      const { username, password } = credentials.parse(await body());
      if (password === 'wrong') fail('wrong-password', 'The name or the password is not right.');
      const { signUpOpen, platform } = world.session;
      world = startWorld(username === 'operator' ? 'operator' : 'busy');
      world.session = { ...world.session, signUpOpen, platform };
      return ok(shapes.sessionSchema, world.session);
    },
  ],
  [
    'DELETE',
    /^session$/,
    () => {
      world.session = { ...world.session, account: null, csrfToken: null };
      return { status: 204 };
    },
  ],
  [
    'POST',
    /^session\/password$/,
    async ({ body }) => {
      const { current } = z.object({ current: z.string(), next: z.string() }).parse(await body());
      if (current === 'wrong') fail('wrong-password', 'The current password is not right.', 'current');
      world.session = { ...world.session, account: { ...me(), mustChangePassword: false } };
      return ok(shapes.sessionSchema, world.session);
    },
  ],
  [
    'POST',
    /^token$/,
    () => {
      world.session = { ...world.session, account: { ...me(), hasToken: true } };
      return ok(z.object({ token: z.string().length(40) }), { token: '0f3a'.repeat(10) });
    },
  ],
  [
    'GET',
    /^dashboard$/,
    () => {
      const { name, plan, role } = me();
      const operator = role === 'operator';
      return ok(shapes.dashboardSchema, {
        account: operator
          ? null
          : {
              name,
              plan,
              limits: { ...limits, sites: Math.max(limits.sites, world.sites.length) },
              disk: world.disk,
              sites: world.sites,
              pythons: [
                { version: '3.11', path: '/usr/bin/python3.11', uwsgiPlugin: true },
                { version: '3.13', path: '/opt/python3.13', uwsgiPlugin: false },
              ],
              notices: world.notices,
            },
        platform: operator
          ? {
              accounts: world.accounts.filter((account) => account.role === 'member').length,
              sites: world.sites.length,
              sitesAwake: world.sites.filter((each) => each.status?.state === 'awake').length,
              sitesStopped: world.sites.filter((each) => each.storage === 'stopped').length,
              sitesFailed: world.sites.filter((each) => each.status?.state === 'failed').length,
              volumes: world.volumes,
              operations: world.operations,
              agentReachable: world.agentReachable,
              notices: world.platformNotices,
            }
          : null,
      });
    },
  ],
  [
    'GET',
    /^sites$/,
    ({ url }) => {
      const named = url.searchParams.get('account');
      return ok(
        z.array(shapes.siteViewSchema),
        world.sites.filter((each) => named === null || each.account === named),
      );
    },
  ],
  [
    'POST',
    /^sites$/,
    async ({ body }) => {
      const input = shapes.createSiteSchema.parse(await body());
      if (world.sites.some((each) => each.domain === input.domain))
        fail('domain-taken', `"${input.domain}" is in use.`, 'domain');
      const fresh = makeSite(me().name, input.domain, 'awake', {
        kind:
          input.quickstart === 'static'
            ? 'static'
            : input.quickstart === 'command' || input.quickstart === 'fastapi'
              ? 'command'
              : 'wsgi',
        command: input.command ?? '',
      });
      world.sites.push(fresh);
      emit('site', fresh);
      return ok(shapes.siteViewSchema, fresh, 201);
    },
  ],
  [
    'GET',
    /^sites\/([0-9a-f]{12})$/,
    ({ parameters }) =>
      ok(
        shapes.siteViewSchema,
        find(world.sites, (each) => each.id === parameters[0]),
      ),
  ],
  [
    'PATCH',
    /^sites\/([0-9a-f]{12})$/,
    async ({ parameters, body }) => {
      const { staticFiles, staticHeaders, protection, certificate, ...plain } = shapes.updateSiteSchema.parse(
        await body(),
      );
      return ok(
        shapes.siteViewSchema,
        change(parameters[0] ?? '', {
          ...plain,
          ...(staticFiles === undefined
            ? {}
            : { staticFiles: staticFiles.map((row, index) => ({ id: index + 1, ...row })) }),
          ...(staticHeaders === undefined
            ? {}
            : { staticHeaders: staticHeaders.map((row, index) => ({ id: index + 1, ...row })) }),
          ...(protection === undefined
            ? {}
            : { protection: protection === null ? null : { username: protection.username } }),
          ...(certificate === undefined
            ? {}
            : {
                certificate:
                  certificate === null ? null : { notAfter: ago(-86_400 * 300), issuer: 'Uploaded', custom: true },
              }),
        }),
      );
    },
  ],
  [
    'DELETE',
    /^sites\/([0-9a-f]{12})$/,
    ({ parameters }) => {
      world.sites = world.sites.filter((each) => each.id !== parameters[0]);
      emit('site', { id: parameters[0], removed: true });
      return { status: 204 };
    },
  ],
  [
    'POST',
    /^sites\/([0-9a-f]{12})\/(reload|back|enable|disable)$/,
    ({ parameters }) => {
      const [id = '', action] = parameters;
      const old = find(world.sites, (each) => each.id === id);
      if (action === 'reload' && old.status?.failure)
        throw new HoldfastError('site-start-failed', old.status.failure.message, {
          details: old.status.failure.output,
        });
      const state = action === 'disable' ? 'disabled' : action === 'enable' ? 'asleep' : 'awake';
      return ok(
        shapes.siteViewSchema,
        change(id, {
          enabled: action !== 'disable',
          status: status(id, state, { generation: (old.status?.generation ?? 0) + 1, since: new Date().toISOString() }),
        }),
      );
    },
  ],
  [
    'GET',
    /^sites\/([0-9a-f]{12})\/logs\/(access|error|server)$/,
    ({ parameters, url }) => {
      const lines = (world.logs[`${parameters[0]}/${parameters[1]}`] ?? []).slice(
        -Number(url.searchParams.get('lines') ?? '200'),
      );
      return ok(z.object({ lines: z.array(z.string()), sizeBytes: z.number() }), {
        lines,
        sizeBytes: lines.join('\n').length,
      });
    },
  ],
  [
    'GET',
    /^files$/,
    ({ url }) => {
      const path = pathOf(url.searchParams.get('path'));
      if (path.endsWith('/forbidden'))
        throw new HoldfastError(
          'storage-repair',
          'Your storage is being repaired. Nothing is lost; try again in a few seconds.',
          { retryAfterSeconds: 5 },
        );
      const here = world.files.get(path);
      if (here === undefined) fail('not-found', `No such file or directory: ${path}`, 'path');
      if (here.entry.type !== 'directory') fail('input-invalid', `${path} is not a directory.`, 'path');
      const entries = [...world.files]
        .filter(([other]) => other.startsWith(`${path}/`) && !other.slice(path.length + 1).includes('/'))
        .map(([, file]) => file.entry);
      return ok(shapes.directorySchema, {
        path,
        entries: entries.slice(0, 1000),
        truncated: entries.length > 1000,
        writable: !path.startsWith('/var/log'),
      });
    },
  ],
  [
    'GET',
    /^files\/content$/,
    ({ url, response }) => {
      const path = pathOf(url.searchParams.get('path'));
      const file = world.files.get(path);
      if (file === undefined || file.entry.type === 'directory')
        fail('not-found', `No such file or directory: ${path}`, 'path');
      response.setHeader('content-length', String(file.content === '' ? file.entry.size : file.content.length));
      return { status: 200, body: file.content === '' ? Buffer.alloc(file.entry.size) : Buffer.from(file.content) };
    },
  ],
  [
    'PUT',
    /^files\/content$/,
    async ({ url, bytes, headers }) => {
      const path = pathOf(url.searchParams.get('path'));
      const content = (await bytes()).toString();
      const there = world.files.get(path);
      const revision = there && createHash('sha256').update(there.content).digest('hex');
      const match = headers['if-match'];
      if (headers['if-none-match'] === '*' ? there !== undefined : match !== undefined && match !== `"${revision}"`)
        fail('file-changed', `${path} was changed since you opened it. Nothing was saved.`);
      const created = !world.files.has(path);
      const name = path.slice(path.lastIndexOf('/') + 1);
      world.files.set(path, {
        content,
        entry: { name, type: 'file', size: content.length, modifiedAt: new Date().toISOString(), mode: 0o644 },
      });
      return ok(z.object({ created: z.boolean() }), { created });
    },
  ],
  [
    'POST',
    /^files\/directory$/,
    async ({ body }) => {
      const path = pathOf(z.object({ path: z.string() }).parse(await body()).path);
      const created = !world.files.has(path);
      const name = path.slice(path.lastIndexOf('/') + 1);
      if (created)
        world.files.set(path, {
          content: '',
          entry: { name, type: 'directory', size: 0, modifiedAt: new Date().toISOString(), mode: 0o755 },
        });
      return ok(z.object({ created: z.boolean() }), { created });
    },
  ],
  [
    'POST',
    /^files\/rename$/,
    async ({ body }) => {
      const { from, to } = z.object({ from: z.string(), to: z.string() }).parse(await body());
      for (const [path, file] of Array.from(world.files)) {
        if (path !== from && !path.startsWith(`${from}/`)) continue;
        world.files.delete(path);
        world.files.set(
          to + path.slice(from.length),
          path === from ? { ...file, entry: { ...file.entry, name: to.slice(to.lastIndexOf('/') + 1) } } : file,
        );
      }
      return { status: 200, body: {} };
    },
  ],
  [
    'DELETE',
    /^files$/,
    ({ url }) => {
      const target = pathOf(url.searchParams.get('path'));
      for (const path of Array.from(world.files.keys()))
        if (path === target || path.startsWith(`${target}/`)) world.files.delete(path);
      return { status: 204 };
    },
  ],
  ['GET', /^accounts$/, () => ok(z.array(shapes.accountViewSchema), world.accounts)],
  [
    'POST',
    /^accounts$/,
    async ({ body }) => {
      const { username } = shapes.createAccountSchema.parse(await body());
      if (world.accounts.some((each) => each.name === username))
        fail('name-taken', `The name "${username}" is taken.`, 'username');
      world.accounts.push({
        name: username,
        role: 'member',
        plan: 'starter',
        volume: 'amber',
        disabled: false,
        sites: 0,
        createdAt: new Date().toISOString(),
        state: 'creating',
      });
      return ok(
        shapes.createdAccountSchema,
        { username, password: 'otter-lamp-quiet-42', api_token: '9b1e'.repeat(10), state: 'ready' },
        201,
      );
    },
  ],
  [
    'PATCH',
    /^accounts\/(\w+)$/,
    async ({ parameters, body }) => {
      const patch = z.object({ plan: z.string().optional(), disabled: z.boolean().optional() }).parse(await body());
      const fresh = { ...find(world.accounts, (each) => each.name === parameters[0]), ...patch };
      world.accounts = world.accounts.map((each) => (each.name === fresh.name ? fresh : each));
      return ok(shapes.accountViewSchema, fresh);
    },
  ],
  [
    'DELETE',
    /^accounts\/(\w+)$/,
    ({ parameters, url }) => {
      if (url.searchParams.get('confirm') !== parameters[0])
        fail('confirmation-needed', 'Confirm it by giving the name again.', 'confirm');
      world.accounts = world.accounts.map((each) =>
        each.name === parameters[0] ? { ...each, state: 'deleting' as const } : each,
      );
      return { status: 204 };
    },
  ],
  [
    'POST',
    /^accounts\/(\w+)\/password$/,
    () => ok(z.object({ password: z.string() }), { password: 'otter-lamp-quiet-42' }),
  ],
  ['GET', /^volumes$/, () => ok(z.array(shapes.volumeViewSchema), world.volumes)],
  [
    'POST',
    /^volumes$/,
    async ({ body }) => {
      const { name } = z
        .object({ name: z.string(), disks: z.array(z.string()), imageBytes: z.number().optional() })
        .parse(await body());
      return ok(operationSchema, startOperation('volume-create', name), 202);
    },
  ],
  [
    'POST',
    /^volumes\/([\w-]+)\/(open|close|scrub|add-replica|set-aside|grow)$/,
    ({ parameters }) => {
      const [name = '', action] = parameters;
      const kinds: Readonly<Record<string, Operation['kind']>> = {
        scrub: 'volume-scrub',
        'add-replica': 'volume-rebuild',
        grow: 'volume-grow',
      };
      const kind = kinds[action ?? ''];
      if (kind !== undefined) return ok(operationSchema, startOperation(kind, name));
      const volume = {
        ...find(world.volumes, (each) => each.name === name),
        state: action === 'close' ? ('closed' as const) : ('open' as const),
      };
      world.volumes = world.volumes.map((each) => (each.name === name ? volume : each));
      emit('volume', volume);
      return ok(shapes.volumeViewSchema, volume);
    },
  ],
  [
    'DELETE',
    /^volumes\/([\w-]+)$/,
    ({ parameters }) => ok(operationSchema, startOperation('volume-delete', parameters[0] ?? ''), 202),
  ],
  ['GET', /^operations$/, () => ok(z.array(operationSchema), world.operations)],
  ['GET', /^audit$/, () => ok(z.array(shapes.auditEntrySchema), world.audit)],
  ['GET', /^settings$/, () => ok(shapes.settingsSchema, world.settings)],
  [
    'PATCH',
    /^settings$/,
    async ({ body }) => {
      world.settings = { ...world.settings, ...shapes.settingsSchema.partial().parse(await body()) };
      return ok(shapes.settingsSchema, world.settings);
    },
  ],
  ['GET', /^plans$/, () => ok(z.array(shapes.planSchema), world.plans)],
  [
    'PUT',
    /^plans\/([\w-]+)$/,
    async ({ parameters, body }) => {
      const plan = { name: parameters[0] ?? '', limits: planLimitsSchema.parse(await body()) };
      world.plans = [...world.plans.filter((each) => each.name !== plan.name), plan];
      return ok(shapes.planSchema, plan);
    },
  ],
];

/** As a control plane that hangs: connections are taken, nothing is said. */
let hangs = false;

async function answerApi(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  if (hangs) return;
  const path = url.pathname.slice('/api/holdfast/'.length);
  if (path === 'events') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write('retry: 2000\n\n');
    response.write(
      `event: heartbeat\ndata: ${JSON.stringify({ at: new Date().toISOString(), agentSilentSince: null })}\n\n`,
    );
    streams.add(response);
    // The last minutes, so that charts of a picture are not empty. The real one starts with now.
    if (world.host !== null)
      for (let seconds = 150; seconds >= 0; seconds -= 1)
        response.write(`event: health\ndata: ${JSON.stringify(healthAt(world, seconds))}\n\n`);
    response.on('close', () => streams.delete(response));
    return;
  }
  try {
    const isWrite = request.method !== 'GET' && path !== 'session' && path !== 'sign-up';
    if (isWrite && request.headers['x-csrf-token'] !== world.session.csrfToken)
      fail('csrf-missing', 'This page is out of date. Please load it again.');
    if (path !== 'session' && path !== 'sign-up') {
      if (me().mustChangePassword && path !== 'session/password')
        fail('password-change-needed', 'Please choose a password of your own first.');
    }
    for (const [method, pattern, run] of routes) {
      const match = method === request.method ? pattern.exec(path) : null;
      if (match === null) continue;
      const bytes = (): Promise<Buffer> => bytesOf(request);
      const body = async (): Promise<unknown> => JSON.parse((await bytes()).toString() || '{}');
      const answer = await run({ url, parameters: match.slice(1), body, bytes, headers: request.headers, response });
      if (Buffer.isBuffer(answer.body))
        response.writeHead(answer.status, { 'content-type': 'application/octet-stream' }).end(answer.body);
      else if (answer.body === undefined) response.writeHead(answer.status).end();
      else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
      return;
    }
    fail('not-found', `There is nothing at ${request.method ?? ''} ${path}.`);
  } catch (error) {
    const known =
      error instanceof HoldfastError
        ? error
        : new HoldfastError('input-invalid', error instanceof Error ? error.message : String(error));
    response
      .writeHead(ERRORS[known.code].status, { 'content-type': 'application/json' })
      .end(JSON.stringify(known.toBody()));
  }
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://stand-in');
  if (url.pathname.startsWith('/stand-in/') && request.method === 'POST') {
    const name = url.pathname.slice('/stand-in/'.length);
    hangs = name === 'hang';
    if (!hangs) world = startWorld(name);
    response.writeHead(204).end();
  } else if (url.pathname.startsWith('/api/holdfast/')) {
    void answerApi(request, response, url);
  } else {
    const wanted = join(DIST, normalize(url.pathname));
    const file =
      extname(wanted) !== '' && wanted.startsWith(DIST) && existsSync(wanted) ? wanted : join(DIST, 'index.html');
    const known = extname(file) !== '.html' || new RegExp(pagesPattern(), 'u').test(url.pathname);
    response.writeHead(known ? 200 : 404, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'content-security-policy': POLICY,
    });
    createReadStream(file).pipe(response);
  }
});

setInterval(() => {
  if (!hangs) emit('heartbeat', { at: new Date().toISOString(), agentSilentSince: null });
}, 2000).unref();

// A rebuild that goes on, so that live updates can be seen.
setInterval(() => {
  for (const operation of world.operations) {
    if (operation.state !== 'running' || operation.progress === null || STILL || hangs) continue;
    operation.progress = operation.progress >= 0.99 ? 0.05 : operation.progress + 0.01;
    emit('operation', operation);
  }
}, 700).unref();
setInterval(() => {
  if (STILL || hangs) return;
  if (world.host !== null) emit('health', healthAt(world, 0));
  if (world.drillSecond !== null) {
    world.drillSecond += 0.5;
    const [first, ...rest] = world.runs;
    if (first === undefined || first.finishedAt !== null) return;
    const { id, drill, title, where, reaction } = first;
    const fresh = drillRun(world.drillSecond > 67 ? 'passed' : 'running', Math.min(67, world.drillSecond));
    world.runs = [{ ...fresh, id, drill, title, where, reaction }, ...rest];
    if (world.drillSecond > 67) world.drillSecond = null;
    emit('drill', world.runs[0]);
  }
}, 500).unref();

// Port 0 is any free one; the line says which.
server.listen(Number(process.argv[2] ?? '8090'), '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  console.log(`The stand-in answers at http://127.0.0.1:${port}/ (${Object.keys(SCENARIOS).join(', ')})`);
});
