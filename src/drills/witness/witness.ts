import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resourceUsage } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { readAnswer } from '../../protocol/api/answer.ts';
import { apiRequest, streamRequest } from '../../protocol/api/request.ts';
import type { TaskRun } from '../../protocol/tasks.ts';
import { until } from '../../runtime/deadline.ts';
import { readIdentity } from '../../runtime/identity.ts';
import { RpcClient } from '../../runtime/rpc-client.ts';
import { HttpClient, type Answer, type Call, type Place } from '../http.ts';
import { Book, type Entry, type Outcome } from './book.ts';
import { Ledger } from './ledger.ts';
import type { Kind, TaskTally, VolumeLive, WitnessAccount, WitnessCommand, WitnessResult, Window } from './messages.ts';
import { Pace } from './pace.ts';
import { sumOf, tallyRuns } from './task-runs.ts';

type Start = Extract<WitnessCommand, { type: 'start' }>;
type Finish = Extract<WitnessCommand, { type: 'finish' }>;

/** Requests to a site in turn: a page out of memory, a read from the disk, a write that is synced. */
export const MIX = ['page', 'cold', 'write'] as const;
const UPLOAD = randomBytes(64 * 1024);
const UPLOAD_NAMES = 4;
const READ_BACK_TRIES = 5;
/** Starts of one account at the same time would only wait for each other. */
const PUT_TO_SLEEP_DEADLINE_MS = 20_000;
/** A run that was due less than this ago, milliseconds, need not have begun. */
const TASK_TIME_MS = 20_000;

/** Drives the members' side of a platform and writes down what they feel. Knows the platform from outside only. */
export class Witness implements Disposable {
  readonly #setup: Start;
  readonly #http = new HttpClient();
  readonly #api: Place;
  readonly #book = new Book();
  readonly #ledgers = new Map<string, Ledger>();
  readonly #paces: Pace[] = [];
  readonly #agent: RpcClient;
  readonly #busy = new Set<string>();
  readonly #boots = new Map<string, { at: number; boot: string }[]>();
  readonly #note: (text: string) => void;
  /** When the witness began, milliseconds since 1970. */
  #began = 0;
  #uploads = 0;
  #resent = 0;

  constructor(setup: Start, note: (text: string) => void) {
    this.#setup = setup;
    this.#note = note;
    const authority = readFileSync(setup.authorityFile, 'utf8');
    this.#api = { host: `www.${setup.domain}`, at: { port: setup.httpsPort, authority } };
    this.#agent = new RpcClient({ socketPath: setup.agentSocket }, readIdentity(setup.identityDirectory));
    for (const account of setup.accounts) this.#ledgers.set(account.name, new Ledger(account.name));
  }

