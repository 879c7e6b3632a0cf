import { createHash } from 'node:crypto';
import type { SiteView } from '../../src/protocol/browser.ts';
import { HoldfastError } from '../../src/protocol/errors.ts';
import type { FileEntry } from '../../src/protocol/files.ts';
import { fail, find, type Kit, me, pathOf } from './kit.ts';
import { ago, limits, site as makeSite, status } from './scenarios.ts';
import type { Handlers, StreamHandlers } from './table-router.ts';

/** The part of the stand-in that a member sees: sign-in, dashboard, sites, files. */
export function memberRoutes(kit: Kit): Handlers {
  return { ...sessionRoutes(kit), ...siteRoutes(kit), ...fileRoutes(kit) };
}

function sessionRoutes(kit: Kit) {
  const { world, setWorld, startWorld } = kit;
  const enter = ({ body: { username, password } }: { body: { username: string; password: string } }) => {
    if (password === 'wrong') fail('wrong-password', 'The name or the password is not right.');
    const { signUpOpen, platform } = world().session;
    setWorld(startWorld(username === 'operator' ? 'operator' : 'busy'));
    world().session = { ...world().session, signUpOpen, platform };
    return world().session;
  };
  return {
    'session.get': () => world().session,
    'session.signIn': enter,
    'session.signUp': enter,
    'session.signOut': () => {
      world().session = { ...world().session, account: null, csrfToken: null };
    },
    'session.changePassword': ({ body }) => {
      if (body.current === 'wrong') fail('wrong-password', 'The current password is not right.', 'current');
      world().session = { ...world().session, account: { ...me(kit), mustChangePassword: false } };
      return world().session;
    },
    'session.renewToken': () => {
      world().session = { ...world().session, account: { ...me(kit), hasToken: true } };
      return { token: '0f3a'.repeat(10) };
    },
    'dashboard.get': () => {
      const { name, plan, role } = me(kit);
      const operator = role === 'operator';
      const { sites, disk, notices, accounts, volumes, operations, agentReachable, platformNotices } = world();
      return {
        account: operator
          ? null
          : {
              name,
              plan,
              limits: { ...limits, sites: Math.max(limits.sites, sites.length) },
              disk,
              sites,
              pythons: [
                { version: '3.11', path: '/usr/bin/python3.11', uwsgiPlugin: true },
                { version: '3.13', path: '/opt/python3.13', uwsgiPlugin: false },
              ],
              notices,
            },
        platform: operator
          ? {
              accounts: accounts.filter((account) => account.role === 'member').length,
              sites: sites.length,
              sitesAwake: sites.filter((each) => each.status?.state === 'awake').length,
              sitesStopped: sites.filter((each) => each.storage === 'stopped').length,
              sitesFailed: sites.filter((each) => each.status?.state === 'failed').length,
              volumes,
              operations,
              agentReachable,
              notices: platformNotices,
            }
          : null,
      };
    },
  } satisfies Handlers;
}

