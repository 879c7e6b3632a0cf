import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { wsgiFileName } from '../model/names.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { until } from '../runtime/deadline.ts';
import { markedFile } from './faults.ts';
import type { Platform } from './platform.ts';
import type { WitnessAccount } from './witness/messages.ts';

const SITE = readFileSync(join(import.meta.dirname, 'site', 'wsgi.py'), 'utf8');
/** How many accounts are made at the same time: making one is half waiting for the disk, half work. */
const AT_ONCE = 6;
const PAGE_BYTES = 2 * 1024 * 1024;
const FIRST_ANSWER_MS = 120_000;
const BALLAST_DEADLINE_MS = 120_000;

/** Runs `work` over the items, at most `parallel` at a time. */
export async function inParallel<T, R>(
  items: readonly T[],
  parallel: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++)
      results[index] = await work(items[index] as T, index);
  };
  await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, lane));
  return results;
}

export interface MemberPlan {
  name: string;
  volume: string;
  role: WitnessAccount['role'];
}

/**
 * Who lives where: spread evenly; on each volume one site is put to sleep and woken, one is reloaded (when there are enough), all
 * others have a steady stream of requests.
 */
export function planMembers(count: number, volumes: readonly string[]): MemberPlan[] {
  const places = Array.from({ length: count }, (_, index) => volumes[index % volumes.length] ?? '');
  return places.map((volume, index) => {
    const place = Math.floor(index / volumes.length);
    const role = place === 1 ? 'starts' : place === 2 ? 'reloads' : 'steady';
    return { name: `drill${String(index + 1).padStart(2, '0')}`, volume, role };
  });
}

/** Makes accounts, each with a site that answers. */
export async function makeMembers(
  platform: Platform,
  plans: readonly MemberPlan[],
  plan: string,
  signal: AbortSignal,
  onMade: (made: number) => void,
): Promise<WitnessAccount[]> {
  let made = 0;
  return await inParallel(plans, AT_ONCE, async (member) => {
    signal.throwIfAborted();
    const account = await makeMember(platform, member, plan);
    made += 1;
    onMade(made);
    return account;
  });
}

async function makeMember(
  platform: Platform,
  { name, volume, role }: MemberPlan,
  plan: string,
): Promise<WitnessAccount> {
  const password = randomBytes(12).toString('hex');
  const { api_token: token } = await platform.operator('accounts.create', {
    body: { username: name, password, plan, volume },
  });
  const domain = `${name}.${platform.configuration.domain}`;
  await platform.upload(token, `/home/${name}/drill/page.bin`, markedFile(name, PAGE_BYTES));
  const site = await platform.member(token, 'sites.create', { body: { domain, quickstart: 'manual' } });
  await platform.upload(token, `/var/www/${wsgiFileName(domain)}`, Buffer.from(SITE.replaceAll('__NAME__', name)));
  await firstAnswer(platform, domain, token, site.id);
  // One on each volume: many at the same moment of each minute would be a load of their own.
  const taskId = role === 'starts' ? await everyMinute(platform, token) : null;
  return { name, volume, domain, siteId: site.id, token, password, role, taskId };
}

/** A task that writes a line into the member's home each minute. Its number. */
async function everyMinute(platform: Platform, token: string): Promise<number> {
  const task = await platform.member(token, 'tasks.create', {
    body: {
      kind: 'scheduled',
      command: 'date -u +%H:%M >> drill/minutes',
      schedule: { kind: 'cron', expression: '* * * * *', zone: 'UTC' },
    },
  });
  return task.id;
}

/** The most of one account: with it the smallest plan still has room for what the drill writes. */
const BALLAST_PER_ACCOUNT_MIB = 400;

/** Files that cannot be compressed, written by the sites of these accounts into their homes, one after the other. */
export async function writeBallast(
  platform: Platform,
  accounts: readonly WitnessAccount[],
  mebibytes: number,
  signal: AbortSignal,
): Promise<void> {
  const each = Math.ceil(mebibytes / Math.max(1, accounts.length));
  if (each > BALLAST_PER_ACCOUNT_MIB)
    throw new HoldfastError(
      'input-invalid',
      `${mebibytes} MiB are too much for ${accounts.length} accounts: each may write ${BALLAST_PER_ACCOUNT_MIB} MiB. Take more accounts, or less.`,
    );
  for (const { domain, name } of each === 0 ? [] : accounts) {
    signal.throwIfAborted();
    const answer = await platform.http.send(
      { host: domain, at: { port: platform.configuration.httpPort } },
      { method: 'POST', path: `/ballast?mib=${each}`, body: '', deadlineMs: BALLAST_DEADLINE_MS },
    );
    if (answer.status !== 200)
      throw new Error(
        `${name} could not write ${each} MiB: ${answer.status} ${answer.body.toString('utf8').slice(0, 200)}`,
      );
  }
}

/** Wakes it; a start that read the starter project before ours was there is made good by a reload. */
async function firstAnswer(platform: Platform, domain: string, token: string, siteId: string): Promise<void> {
  let last = '';
  await until(
    async () => {
      const answer = await platform.http
        .send({ host: domain, at: { port: platform.configuration.httpPort } }, { path: '/', deadlineMs: 60_000 })
        .catch((error: unknown) => String(error));
      if (typeof answer === 'string') {
        last = answer;
        return false;
      }
      if (answer.status === 200 && answer.headers['x-drill-boot'] !== undefined) return true;
      last = `${answer.status} ${answer.body.toString('utf8').slice(0, 200)}`;
      if (answer.status === 200) await platform.member(token, 'sites.reload', { params: { id: siteId } });
      return false;
    },
    `the first answer of ${domain}`,
    FIRST_ANSWER_MS,
    200,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)} Last: ${last}`, { cause: error });
  });
}

/** For a drill on the running platform: takes away what it made there. What is gone already is fine. */
export async function removeMembers(platform: Platform, names: readonly string[]): Promise<void> {
  await inParallel(names, AT_ONCE, async (name) => {
    const known = await platform.operator('accounts.list');
    if (!known.some((account) => account.name === name)) return;
    await platform.operator('accounts.delete', { params: { name }, query: { confirm: name } });
    await until(
      async () => !(await platform.operator('accounts.list')).some((account) => account.name === name),
      `removing the account ${name}`,
      120_000,
      200,
    );
  });
}