  start(): void {
    this.#began = now();
    const { accounts, paces } = this.#setup;
    const steady = accounts.filter((account) => account.role !== 'starts');
    // Evenly spread: all accounts together make one even stream.
    const beginnings = placesInMix(steady);
    steady.forEach((account, index) => {
      let count = beginnings[index] ?? index;
      const offset = (paces.site * index) / steady.length;
      this.#add(paces.site, offset, (due) => {
        const kind = MIX[count % MIX.length] ?? 'page';
        count += 1;
        return this.#site(account, kind, due);
      });
    });
    this.#inTurn(paces.start, byRole(accounts, 'starts'), (account) => this.#start(account));
    this.#inTurn(paces.reload, byRole(accounts, 'reloads'), (account, due) => this.#reload(account, due));
    this.#inTurn(paces.upload, accounts, (account, due) => this.#upload(account, due));
    this.#inTurn(paces.api, accounts, (account, due) => this.#dashboard(account, due));
    this.#inTurn(paces.signIn, accounts, (account, due) => this.#signIn(account, due));
    for (const pace of this.#paces) pace.start();
  }

  #add(everyMs: number, offsetMs: number, act: (due: number) => Promise<void>): void {
    this.#paces.push(
      new Pace(everyMs, offsetMs, (due) => {
        act(due).catch((error: unknown) => this.#note(`the witness itself failed: ${String(error)}`));
      }),
    );
  }

  #inTurn(
    everyMs: number | null,
    accounts: readonly WitnessAccount[],
    act: (account: WitnessAccount, due: number) => Promise<void>,
  ): void {
    if (everyMs === null || accounts.length === 0) return;
    const turns = acrossVolumes(accounts);
    let count = 0;
    this.#add(everyMs, everyMs / 3, async (due) => {
      const account = turns[count % turns.length];
      count += 1;
      if (account !== undefined) await act(account, due);
    });
  }

  hush(): void {
    for (const pace of this.#paces) pace.stop();
  }

  get waiting(): number {
    return this.#book.waiting;
  }

  live(): VolumeLive[] {
    const volumes = [...new Set(this.#setup.accounts.map((account) => account.volume))].sort();
    return this.#book.live(volumes, now());
  }

  /** Reads every acknowledged write back, each from its own site. */
  async finish(command: Finish): Promise<WitnessResult> {
    this.hush();
    // What waits is part of the result; it is waited for as long as a request may take.
    await until(() => this.#book.waiting === 0, 'the end of the last requests', this.#setup.deadlineMs + 10_000).catch(
      () => this.#note(`${this.#book.waiting} requests were never answered`),
    );
    const end = now();
    const hurt = new Set(command.hurt);
    const { accounts } = this.#setup;
    let lost = 0;
    let acknowledged = 0;
    const unreadable: string[] = [];
    for (const account of accounts) {
      const ledger = this.#ledgers.get(account.name);
      if (ledger === undefined || ledger.acknowledged === 0) continue;
      acknowledged += ledger.acknowledged;
      const text = await this.#readBack(account);
      if (text === undefined) unreadable.push(account.name);
      const missing = ledger.missingFrom(text ?? '');
      lost += missing.length;
      if (missing.length > 0) this.#note(`${account.name} lost ${missing.length} writes, the first is ${missing[0]}`);
    }
    const use = resourceUsage();
    return {
      affectedAccounts: accounts.filter((account) => hurt.has(account.volume)).length,
      unaffectedAccounts: accounts.filter((account) => !hurt.has(account.volume)).length,
      windows: Object.fromEntries(
        command.windows.map((window) => [window.name, this.#book.window(window, hurt, command.blackouts, end)]),
      ),
      acknowledgedWrites: acknowledged,
      lostWrites: lost,
      unreadable,
      restarted: this.#restarted(command.bootsFrom, command.bootsTo),
      tasks: await this.#tasks(hurt, command.blackouts),
      failures: this.#book.failures(command.blackouts, end),
      resent: this.#resent,
      peakMemoryBytes: use.maxRSS * 1024,
      cpuSeconds: (use.userCPUTime + use.systemCPUTime) / 1e6,
    };
  }

  /** What became of every run that was due since the witness began and has had time to start. */
  async #tasks(
    hurt: ReadonlySet<string>,
    blackouts: readonly Pick<Window, 'from' | 'to'>[],
  ): Promise<WitnessResult['tasks']> {
    const accounts = this.#setup.accounts.filter((account) => account.taskId !== null);
    if (accounts.length === 0) return null;
    const span = { from: this.#began, to: now() - TASK_TIME_MS };
    const tallies: { hurt: boolean; tally: TaskTally }[] = [];
    for (const account of accounts) {
      const runs = await this.#runsOf(account);
      tallies.push({ hurt: hurt.has(account.volume), tally: tallyRuns(runs, span, blackouts) });
    }
    return {
      affected: sumOf(tallies.filter((one) => one.hurt).map((one) => one.tally)),
      unaffected: sumOf(tallies.filter((one) => !one.hurt).map((one) => one.tally)),
    };
  }

  /** Nothing that can be read counts as no run at all. */
  async #runsOf(account: WitnessAccount): Promise<TaskRun[]> {
    const { method, path } = apiRequest('tasks.get', { params: { id: account.taskId ?? 0 } });
    try {
      const answer = await this.#http.send(this.#api, {
        method,
        path,
        headers: { authorization: `Token ${account.token}` },
        deadlineMs: 60_000,
      });
      const task = readAnswer('tasks.get', answer.status, JSON.parse(answer.body.toString('utf8')));
      return task.kind === 'scheduled' ? (task.status?.runs ?? []) : [];
    } catch (error) {
      this.#note(`the runs of ${account.name}'s task: ${String(error)}`);
      return [];
    }
  }

  async #readBack(account: WitnessAccount): Promise<string | undefined> {
    for (let count = 0; count < READ_BACK_TRIES; count += 1) {
      try {
        const answer = await this.#http.send(this.#placeOf(account), { path: '/written', deadlineMs: 60_000 });
        if (answer.status === 200) return answer.body.toString('utf8');
        this.#note(`reading back ${account.name}: ${answer.status} ${answer.body.toString('utf8').slice(0, 100)}`);
      } catch (error) {
        this.#note(`reading back ${account.name}: ${String(error)}`);
      }
      await pause(2_000);
    }
    return undefined;
  }

  /** Sites with a steady stream whose program changed: those that are reloaded or put to sleep here are meant to change. */
  #restarted(from: number, to: number): string[] {
    return byRole(this.#setup.accounts, 'steady')
      .filter((account) => {
        const boots = this.#boots.get(account.name) ?? [];
        const before = boots.filter((boot) => boot.at < from).at(-1);
        return boots.some(
          (boot) => boot.at >= from && boot.at < to && before !== undefined && boot.boot !== before.boot,
        );
      })
      .map((account) => account.name);
  }

  #placeOf(account: WitnessAccount): Place {
    return { host: account.domain, at: { port: this.#setup.httpPort } };
  }

  async #site(account: WitnessAccount, what: 'page' | 'cold' | 'write', due: number): Promise<void> {
    const entry = this.#book.begin(account, what === 'write' ? 'write' : 'site', due);
    const ledger = this.#ledgers.get(account.name);
    if (what !== 'write' || ledger === undefined) {
      await this.#ask(entry, this.#placeOf(account), { path: what === 'cold' ? '/cold' : '/' });
      return;
    }
    const { seq, check } = ledger.next();
    const path = `/write?seq=${seq}&check=${check}`;
    const answer = await this.#ask(entry, this.#placeOf(account), { method: 'POST', path, body: '' });
    if (answer?.status === 200) ledger.acknowledge(seq);
  }

  async #start(account: WitnessAccount): Promise<void> {
    if (this.#busy.has(account.name)) return; // Its last start still goes on, and is counted there.
    this.#busy.add(account.name);
    try {
      await Promise.race([
        this.#agent.call('sites.sleep', { id: account.siteId }),
        pause(PUT_TO_SLEEP_DEADLINE_MS).then(() => {
          throw new Error('not asleep in time');
        }),
      ]);
      // Putting it to sleep is the witness's own doing; what counts is how long the visitor who wakes it waits.
      await this.#ask(this.#book.begin(account, 'start', now()), this.#placeOf(account), { path: '/' });
    } catch (error) {
      this.#note(
        `${account.name} could not be put to sleep: ${error instanceof Error ? error.message : String(error)}`,
      );
    } finally {
      this.#busy.delete(account.name);
    }
  }

  async #reload(account: WitnessAccount, due: number): Promise<void> {
    if (this.#busy.has(account.name)) return;
    this.#busy.add(account.name);
    try {
      await this.#callApi(account, 'reload', due, apiRequest('sites.reload', { params: { id: account.siteId } }));
    } finally {
      this.#busy.delete(account.name);
    }
  }

  async #upload(account: WitnessAccount, due: number): Promise<void> {
    this.#uploads += 1;
    const path = `/home/${account.name}/uploads/${this.#uploads % UPLOAD_NAMES}.bin`;
    await this.#callApi(account, 'upload', due, {
      ...streamRequest('files.write', { query: { path } }),
      headers: { 'content-type': 'application/octet-stream' },
      body: UPLOAD,
    });
  }

  async #dashboard(account: WitnessAccount, due: number): Promise<void> {
    await this.#callApi(account, 'api', due, apiRequest('dashboard.get'));
  }

  async #signIn(account: WitnessAccount, due: number): Promise<void> {
    await this.#ask(this.#book.begin(account, 'sign-in', due), this.#api, {
      ...apiRequest('session.signIn', { body: { username: account.name, password: account.password } }),
      headers: { 'content-type': 'application/json' },
    });
  }

  async #callApi(account: WitnessAccount, kind: Kind, due: number, call: Omit<Call, 'deadlineMs'>): Promise<void> {
    await this.#ask(this.#book.begin(account, kind, due), this.#api, {
      ...call,
      headers: { authorization: `Token ${account.token}`, ...call.headers },
    });
  }

  async #ask(entry: Entry, place: Place, call: Omit<Call, 'deadlineMs'>): Promise<Answer | undefined> {
    try {
      const answer = await this.#http.send(place, { ...call, deadlineMs: this.#setup.deadlineMs });
      const outcome = outcomeOf(answer);
      const what = outcome === 'ok' ? '' : `${answer.status} ${answer.body.toString('utf8').slice(0, 120)}`;
      this.#book.end(entry, now(), outcome, what);
      if (answer.resent) this.#resent += 1;
      const boot = answer.headers['x-drill-boot'];
      if (typeof boot === 'string') this.#seeBoot(entry.account.name, boot);
      return answer;
    } catch (error) {
      const { name, message } = error as Error;
      const text = name === 'TimeoutError' ? `no answer within ${this.#setup.deadlineMs / 1000} s` : message;
      this.#book.end(entry, now(), 'failed', text);
      return undefined;
    }
  }

  #seeBoot(account: string, boot: string): void {
    const boots = this.#boots.get(account) ?? [];
    if (boots.at(-1)?.boot !== boot) boots.push({ at: now(), boot });
    this.#boots.set(account, boots);
  }

  [Symbol.dispose](): void {
    this.hush();
    this.#http[Symbol.dispose]();
    this.#agent.close();
  }
}

