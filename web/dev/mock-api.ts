import { createReadStream, existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { pagesPattern } from '../../src/model/pages.ts';
import { API_BASE } from '../../src/protocol/api/addresses.ts';
import { type ApiEvent, eventText } from '../../src/protocol/api/events.ts';
import { ERRORS, HoldfastError } from '../../src/protocol/errors.ts';
import { fail, type Kit, me } from './kit.ts';
import { fileStreams, memberRoutes } from './member-routes.ts';
import { operatorRoutes } from './operator-routes.ts';
import { SCENARIOS as OTHERS, type World } from './scenarios.ts';
import { taskRoutes } from './task-routes.ts';
import { TASK_SCENARIOS } from './task-scenarios.ts';
import { healthAt, storageRoutes, storageStreams } from './storage-routes.ts';
import { drillRun, STORAGE_SCENARIOS } from './storage-scenarios.ts';
import { answerByTable, type Handlers, type StreamHandlers } from './table-router.ts';

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

const SCENARIOS: Readonly<Record<string, () => World>> = { ...OTHERS, ...STORAGE_SCENARIOS, ...TASK_SCENARIOS };
const STILL = process.env['STAND_IN_STILL'] === '1';

let world: World = startWorld(process.argv[3] ?? 'busy');
const streams = new Set<ServerResponse>();

function startWorld(name: string): World {
  const make = SCENARIOS[name];
  if (make === undefined)
    throw new Error(`There is no scenario "${name}". There are: ${Object.keys(SCENARIOS).join(', ')}.`);
  return make();
}

function emit(event: ApiEvent): void {
  for (const stream of streams) stream.write(eventText(event));
}

function heartbeat(): ApiEvent {
  return { event: 'heartbeat', data: { at: new Date().toISOString(), agentSilentSince: world.agentSilentSince } };
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const kit: Kit = {
  world: () => world,
  setWorld: (next) => {
    world = next;
  },
  startWorld,
  emit,
};

const handlers: Handlers = { ...memberRoutes(kit), ...taskRoutes(kit), ...operatorRoutes(kit), ...storageRoutes(kit) };
const streamHandlers: StreamHandlers = {
  ...fileStreams(kit),
  ...storageStreams(kit),
  'events.follow': (_sent, { response }) => follow(response),
};

/** Keeps a page told. */
function follow(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.write('retry: 2000\n\n');
  response.write(eventText(heartbeat()));
  streams.add(response);
  // The last minutes, so that charts of a picture are not empty. The real one starts with now.
  if (world.host !== null)
    for (let seconds = 150; seconds >= 0; seconds -= 1)
      response.write(eventText({ event: 'health', data: healthAt(world, seconds) }));
  response.on('close', () => streams.delete(response));
}

/** As a control plane that hangs: connections are taken, nothing is said. */
let hangs = false;

async function answerApi(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  if (hangs) return;
  const path = url.pathname.slice(API_BASE.length);
  const method = request.method ?? 'GET';
  try {
    const anybody = path === 'session' || path === 'sign-up';
    if (method !== 'GET' && !anybody && request.headers['x-csrf-token'] !== world.session.csrfToken)
      fail('csrf-missing', 'This page is out of date. Please load it again.');
    if (!anybody && path !== 'events' && me(kit).mustChangePassword && path !== 'session/password')
      fail('password-change-needed', 'Please choose a password of your own first.');
    const call = { bytes: () => bytesOf(request), headers: request.headers, response };
    await answerByTable(handlers, streamHandlers, { method, url }, call);
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
  } else if (url.pathname.startsWith(API_BASE)) {
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
  if (!hangs) emit(heartbeat());
}, 2000).unref();

// A rebuild that goes on, so that live updates can be seen.
setInterval(() => {
  for (const operation of world.operations) {
    if (operation.state !== 'running' || operation.progress === null || STILL || hangs) continue;
    operation.progress = operation.progress >= 0.99 ? 0.05 : operation.progress + 0.01;
    emit({ event: 'operation', data: operation });
  }
}, 700).unref();
setInterval(() => {
  if (STILL || hangs) return;
  if (world.host !== null) emit({ event: 'health', data: healthAt(world, 0) });
  if (world.drillSecond !== null) {
    world.drillSecond += 0.5;
    const [first, ...rest] = world.runs;
    if (first === undefined || first.finishedAt !== null) return;
    const { id, drill, title, where, reaction } = first;
    const fresh = drillRun(world.drillSecond > 67 ? 'passed' : 'running', Math.min(67, world.drillSecond));
    const run = { ...fresh, id, drill, title, where, reaction };
    world.runs = [run, ...rest];
    if (world.drillSecond > 67) world.drillSecond = null;
    emit({ event: 'drill', data: run });
  }
}, 500).unref();

// Port 0 is any free one; the line says which.
server.listen(Number(process.argv[2] ?? '8090'), '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  console.log(`The stand-in answers at http://127.0.0.1:${port}/ (${Object.keys(SCENARIOS).join(', ')})`);
});
