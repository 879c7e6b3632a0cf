import type { FastifyInstance } from 'fastify';
import type { ServerResponse } from 'node:http';
import { eventText, type ApiEvent } from '../../../protocol/api/events.ts';
import type { StorageService } from '../../../protocol/browser.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { ControlContext } from '../../context.ts';
import { volumeView } from '../../platform/volume-view.ts';
import { HEALTH_EVERY_MS } from '../../platform/host-health.ts';
import type { WorldChange } from '../../platform/world.ts';
import { siteView } from '../../sites/site-view.ts';
import { findAccount, volumeOccupancy } from '../../store/accounts.ts';
import { countSites, findSite } from '../../store/sites.ts';
import { isOperator, requireAccount } from '../identity.ts';
import { accountView } from './accounts.ts';
import { serveStream } from './serve-stream.ts';

/** A reader that has let this much pile up is dropped; its browser connects again and asks for everything. */
const BUFFER_LIMIT_BYTES = 256 * 1024;
/** Silence is not health: a page that hears nothing for six seconds says that it is not up to date. Finds readers that are gone, too. */
const HEARTBEAT_MS = 2_000;
const READERS_PER_ACCOUNT = 20;
const READERS = 2_000;

interface Reader {
  response: ServerResponse;
  /** Account name; only its things are sent. */
  account: string | undefined;
  operator: boolean;
  /** Where the account lives. */
  volume: string | null;
}

/** Live updates as server-sent events, each with the whole view as data. */
export function registerEvents(server: FastifyInstance, context: ControlContext): void {
  const readers = new Set<Reader>();

  function send(reader: Reader, text: string): void {
    if (reader.response.writableLength > BUFFER_LIMIT_BYTES) {
      readers.delete(reader);
      reader.response.destroy();
      return;
    }
    reader.response.write(text);
  }

  /** To an operator: the dashboard is to be read again. */
  const dashboardChanged = eventText({ event: 'storage', data: { service: null } });

  /** What each volume did for its members when they were last told. */
  const services = new Map<string, StorageService>();

  /**
   * Members are told at once when the storage under them changes, and nothing of why: their dashboard says that. An incident always
   * changes it; figures of a volume only when they come to another service.
   */
  function tellStorage(change: WorldChange): void {
    const volume =
      change.type === 'volume'
        ? change.volume.name
        : change.type === 'trouble'
          ? change.trouble.volume
          : change.type === 'incident'
            ? change.incident.volume
            : null;
    if (volume === null) return;
    const service = context.world.serviceOf(volume);
    if (change.type !== 'incident' && (services.get(volume) ?? 'serving') === service) return;
    services.set(volume, service);
    for (const reader of readers) {
      const own = reader.volume === volume;
      if (own || reader.operator)
        send(reader, eventText({ event: 'storage', data: { service: own ? service : null } }));
    }
  }

  function heartbeatText(): string {
    const { agentSilentSince } = context.world;
    return eventText({ event: 'heartbeat', data: { at: context.now().toISOString(), agentSilentSince } });
  }

  async function tell(change: WorldChange): Promise<void> {
    tellStorage(change);
    if (change.type === 'agent') {
      for (const reader of readers) send(reader, heartbeatText());
      return;
    }
    const message = await messageFor(context, change);
    if (!message) return;
    const text = eventText(message);
    for (const reader of readers) {
      if (reader.operator || (message.account !== undefined && message.account === reader.account)) send(reader, text);
    }
    if (change.type === 'account') await dismiss(change.name);
  }

  /** Who may not sign in any more is not told any more either. */
  async function dismiss(name: string): Promise<void> {
    const account = await findAccount(context.database, name);
    for (const reader of readers) if (reader.account === name) reader.volume = account?.volume ?? null;
    if (account && account.disabled === 0 && account.state !== 'deleting') return;
    for (const reader of readers) {
      if (reader.account !== name) continue;
      readers.delete(reader);
      reader.response.end();
    }
  }

  // One after the other, so that an older view never overtakes a newer one.
  let last = Promise.resolve();
  let waiting = 0;
  const stopListening = context.world.listen((change) => {
    if (readers.size === 0) return;
    if (waiting > 1000) {
      // The store does not keep up; readers start afresh rather than getting half of it.
      for (const reader of readers) reader.response.destroy();
      readers.clear();
      return;
    }
    waiting += 1;
    last = last
      .then(() => tell(change))
      .catch((error: unknown) => context.log.error({ err: error }, 'an update could not be sent to the pages'))
      .finally(() => {
        waiting -= 1;
      });
  });
  /** The host is asked how it is only while an operator looks. */
  let watching: NodeJS.Timeout | undefined;
  let asking = false;
  function watchHealth(): void {
    watching ??= setInterval(() => {
      if (![...readers].some((reader) => reader.operator)) {
        clearInterval(watching);
        watching = undefined;
        return;
      }
      if (asking) return;
      asking = true;
      // Never rejects.
      void context.health.now().then((host) => {
        asking = false;
        const text = eventText({ event: 'health', data: { host } });
        for (const reader of readers) if (reader.operator) send(reader, text);
        return undefined;
      });
    }, HEALTH_EVERY_MS);
    watching.unref();
  }

  /** Its silence is told on the operator's dashboard, and has no event of its own. */
  let unwatchedSince: string | null = null;
  context.supervisor.onChange(({ silentSince }) => {
    if (silentSince === unwatchedSince) return;
    unwatchedSince = silentSince;
    for (const reader of readers) if (reader.operator) send(reader, dashboardChanged);
  });

  const heartbeat = setInterval(() => {
    const text = heartbeatText();
    for (const reader of readers) send(reader, text);
  }, HEARTBEAT_MS);
  heartbeat.unref();
  server.addHook('preClose', (done) => {
    clearInterval(heartbeat);
    clearInterval(watching);
    stopListening();
    for (const reader of readers) reader.response.end();
    readers.clear();
    done();
  });

  serveStream(server, 'events.follow', ({ request, reply }) => {
    const row = request.identity.kind === 'command-line' ? undefined : requireAccount(request);
    const account = row?.name;
    const own = [...readers].filter((reader) => reader.account === account).length;
    if (own >= READERS_PER_ACCOUNT || readers.size >= READERS) {
      throw new HoldfastError('too-many-requests', 'Too many pages are open. Close some of them.', {
        retryAfterSeconds: 30,
      });
    }
    reply.hijack();
    const response = reply.raw;
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    response.write('retry: 2000\n\n');
    const reader: Reader = { response, account, operator: isOperator(request.identity), volume: row?.volume ?? null };
    readers.add(reader);
    send(reader, heartbeatText());
    if (reader.operator) watchHealth();
    response.on('close', () => readers.delete(reader));
    response.on('error', () => readers.delete(reader));
  });
}

