import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_PLANS } from '../../model/plans.ts';
import { startPostgres, type TestPostgres } from '../testing/postgres.ts';
import {
  countAccounts,
  deleteAccountRow, findAccount, forgetLimitsTold, insertAccount, listAccounts, listPlans, listUnfinishedAccounts, nextNumber,
  putPlan, updateAccount, volumeOccupancy, type AccountRow,
} from './accounts.ts'; // prettier-ignore
import { insertAudit, listAudit, trimAudit } from './audit.ts';
import { someDrillRun } from '../testing/drill-run.ts';
import { someTrouble } from '../testing/memory-agent.ts';
import { deleteDrillRun, findDrillRun, listDrillRuns, putDrillRun, trimDrillRuns } from './drills.ts';
import {
  findIncident, findIncidentOf, insertIncident, insertNote, listIncidents, listNotes, listPublicNotes, listUnsettledIncidents,
  occupantsOf, trimIncidents, updateIncident, type IncidentRecord,
} from './incidents.ts'; // prettier-ignore
import {
  countNotifications,
  insertNotification,
  listNotifications,
  listWaiting,
  recordOutcome,
} from './notifications.ts';
import { openStore, type Store } from './open-store.ts';
import {
  deleteEndedSessions, findAccountByToken, findSession, hasToken, insertSession, putToken, touchSession,
} from './sessions.ts'; // prettier-ignore
import { DEFAULT_SETTINGS, readClosedVolumes, readSettings, writeClosedVolumes, writeSettings } from './settings.ts';
import {
  changeSite, changeSitesOf, countSites, countSitesByAccount, deleteShare, deleteSiteRow, ensureShare, findShareOf, findSite,
  findSiteByDomain, insertSite, insertStaticFile, insertStaticHeader, listSites, recordTold, replaceStaticFiles, updateStaticFile,
} from './sites.ts'; // prettier-ignore

import {
  deleteTask,
  findTask,
  insertTask,
  listAllTasks,
  listTasks,
  listUntoldTasks,
  recordTasksTold,
  recordTasksUntold,
  updateTask,
  type TaskValues,
} from './tasks.ts';
import { isUniqueViolation } from './unique-violation.ts';

const log = pino({ level: 'silent' });
const AT = '2026-01-01T00:00:00.000Z';