export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Refused honestly: "come back later" (503 with Retry-After), or "no room" (507). Any other that is not 2xx is a failure. */
export function outcomeOf(answer: Pick<Answer, 'status' | 'headers'>): Outcome {
  if (answer.status >= 200 && answer.status < 300) return 'ok';
  if (answer.status === 503 && answer.headers['retry-after'] !== undefined) return 'refused';
  return answer.status === 507 ? 'refused' : 'failed';
}

function byRole(accounts: readonly WitnessAccount[], role: WitnessAccount['role']): WitnessAccount[] {
  return accounts.filter((account) => account.role === role);
}

/**
 * Where in the mix each account begins: the accounts of one volume one behind the other, so that its disks are asked for something all the time.
 * (By its number among all accounts, those of one of five volumes would write at the same moments, and then none of them for 1.4 s: a disk that
 * hangs then cannot be told from one that rests.)
 */
export function placesInMix(accounts: readonly Pick<WitnessAccount, 'volume'>[]): number[] {
  const volumes = [...new Set(accounts.map(({ volume }) => volume))];
  const taken = new Map<string, number>();
  return accounts.map(({ volume }) => {
    const place = taken.get(volume) ?? 0;
    taken.set(volume, place + 1);
    return place + volumes.indexOf(volume);
  });
}

/** One of each volume in turn, so that no volume is asked more often than another. */
export function acrossVolumes(accounts: readonly WitnessAccount[]): WitnessAccount[] {
  const volumes = new Map<string, WitnessAccount[]>();
  for (const account of accounts) volumes.set(account.volume, [...(volumes.get(account.volume) ?? []), account]);
  const lists = [...volumes.values()];
  const most = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: most }, (_, index) => lists.flatMap((list) => list[index] ?? [])).flat();
}