/** `account`: whose it is; undefined = the operator's only. */
type Message = ApiEvent & { account?: string };

async function messageFor(context: ControlContext, change: WorldChange): Promise<Message | undefined> {
  switch (change.type) {
    case 'volume':
      return { event: 'volume', data: volumeView(change.volume, await volumeOccupancy(context.database)) };
    case 'agent': // Every heartbeat says it.
    case 'trouble':
      return undefined; // The incident made of it is told instead.
    case 'incident':
      return { event: 'incident', data: change.incident };
    case 'drill':
      return { event: 'drill', data: change.run };
    case 'operation':
      return { event: 'operation', data: change.operation };
    case 'account': {
      const account = await findAccount(context.database, change.name);
      if (!account) return { event: 'account', data: { name: change.name, removed: true } };
      return {
        event: 'account',
        data: accountView(account, await countSites(context.database, account.id)),
        account: account.name,
      };
    }
    case 'task':
      return { event: 'task', data: change.task, account: change.task.account };
    case 'always-on':
      return { event: 'always-on', data: change.alwaysOn, account: change.alwaysOn.account };
    case 'site-removed':
      return { event: 'site', data: { id: change.id, removed: true }, account: change.account };
    case 'site':
    case 'site-changed':
      break;
  }
  const site = await findSite(context.database, change.type === 'site' ? change.site.id : change.id);
  if (!site || site.state === 'deleting') return undefined;
  return { event: 'site', data: siteView(context, site), account: site.account };
}