describe.each(['sqlite', 'postgres'] as const)('the store on %s', (engine) => {
  let postgres: TestPostgres | undefined;
  let directory: string;
  let databaseUrl: string | undefined;
  let store: Store;

  beforeAll(async () => {
    if (engine === 'postgres') postgres = await startPostgres();
  });
  afterAll(async () => {
    await postgres?.stop();
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'holdfast-store-'));
    databaseUrl = await postgres?.freshDatabase();
    store = await open();
  });
  afterEach(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  const open = (): Promise<Store> => openStore({ directory, databaseUrl, log });

  async function account(name: string, values: Partial<AccountRow> = {}): Promise<AccountRow> {
    const row = await insertAccount(store.database, {
      name,
      role: 'member',
      state: 'ready',
      disabled: 0,
      plan: 'standard',
      uid: await nextNumber(store.database, 'uid', 1_879_113_828),
      volume: 'v1',
      limits_told: 1,
      password_hash: 'h',
      must_change_password: 0,
      created_at: AT,
      ...values,
    });
    if (!row) throw new Error('taken');
    return row;
  }

  async function site(owner: AccountRow, domain: string): Promise<string> {
    const number = await nextNumber(store.database, 'site', 1);
    const id = number.toString(16).padStart(12, '0');
    const inserted = await insertSite(store.database, {
      id, number, account_id: owner.id, state: 'present', domain, kind: 'wsgi', enabled: 1, python_version: '3.11', virtualenv: '',
      source_directory: '', working_directory: '', command: '', force_https: 0, protection_enabled: 0, protection_username: '',
      protection_hash: '', stop_first: 0, workers: 1, revision: 1, told_revision: 0, quickstart: null, created_at: AT,
    }); // prettier-ignore
    return inserted ? id : '';
  }

  it('keeps tasks as they were made, and knows when the agent has to be told', async () => {
    const { database } = store;
    const alice = await account('alice');
    await account('bob');
    const values: TaskValues = {
      kind: 'scheduled',
      command: 'echo foo',
      description: 'says foo',
      enabled: true,
      schedule: { kind: 'cron', expression: '0 3 * * *', zone: 'Europe/Berlin' },
      skipLate: true,
      overlap: false,
    };
    const now = new Date(AT);
    const task = await insertTask(database, alice.id, values, 1, now);
    expect(task).toEqual({ ...values, id: task?.id, accountId: alice.id, createdAt: AT });
    expect(await insertTask(database, alice.id, values, 1, now)).toBeUndefined();
    const bot: TaskValues = { kind: 'always-on', command: 'bot', description: '', enabled: false };
    const other = await insertTask(database, alice.id, bot, 1, now);
    if (task === undefined || other === undefined) throw new Error('not made');
    expect(await listTasks(database, alice.id)).toEqual([task, other]);
    expect((await listAllTasks(database)).get(alice.id)).toEqual([task, other]);
    expect((await listUntoldTasks(database)).map((row) => row.name)).toEqual(['alice']);
    const { tasks_revision } = (await findAccount(database, 'alice')) ?? { tasks_revision: -1 };
    await recordTasksTold(database, alice.id, tasks_revision);
    expect(await listUntoldTasks(database)).toEqual([]);
    await recordTasksUntold(database, alice.id);
    expect(await listUntoldTasks(database)).toHaveLength(1);
    await updateTask(database, task, { ...values, command: 'echo bar' });
    expect(await findTask(database, alice.id, 'scheduled', task.id)).toMatchObject({ command: 'echo bar' });
    expect(await findTask(database, alice.id, 'always-on', task.id)).toBeUndefined();
    await deleteTask(database, task);
    expect(await listTasks(database, alice.id)).toEqual([other]);
  });

  it('makes no more tasks than the plan has, however many are asked for at once', async () => {
    const alice = await account('alice');
    const bot: TaskValues = { kind: 'always-on', command: 'bot', description: '', enabled: true };
    const made = await Promise.all(
      Array.from({ length: 6 }, async () => await insertTask(store.database, alice.id, bot, 3, new Date(AT))),
    );
    expect(made.filter((task) => task !== undefined)).toHaveLength(3);
  });

  it('answers, and is the database it says', async () => {
    await store.check();
    expect(store.engine).toBe(engine);
  });

  it('starts with the default plans and keeps everything over a restart', async () => {
    expect(Object.fromEntries(await listPlans(store.database))).toEqual(DEFAULT_PLANS);
    await account('alice');
    await store.close();
    store = await open();
    expect(await findAccount(store.database, 'alice')).toMatchObject({ name: 'alice', uid: 1_879_113_828 });
  });

  it('knows a refusal because of another row with the same value from every other one', async () => {
    const alice = await account('alice');
    await site(alice, 'one.test');
    const other = await site(alice, 'two.test');
    const refused = async (work: Promise<unknown>): Promise<unknown> => await work.catch((error: unknown) => error);
    expect(isUniqueViolation(await refused(changeSite(store.database, other, { domain: 'one.test' })))).toBe(true);
    const missing = sql`insert into sites (domain) values (null)`.execute(store.database);
    const why = await refused(missing);
    expect(why).toBeInstanceOf(Error);
    expect(isUniqueViolation(why)).toBe(false);
  });

  it('refuses a database that a newer version has changed', async () => {
    await sql`insert into kysely_migration (name, timestamp) values ('9999-from-the-future', ${AT})`.execute(
      store.database,
    );
    await expect(open()).rejects.toMatchObject({ code: 'state-too-new' });
  });

  it('can be opened by two processes at the same time', async () => {
    await store.close();
    if (postgres) databaseUrl = await postgres.freshDatabase();
    else await rm(directory, { recursive: true });
    const open2 = promisify(execFile)(process.execPath, [
      join(import.meta.dirname, '../testing/open-store-once.ts'),
      directory,
      databaseUrl ?? '',
    ]);
    const [first] = await Promise.all([open(), open2]);
    store = first;
    expect(await listAccounts(store.database)).toEqual([]);
  });

  it('gives every name out once', async () => {
    await account('alice');
    await expect(account('alice')).rejects.toThrow('taken');
    expect(await listAccounts(store.database)).toHaveLength(1);
  });

  it('never gives a number out twice, whatever is deleted', async () => {
    const first = await account('alice');
    await deleteAccountRow(store.database, first.id);
    expect((await account('alice')).uid).toBe((first.uid ?? 0) + 1);
    const many = await Promise.all(Array.from({ length: 10 }, () => nextNumber(store.database, 'site', 1)));
    expect(new Set(many).size).toBe(10);
    expect(Math.min(...many)).toBe(1);
  });

  it('finds the accounts that are unfinished', async () => {
    await account('alice');
    await account('bob', { state: 'creating' });
    await account('carol', { state: 'deleting' });
    await account('dave', { plan: 'large' });
    await account('boss', { volume: null, uid: null, state: 'creating' });
    await forgetLimitsTold(store.database, 'large');
    expect(await countAccounts(store.database)).toEqual({ members: 5, unfinished: 3 });
    const names = (await listUnfinishedAccounts(store.database)).map((row) => row.name);
    expect(names).toEqual(['bob', 'carol', 'dave']);
  });

  it('adds up what is promised on each volume', async () => {
    await account('alice');
    await account('bob', { plan: 'large' });
    await account('carol', { volume: 'v2' });
    await account('boss', { volume: null, uid: null });
    const { standard, large } = DEFAULT_PLANS;
    expect(Object.fromEntries(await volumeOccupancy(store.database))).toEqual({
      v1: { accounts: 2, promisedBytes: (standard?.diskBytes ?? 0) + (large?.diskBytes ?? 0) },
      v2: { accounts: 1, promisedBytes: standard?.diskBytes },
    });
  });

  it('keeps plans, also numbers above 2^31', async () => {
    const limits = { ...DEFAULT_PLANS['large']!, diskBytes: 5_000_000_000_000 };
    await putPlan(store.database, 'huge', limits);
    await putPlan(store.database, 'huge', limits);
    expect((await listPlans(store.database)).get('huge')).toEqual(limits);
  });

  it('keeps sessions until they end', async () => {
    const alice = await account('alice');
    const session = {
      id_hash: 'x',
      account_id: alice.id,
      csrf_token: 'c',
      created_at: AT,
      last_seen_at: AT,
      expires_at: '2026-02-01T00:00:00.000Z',
    };
    await insertSession(store.database, session);
    expect(await findSession(store.database, 'x')).toMatchObject({ session, account: { name: 'alice' } });
    await touchSession(store.database, 'x', '2026-01-02T00:00:00.000Z');
    await deleteEndedSessions(store.database, '2026-01-03T00:00:00.000Z', '2026-01-01T00:00:00.000Z');
    expect(await findSession(store.database, 'x')).toBeDefined();
    await deleteEndedSessions(store.database, '2026-01-03T00:00:00.000Z', '2026-01-02T00:00:00.000Z');
    expect(await findSession(store.database, 'x')).toBeUndefined();
    await insertSession(store.database, session);
    await deleteEndedSessions(store.database, '2026-02-01T00:00:00.000Z', '2025-01-01T00:00:00.000Z');
    expect(await findSession(store.database, 'x')).toBeUndefined();
  });

  it('has one token for an account, and lets the sessions and the token go with it', async () => {
    const alice = await account('alice');
    expect(await hasToken(store.database, alice.id)).toBe(false);
    await putToken(store.database, alice.id, 'one', AT);
    await putToken(store.database, alice.id, 'two', AT);
    expect(await findAccountByToken(store.database, 'one')).toBeUndefined();
    expect(await findAccountByToken(store.database, 'two')).toMatchObject({ id: alice.id, name: 'alice' });
    await deleteAccountRow(store.database, alice.id);
    expect(await findAccountByToken(store.database, 'two')).toBeUndefined();
  });

  it('keeps an account whose sites are still there', async () => {
    const alice = await account('alice');
    const id = await site(alice, 'a.example.com');
    await expect(deleteAccountRow(store.database, alice.id)).rejects.toThrow(/foreign key/i);
    await insertStaticFile(store.database, { site_id: id, url: '/', path: '/x' });
    await deleteSiteRow(store.database, id);
    await deleteAccountRow(store.database, alice.id);
    expect(await findAccount(store.database, 'alice')).toBeUndefined();
  });

  it('gives every domain out once', async () => {
    const alice = await account('alice');
    expect(await site(alice, 'a.example.com')).not.toBe('');
    expect(await site(alice, 'a.example.com')).toBe('');
    const other = await site(alice, 'b.example.com');
    await expect(changeSite(store.database, other, { domain: 'a.example.com' })).rejects.toThrow(/unique/i);
  });

  it('lets the revision grow with every change and finds what the agent has not confirmed', async () => {
    const alice = await account('alice');
    const id = await site(alice, 'a.example.com');
    const unfinished = async (): Promise<number> => (await listSites(store.database, { unfinished: true })).length;
    expect(await unfinished()).toBe(1);
    await recordTold(store.database, id, 1);
    expect(await unfinished()).toBe(0);
    await changeSite(store.database, id, { enabled: 0 });
    expect(await findSite(store.database, id)).toMatchObject({ revision: 2, told_revision: 1, enabled: 0 });
    await changeSitesOf(store.database, alice.id);
    await recordTold(store.database, id, 3);
    await recordTold(store.database, id, 2);
    expect(await findSite(store.database, id)).toMatchObject({ revision: 3, told_revision: 3 });
    await changeSite(store.database, id, { state: 'deleting' });
    await recordTold(store.database, id, 4);
    expect(await unfinished()).toBe(1);
    expect(await countSites(store.database, alice.id)).toBe(0);
    expect((await countSitesByAccount(store.database)).get(alice.id)).toBeUndefined();
  });

  it('gives each site its own mappings and headers, in their order', async () => {
    const alice = await account('alice');
    const bob = await account('bob', { disabled: 1 });
    const [a, b, c] = [
      await site(alice, 'a.example.com'),
      await site(alice, 'b.example.com'),
      await site(bob, 'c.example.com'),
    ];
    const first = await insertStaticFile(store.database, { site_id: a, url: '/a', path: '/1' });
    await insertStaticFile(store.database, { site_id: b, url: '/b', path: '/2' });
    await insertStaticFile(store.database, { site_id: a, url: '/c', path: '/3' });
    await insertStaticHeader(store.database, { site_id: c, url: '/', name: 'X', value: 'y' });
    const urls = async (accountId?: number): Promise<unknown> =>
      (await listSites(store.database, accountId === undefined ? {} : { accountId })).map((row) => [
        row.domain, row.account, row.accountDisabled, row.staticFiles.map((file) => file.url), row.staticHeaders.length,
      ]); // prettier-ignore
    const alices = [
      ['a.example.com', 'alice', false, ['/a', '/c'], 0],
      ['b.example.com', 'alice', false, ['/b'], 0],
    ];
    expect(await urls(alice.id)).toEqual(alices);
    expect(await urls()).toEqual([...alices, ['c.example.com', 'bob', true, [], 1]]);
    await updateStaticFile(store.database, first.id, { url: '/z' });
    await replaceStaticFiles(store.database, b, [
      { url: '/n', path: '/4' },
      { url: '/m', path: '/5' },
    ]);
    expect((await findSiteByDomain(store.database, 'a.example.com'))?.staticFiles.map((file) => file.url)).toEqual([
      '/z',
      '/c',
    ]);
    expect((await findSite(store.database, b))?.staticFiles.map((file) => file.url)).toEqual(['/n', '/m']);
  });

  it('shares a path once', async () => {
    const alice = await account('alice');
    const share = { token: 't1', account_id: alice.id, path: '/home/alice/x', created_at: AT };
    expect(await ensureShare(store.database, share)).toEqual({ token: 't1', created: true });
    expect(await ensureShare(store.database, { ...share, token: 't2' })).toEqual({ token: 't1', created: false });
    expect(await findShareOf(store.database, alice.id, '/home/alice/x')).toEqual(share);
    expect(await deleteShare(store.database, alice.id, '/home/alice/x')).toBe(true);
    expect(await deleteShare(store.database, alice.id, '/home/alice/x')).toBe(false);
  });

  it('keeps settings and closed volumes', async () => {
    expect(await readSettings(store.database)).toEqual(DEFAULT_SETTINGS);
    const changed = { ...DEFAULT_SETTINGS, signUpOpen: true };
    await writeSettings(store.database, changed);
    await writeSettings(store.database, changed);
    expect(await readSettings(store.database)).toEqual(changed);
    await writeClosedVolumes(store.database, new Set(['b', 'a']));
    expect([...(await readClosedVolumes(store.database))]).toEqual(['a', 'b']);
  });

  it('keeps the newest audit entries', async () => {
    for (let count = 0; count < 10; count += 1) {
      await insertAudit(store.database, {
        at: AT,
        actor: 'a',
        address: '',
        action: `act ${count}`,
        subject: '',
        outcome: 'ok',
        detail: '',
      });
    }
    expect((await listAudit(store.database, 2)).map((entry) => entry.action)).toEqual(['act 9', 'act 8']);
    await trimAudit(store.database, 3);
    expect(await listAudit(store.database, 100)).toHaveLength(3);
    await trimAudit(store.database, 3);
    expect(await listAudit(store.database, 100)).toHaveLength(3);
  });

  it('undoes a transaction that fails', async () => {
    const alice = await account('alice');
    const failing = store.database.transaction().execute(async (transaction) => {
      await updateAccount(transaction, alice.id, { disabled: 1 });
      throw new Error('stop here');
    });
    await expect(failing).rejects.toThrow('stop here');
    expect(await findAccount(store.database, 'alice')).toMatchObject({ disabled: 0 });
  });

  it.runIf(engine === 'postgres')(
    'goes on when the server ends a connection in the midst of a transaction',
    async () => {
      const broken = store.database.transaction().execute(async (transaction) => {
        const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(transaction);
        // Nothing is asked on that connection while it ends: nobody waits there who would be told.
        await sql`select pg_terminate_backend(${rows[0]?.pid}, 5000)`.execute(store.database);
        await sql`select 1`.execute(transaction);
      });
      await expect(broken).rejects.toThrow(/terminat|not queryable/);
      await store.check();
    },
  );

  function record(trouble: string, values: Partial<IncidentRecord> = {}): Omit<IncidentRecord, 'id'> {
    return {
      trouble: someTrouble(trouble), state: 'open', severity: 'minor', worst: 'major', openedAt: AT, resolvedAt: null, accounts: ['alice'],
      sites: 2, requests: null, counted: false, entries: [{ at: AT, kind: 'impact', text: 'x' }], told: null, ...values,
    }; // prettier-ignore
  }

  it('keeps one incident per trouble, numbered from 1, whole over a change and a restart', async () => {
    const first = await insertIncident(store.database, record('t1'));
    expect(await insertIncident(store.database, record('t1', { sites: 9 }))).toEqual(first);
    expect((await insertIncident(store.database, record('t2'))).trouble.id).toBe('t2');
    expect([first.id, first.sites]).toEqual([1, 2]);
    const requests = { delayed: 3, failed: 1, longestMs: 1200.5 };
    const told = { what: 'opened' as const, severity: 'major' as const, mustAct: null };
    const changed = { ...first, state: 'resolved' as const, resolvedAt: AT, requests, told, counted: true };
    await updateIncident(store.database, changed);
    await store.close();
    store = await open();
    expect(await findIncident(store.database, 1)).toEqual(changed);
    expect((await findIncidentOf(store.database, 't1'))?.id).toBe(1);
    expect((await listIncidents(store.database, { state: 'resolved', limit: 10 })).map((known) => known.id)).toEqual([
      1,
    ]);
    expect((await listIncidents(store.database, { limit: 1 })).map((known) => known.trouble.id)).toEqual(['t2']);
    expect((await listUnsettledIncidents(store.database)).map((known) => known.trouble.id)).toEqual(['t2']);
  });

  it('forgets old incidents with all that hangs on them, but none that is open', async () => {
    for (const trouble of ['t1', 't2', 't3', 't4']) {
      const state = trouble === 't1' ? ('open' as const) : ('resolved' as const);
      const { id } = await insertIncident(
        store.database,
        record(trouble, { state, resolvedAt: state === 'open' ? null : AT }),
      );
      await insertNote(store.database, id, { at: AT, by: 'op', text: trouble, public: true });
    }
    await trimIncidents(store.database, 2);
    expect((await listIncidents(store.database, { limit: 10 })).map((known) => known.trouble.id)).toEqual([
      't4',
      't3',
      't1',
    ]);
    expect((await listPublicNotes(store.database, AT)).map((note) => note.text)).toEqual(['t1', 't3', 't4']);
    expect(await listPublicNotes(store.database, '2027-01-01T00:00:00.000Z')).toEqual([
      { trouble: 't1', at: AT, text: 't1' },
    ]);
  });

  it('knows who lives on a volume, and keeps the notes of operators in order', async () => {
    const alice = await account('alice');
    await account('bob', { volume: 'v2' });
    await site(alice, 'a.example.com');
    const going = await site(alice, 'gone.example.com');
    await changeSite(store.database, going, { state: 'deleting' });
    expect(await occupantsOf(store.database, 'v1')).toEqual({ accounts: ['alice'], domains: ['a.example.com'] });
    const { id } = await insertIncident(store.database, record('t1'));
    const notes = ['one', 'two'].map((text) => ({ at: AT, by: 'op', text, public: text === 'two' }));
    for (const note of notes) await insertNote(store.database, id, note);
    expect(await listNotes(store.database, id)).toEqual(notes);
  });

  it('keeps what is to be told until it has been, by channel and in order', async () => {
    const { id } = await insertIncident(store.database, record('t1'));
    const news = {
      incident_id: id,
      at: AT,
      what: 'opened',
      state: 'waiting',
      outcome: 'is being sent',
      content: '{}',
    } as const;
    for (const channel of ['webhook', 'email', 'webhook'] as const)
      await insertNotification(store.database, { ...news, channel });
    const [first, second] = await listWaiting(store.database, 'webhook', 10);
    await recordOutcome(store.database, first?.id ?? 0, 'sent', 'sent');
    expect((await listWaiting(store.database, 'webhook', 10)).map((row) => row.id)).toEqual([second?.id]);
    expect((await listNotifications(store.database, id)).map((entry) => entry.outcome)).toEqual([
      'sent',
      'is being sent',
      'is being sent',
    ]);
    expect(await countNotifications(store.database)).toEqual(
      expect.arrayContaining([
        { channel: 'webhook', state: 'sent', count: 1 },
        { channel: 'webhook', state: 'waiting', count: 1 },
        { channel: 'email', state: 'waiting', count: 1 },
      ]),
    );
  });

  it('keeps runs of drills', async () => {
    for (const minute of [1, 2, 3]) {
      await putDrillRun(
        store.database,
        someDrillRun(`run-${minute}`, { startedAt: `2026-01-01T00:0${minute}:00.000Z` }),
      );
    }
    await putDrillRun(
      store.database,
      someDrillRun('run-2', { startedAt: '2026-01-01T00:02:00.000Z', state: 'passed' }),
    );
    expect((await findDrillRun(store.database, 'run-2'))?.state).toBe('passed');
    await trimDrillRuns(store.database, 2);
    expect((await listDrillRuns(store.database)).map((run) => run.id)).toEqual(['run-3', 'run-2']);
    await deleteDrillRun(store.database, 'run-3');
    expect(await findDrillRun(store.database, 'run-3')).toBeUndefined();
  });
});