function siteRoutes(kit: Kit) {
  const { world, emit } = kit;
  const change = (id: string, patch: Partial<SiteView>): SiteView => {
    const old = find(world().sites, (each) => each.id === id);
    const fresh = { ...old, ...patch };
    world().sites = world().sites.map((each) => (each.id === id ? fresh : each));
    emit({ event: 'site', data: fresh });
    return fresh;
  };
  const act = (id: string, action: 'reload' | 'back' | 'enable' | 'disable'): SiteView => {
    const old = find(world().sites, (each) => each.id === id);
    if (action === 'reload' && old.status?.failure)
      throw new HoldfastError('site-start-failed', old.status.failure.message, { details: old.status.failure.output });
    const state = action === 'disable' ? 'disabled' : action === 'enable' ? 'asleep' : 'awake';
    return change(id, {
      enabled: action !== 'disable',
      status: status(id, state, { generation: (old.status?.generation ?? 0) + 1, since: new Date().toISOString() }),
    });
  };
  return {
    'sites.list': ({ query: { account } }) =>
      world().sites.filter((each) => account === undefined || each.account === account),
    'sites.create': ({ body }) => {
      if (world().sites.some((each) => each.domain === body.domain))
        fail('domain-taken', `"${body.domain}" is in use.`, 'domain');
      const fresh = makeSite(me(kit).name, body.domain, 'awake', {
        kind:
          body.quickstart === 'static'
            ? 'static'
            : body.quickstart === 'command' || body.quickstart === 'fastapi'
              ? 'command'
              : 'wsgi',
        command: body.command ?? '',
      });
      world().sites.push(fresh);
      emit({ event: 'site', data: fresh });
      return fresh;
    },
    'sites.get': ({ params }) => find(world().sites, (each) => each.id === params.id),
    'sites.update': ({ params, body: { staticFiles, staticHeaders, protection, certificate, ...plain } }) =>
      change(params.id, {
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
    'sites.delete': ({ params: { id } }) => {
      world().sites = world().sites.filter((each) => each.id !== id);
      emit({ event: 'site', data: { id, removed: true } });
    },
    'sites.reload': ({ params }) => act(params.id, 'reload'),
    'sites.back': ({ params }) => act(params.id, 'back'),
    'sites.enable': ({ params }) => act(params.id, 'enable'),
    'sites.disable': ({ params }) => act(params.id, 'disable'),
    'sites.log': ({ params, query }) => {
      const lines = (world().logs[`${params.id}/${params.kind}`] ?? []).slice(-query.lines);
      return { lines, sizeBytes: lines.join('\n').length };
    },
  } satisfies Handlers;
}

function entryAt(path: string, type: FileEntry['type'], size: number): FileEntry {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return { name, type, size, modifiedAt: new Date().toISOString(), mode: type === 'directory' ? 0o755 : 0o644 };
}

function fileRoutes(kit: Kit) {
  const { world } = kit;
  return {
    'files.list': ({ query }) => {
      const path = pathOf(kit, query.path);
      if (path.endsWith('/forbidden'))
        throw new HoldfastError(
          'storage-repair',
          'Your storage is being repaired. Nothing is lost; try again in a few seconds.',
          { retryAfterSeconds: 5 },
        );
      const here = world().files.get(path);
      if (here === undefined) fail('not-found', `No such file or directory: ${path}`, 'path');
      if (here.entry.type !== 'directory') fail('input-invalid', `${path} is not a directory.`, 'path');
      const entries = [...world().files]
        .filter(([other]) => other.startsWith(`${path}/`) && !other.slice(path.length + 1).includes('/'))
        .map(([, file]) => file.entry);
      return {
        path,
        entries: entries.slice(0, 1000),
        truncated: entries.length > 1000,
        writable: !path.startsWith('/var/log'),
      };
    },
    'files.makeDirectory': ({ body }) => {
      const path = pathOf(kit, body.path);
      const created = !world().files.has(path);
      if (created) world().files.set(path, { content: '', entry: entryAt(path, 'directory', 0) });
      return { created };
    },
    'files.rename': ({ body: { from, to } }) => {
      for (const [path, file] of Array.from(world().files)) {
        if (path !== from && !path.startsWith(`${from}/`)) continue;
        world().files.delete(path);
        world().files.set(
          to + path.slice(from.length),
          path === from ? { ...file, entry: { ...file.entry, name: to.slice(to.lastIndexOf('/') + 1) } } : file,
        );
      }
      return {};
    },
    'files.delete': ({ query }) => {
      const target = pathOf(kit, query.path);
      for (const path of Array.from(world().files.keys()))
        if (path === target || path.startsWith(`${target}/`)) world().files.delete(path);
    },
  } satisfies Handlers;
}

/** What is in a file, as bytes. */
export function fileStreams(kit: Kit): StreamHandlers {
  const { world } = kit;
  return {
    'files.read': ({ query }, { response }) => {
      const path = pathOf(kit, query.path);
      const file = world().files.get(path);
      if (file === undefined || file.entry.type === 'directory')
        fail('not-found', `No such file or directory: ${path}`, 'path');
      const bytes = file.content === '' ? Buffer.alloc(file.entry.size) : Buffer.from(file.content);
      response
        .writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes.length })
        .end(bytes);
    },
    'files.write': async ({ query }, { bytes, headers, response }) => {
      const path = pathOf(kit, query.path);
      const content = (await bytes()).toString();
      const there = world().files.get(path);
      const revision = there && createHash('sha256').update(there.content).digest('hex');
      const ifMatch = headers['if-match'];
      if (headers['if-none-match'] === '*' ? there !== undefined : ifMatch !== undefined && ifMatch !== `"${revision}"`)
        fail('file-changed', `${path} was changed since you opened it. Nothing was saved.`);
      world().files.set(path, { content, entry: entryAt(path, 'file', content.length) });
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ created: there === undefined }));
    },
  };
}
