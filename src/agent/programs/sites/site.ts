import { join } from 'node:path';
import {
  advance,
  crashDelayMs,
  newLife,
  wakeHoldOffMs,
  type SiteEvent,
  type SiteLife,
} from '../../../model/lifecycle.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { AccountSpec, SiteSpec, SiteStatus } from '../../../protocol/sites.ts';
import type { StoragePart } from '../../context.ts';
import { Drains } from './drains.ts';
import {
  drainTime,
  endGeneration,
  generationAlive,
  StartError,
  startGeneration,
  type Generation,
  type Ground,
} from './generation.ts';
import { modifiedAt } from '../output.ts';
import { tellOwner } from '../owner-line.ts';
import { leadersOf } from '../leaders.ts';
import type { GenerationRecord } from './records.ts';
import type { Compartments } from '../../../runtime/compartments.ts';
import { connectionsOf, knock, openToGateway } from './sockets.ts';
import { INTO_BACKGROUND } from './start-steps.ts';

export interface SiteGround extends Ground {
  /** Starts at a time, of each volume. */
  starts: Compartments;
  storage: Pick<StoragePart, 'homeOf'>;
  accountOf(name: string): AccountSpec | undefined;
  /** Throws `storage-repair` when the kernel holds so many ended programs of the volume that more must not be added. */
  assertRoom(volume: string): void;
}

/** Where somebody waits for the end: a change of definition has to be done within its call's 30 s. */
const SHORT_DRAIN_MS = 10_000;
/** A stop on its owner's word, and a reload that stops first: the site answers nobody meanwhile. */
const STOP_DRAIN_MS = 30_000;
/** How long the first answer is waited for, milliseconds. While a reload waits, visitors have the old code; PythonAnywhere waits as long. */
const ASK_MS = { start: 5_000, reload: 20_000, visitor: 0 } as const;
/** How long what ran before a reload that went wrong is kept to go back to. It takes its memory meanwhile. */
const KEEP_MS = 10 * 60_000;
/** A server looks at its WSGI file about once a second: what it says so soon after it was brought back is about the code that was left. */
const DEAF_MS = 3_000;

/**
 * One site: its desired state, its living generation, and the work that leads from one to the other. Work on a site is
 * done one piece after the other; everybody who wants it awake waits for the same start.
 */
export class Site {
  spec: SiteSpec;
  readonly #ground: SiteGround;
  #life: SiteLife;
  #since = new Date();
  #generation: Generation | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  /** The start or reload under way or queued, joined by whoever else wants the same. */
  #starting: Promise<void> | undefined;
  #reloading: Promise<void> | undefined;
  /** Generations that finish what they carry. */
  readonly #draining: Drains;
  /** A reload that was refused for want of room beside them: it is done when there is some. */
  #waiting = false;
  /** What last answered well, while reloads since then answer with an error, and when it is let go of. */
  /** `until` by performance.now(); `shownUntil` is the same by the time of day, ISO 8601. */
  #kept: { generation: Generation; until: number; shownUntil: string } | undefined;
  /** Up to then (performance.now()) a reload that is asked for from inside is not done. */
  #deafUntil = 0;
  #failures = 0;
  /** performance.now() of the last failure: nobody is held off for as long as the clock was set back. */
  #failedAt = -Infinity;
  #wokenAt = Date.now();
  #lastRequestAt: Date | null = null;
  #memoryBytes: number | null = null;
  #lastNumber = 0;
  /** Cuts the start under way short. */
  #cut: AbortController | undefined;
  #processes = 0;
  #closed = false;
  /** Wakes whoever waits out a crash's delay. */
  #hurry: (() => void) | undefined;
  /** A start that an earlier agent's death or closed storage cut short. */
  interrupted = false;

  constructor(ground: SiteGround, spec: SiteSpec) {
    this.#ground = ground;
    this.#draining = new Drains(ground, spec.id);
    this.spec = spec;
    this.#life = newLife(spec.enabled);
  }

  get status(): SiteStatus {
    const life = this.#life;
    return {
      id: this.spec.id,
      state: life.state,
      generation: life.generation,
      since: this.#since.toISOString(),
      failure: life.failure,
      remark: life.serving ? (this.#generation?.remark ?? null) : null,
      kept:
        this.#kept === undefined
          ? null
          : {
              generation: this.#kept.generation.record.generation,
              until: this.#kept.shownUntil,
            },
      lastRequestAt: this.#lastRequestAt?.toISOString() ?? null,
      memoryBytes: this.#memoryBytes,
      processes: this.#processes,
    };
  }

  /** Takes over what an earlier agent started: the generation that answers, if any, and those that were on their way out. */
  async adopt(
    record: GenerationRecord | undefined,
    leaving: readonly GenerationRecord[],
    highest: number,
  ): Promise<void> {
    const { run } = this.#ground;
    this.#lastNumber = highest;
    const adopted = (one: GenerationRecord): Generation => ({
      record: one,
      socketPath: run.socketOf(one.site, one.generation),
      child: undefined,
      remark: null,
    });
    if (record !== undefined) {
      await run.point(record.site, record.generation);
      this.#generation = adopted(record);
      this.#life = { ...this.#life, state: 'awake', serving: true, generation: record.generation };
      this.#since = new Date(record.startedAt);
      await this.#measure();
    }
    for (const one of leaving) this.#draining.add(adopted(one), this.#drainMs());
    if (!this.spec.enabled) await this.disable();
  }

  /** Takes a new definition. What runs is changed by the next reload, except that a site that is switched off stops. */
  async put(spec: SiteSpec): Promise<void> {
    const moved =
      spec.domain !== this.spec.domain || spec.account !== this.spec.account || spec.kind !== this.spec.kind;
    const was = this.spec;
    this.spec = spec;
    if (!spec.enabled) await this.disable();
    else if (!was.enabled) await this.enable();
    // Another domain has another socket path inside, another log and another WSGI file: what runs is not this site any more.
    else if (moved) await this.#enqueue(async () => await this.#stopNow(SHORT_DRAIN_MS));
  }

  async enable(): Promise<void> {
    await this.#enqueue(() => {
      this.#apply({ type: 'enable' });
    });
  }

  async disable(): Promise<void> {
    await this.#cutShort();
    await this.#enqueue(async () => {
      await this.#stopNow(SHORT_DRAIN_MS);
      this.#apply({ type: 'disable' });
    });
  }

  /** Stops it; the next request wakes it again. */
  async sleep(): Promise<void> {
    await this.#enqueue(async () => await this.#stopNow());
  }

  /**
   * Makes it answer. `by` a visitor: a site that has just failed is not tried again for a while.
   * Throws `site-disabled`, `site-start-failed` (message and details are for the owner), or what the storage says.
   */
  async wake(by: 'visitor' | 'owner'): Promise<SiteStatus> {
    if (!this.spec.enabled || this.#closed) throw disabledError(this.spec);
    this.#wokenAt = Date.now();
    const generation = this.#generation;
    if (generation !== undefined && this.#life.serving) {
      const door = await this.#door(generation);
      if (door === 'full') throw busyError(this.spec);
      if (door === 'open') return this.status;
    }
    if (this.#reloading !== undefined) {
      await this.#reloading;
      return this.status;
    }
    if (by === 'visitor' && this.#life.state === 'failed' && this.#starting === undefined) {
      const left = this.#failedAt + wakeHoldOffMs(this.#failures) - performance.now();
      if (left > 0) throw this.#failedError(left);
    }
    if (by === 'owner') this.#hurry?.();
    await this.#ensureStarted(by === 'owner' ? ASK_MS.start : ASK_MS.visitor);
    return this.status;
  }

  /**
   * Blue/green, or stop first when the site asks for it. A reload of a sleeping site starts it. Throws `too-many-requests` when too many
   * older generations still carry requests: it is done by itself then, when some of them have finished.
   */
  async reload(): Promise<SiteStatus> {
    if (!this.spec.enabled || this.#closed) throw disabledError(this.spec);
    this.#hurry?.();
    this.#failures = 0;
    // A reload that is already running may have read the old files: one more follows, for all that ask meanwhile.
    const before = this.#reloading;
    const mine = this.#enqueue(async () => {
      if (this.#generation === undefined) await this.#startNow(ASK_MS.start);
      else await this.#reloadNow();
    }).finally(() => {
      if (this.#reloading === mine) this.#reloading = undefined;
    });
    this.#reloading = mine;
    before?.catch(() => undefined);
    await mine;
    return this.status;
  }

  /** Back to what ran before the last reload, while it is kept. Throws `conflict` when it is not there any more. */
  async back(): Promise<SiteStatus> {
    await this.#enqueue(async () => {
      const old = this.#kept?.generation;
      const now = this.#generation;
      if (old === undefined || now === undefined || !(await generationAlive(old))) {
        this.#letGo();
        throw new HoldfastError(
          'conflict',
          'What ran before the last reload is not there any more. Reload the site with the code you want.',
        );
      }
      const { run } = this.#ground;
      // First of all: an agent that dies here adopts the newest that is not on its way out.
      await run.write({ ...now.record, phase: 'draining' });
      await run.point(old.record.site, old.record.generation);
      this.#kept = undefined;
      this.#waiting = false;
      this.#generation = old;
      this.#deafUntil = performance.now() + DEAF_MS;
      this.#watch(old);
      this.#apply({ type: 'went-back', generation: old.record.generation });
      this.#draining.add(now, this.#drainMs());
      await this.#measure();
    });
    return this.status;
  }

  /** Stops everything; for removal, and for the end of the platform. */
  async close(drainMs: number): Promise<void> {
    this.#closed = true;
    await this.#cutShort();
    await this.#enqueue(async () => await this.#stopNow(drainMs));
    await this.#draining.settled();
  }

  /** Lets what runs be: another agent takes it over, and this one does nothing more. */
  leave(): void {
    this.#closed = true;
    this.#hurry?.();
  }

  /** Kills what runs without asking it: its volume is closing, and would wait for it. */
  async abandon(): Promise<void> {
    const wanted = this.spec.enabled && !['asleep', 'disabled', 'failed'].includes(this.#life.state);
    await this.#cutShort();
    await this.#enqueue(async () => await this.#stopNow(0));
    // It ran, and was stopped for its volume's sake only: it runs again when the volume is back.
    this.interrupted ||= wanted;
    await this.#draining.settled();
  }

  /** Once a second: has it ended, was a reload asked for from inside, is it idle? Never throws. */
  async look(requested: boolean, measure: boolean): Promise<void> {
    const generation = this.#generation;
    const kept = this.#kept;
    if (kept !== undefined && (performance.now() >= kept.until || !(await generationAlive(kept.generation))))
      await this.#enqueue(() => this.#letGo(kept.generation));
    if (generation === undefined || this.#life.state !== 'awake') return;
    // What was seen so long ago is not known to be so now.
    if (generation.remark !== null && Date.now() - Date.parse(generation.remark.at) > KEEP_MS) {
      generation.remark = null;
      this.#ground.context.emit({ type: 'site', site: this.status });
    }
    if (!(await generationAlive(generation))) {
      await this.#enqueue(async () => await this.#crashed(generation, 'The server ended by itself.'));
      return;
    }
    if (measure) await this.#measure();
    if (
      (requested && performance.now() >= this.#deafUntil) ||
      (this.#waiting && (await this.#crowdedError()) === undefined)
    ) {
      await this.reload();
      return;
    }
    if (measure && (await this.#idle())) await this.sleep();
  }

  async #idle(): Promise<boolean> {
    const limit = (this.#ground.accountOf(this.spec.account)?.limits.idleSleepSeconds ?? 0) * 1000;
    if (limit <= 0) return false;
    const latest = Math.max(this.#wokenAt, this.#since.getTime(), this.#lastRequestAt?.getTime() ?? 0);
    if (Date.now() - latest < limit) return false;
    // A websocket or a long download writes its access line at its end only.
    return (await connectionsOf(this.spec.domain)).length === 0;
  }

  async #measure(): Promise<void> {
    const { context, sandboxes } = this.#ground;
    const { account, domain } = this.spec;
    this.#lastRequestAt = await modifiedAt(join(context.layout.logs, account, `${domain}.access.log`));
    const record = this.#generation?.record;
    const usage = record === undefined ? undefined : await sandboxes.cgroups.usage(record.account, record.program);
    this.#memoryBytes = usage?.memoryBytes ?? null;
    this.#processes = usage?.processes ?? 0;
  }

  /** Fresh figures for a listing. */
  async measuredStatus(): Promise<SiteStatus> {
    await this.#measure();
    return this.status;
  }

  async #door(generation: Generation): Promise<'open' | 'full' | 'gone'> {
    if (!(await generationAlive(generation))) return 'gone';
    // A server that made its socket anew has made it with the member's umask again.
    return (await openToGateway(generation.socketPath)) ? await knock(generation.socketPath, 2000) : 'gone';
  }

  async #ensureStarted(askMs: number): Promise<void> {
    const work = (this.#starting ??= this.#enqueue(async () => {
      const generation = this.#generation;
      if (generation !== undefined) {
        const door = await this.#door(generation);
        if (door === 'full') throw busyError(this.spec);
        if (door === 'open') return;
        await this.#crashed(generation, 'The server no longer accepted connections.');
        if (this.#generation !== undefined) return;
      }
      await this.#startNow(askMs);
    }).finally(() => {
      this.#starting = undefined;
    }));
    await work;
  }

  /** Ends a start under way, so that who wants the site gone need not wait for its deadlines: it fails, and the queue goes on. */
  async #cutShort(): Promise<void> {
    this.#hurry?.();
    if (this.#life.state !== 'starting' && this.#life.state !== 'reloading') return;
    this.#cut?.abort();
    const program = `site-${this.spec.id}-${this.#lastNumber}`;
    await this.#ground.sandboxes
      .end(this.spec.account, program, 5_000)
      .catch((error: unknown) =>
        this.#ground.context.log.warn({ err: error, site: this.spec.id }, 'a start could not be cut short'),
      );
  }

  /** The work below is always inside the queue. */
  async #startNow(askMs: number): Promise<void> {
    if (!this.spec.enabled || this.#closed) throw disabledError(this.spec);
    if (this.#generation !== undefined) return;
    if (this.#life.state !== 'starting') this.#apply({ type: 'start' });
    await this.#bringUp('start', askMs);
  }

  async #reloadNow(): Promise<void> {
    const old = this.#generation;
    if (old === undefined) return;
    const { stopFirst } = this.spec;
    const crowded = stopFirst ? undefined : await this.#crowdedError();
    if (crowded !== undefined) {
      if (!this.#waiting)
        await tellOwner(
          this.#ground,
          this.spec.account,
          `${this.spec.domain}.server.log`,
          `reload: ${crowded.message}`,
        );
      this.#waiting = true;
      throw crowded;
    }
    if (this.#apply({ type: 'reload', stopFirst }) === undefined) return;
    if (stopFirst) {
      this.#letGo();
      await this.#retire(old, STOP_DRAIN_MS);
      await this.#draining.settled();
    }
    // Where nothing serves meanwhile, the visitors' own requests are the first.
    await this.#bringUp('reload', stopFirst ? ASK_MS.start : ASK_MS.reload);
  }

  /** Starts the next generation and hands the site over to it. Throws what the caller of a wake or reload is told. */
  async #bringUp(purpose: 'start' | 'reload', askMs: number): Promise<void> {
    const { run, starts, storage, context } = this.#ground;
    const { spec } = this;
    this.#waiting = false;
    try {
      const account = this.#ground.accountOf(spec.account);
      if (account === undefined)
        throw new HoldfastError('not-found', `The account ${spec.account} is not on this host.`);
      const old = this.#generation;
      const generation = await starts.run(account.volume, async () => {
        const home = storage.homeOf(account.name);
        this.#ground.assertRoom(account.volume);
        // Never used before: what an older generation left behind cannot be taken for this one.
        this.#lastNumber = Math.max(this.#lastNumber, await run.highest(spec.id)) + 1;
        this.#cut = new AbortController();
        const { signal } = this.#cut;
        return await startGeneration(this.#ground, spec, account, home, this.#lastNumber, purpose, askMs, signal);
      });
      await run.point(spec.id, generation.record.generation);
      await this.#ground.checkpoint('gateway-pointed', spec.id);
      this.#generation = generation;
      this.#watch(generation);
      this.#failures = 0;
      this.interrupted = false;
      this.#wokenAt = Date.now();
      const leaving = old === undefined ? [] : await this.#keep(old, generation.remark);
      await this.#measure();
      this.#apply({ type: 'answered', generation: generation.record.generation });
      for (const one of leaving) this.#draining.add(one, this.#drainMs());
    } catch (error) {
      const failure =
        error instanceof StartError
          ? error.failure
          : { step: 'storage' as const, message: messageOf(error), output: [], at: new Date().toISOString() };
      this.#apply({ type: 'start-failed', failure });
      if (error instanceof StartError) {
        this.#failures += 1;
        this.#failedAt = performance.now();
        context.log.info(
          { site: spec.id, domain: spec.domain, step: failure.step, reason: failure.message },
          'a site did not start',
        );
        throw new HoldfastError('site-start-failed', failure.message, { details: failure.output });
      }
      // Trouble with the storage is not the site's: it may start again the moment the volume is back.
      this.#failedAt = -Infinity;
      throw error;
    }
  }

  /**
   * Chooses what is kept after a reload: the last generation that answered without an error, while the newest does not. Returns those that
   * nobody needs any more.
   */
  async #keep(old: Generation, remark: Generation['remark']): Promise<Generation[]> {
    const kept = this.#kept?.generation;
    if (remark?.kind !== 'error') {
      this.#kept = undefined;
      return kept === undefined ? [old] : [kept, old];
    }
    // Broken code reloaded once more is nothing to go back to: what was kept before it stays, and its time is not made longer.
    if (old.remark?.kind === 'error' || !(await generationAlive(old))) return [old];
    const shownUntil = new Date(Date.now() + KEEP_MS).toISOString();
    this.#kept = { generation: old, until: performance.now() + KEEP_MS, shownUntil };
    return kept === undefined ? [] : [kept];
  }

  /** Notices the end of our own child at once; adopted ones are found by look(). */
  #watch(generation: Generation): void {
    const check = (): void => {
      if (this.#generation !== generation || this.#closed) return;
      this.#enqueue(async () => await this.#crashed(generation, 'The server ended by itself.')).catch(
        (error: unknown) =>
          this.#ground.context.log.warn({ err: error, site: this.spec.id }, 'a crashed site was not started again'),
      );
    };
    generation.child?.once('exit', check);
    if (generation.child !== undefined && (generation.child.exitCode ?? generation.child.signalCode) !== null) check();
  }

  async #crashed(generation: Generation, reason: string): Promise<void> {
    if (this.#generation !== generation || this.#closed) return;
    const { run, context, sandboxes } = this.#ground;
    const { record } = generation;
    const usage = await sandboxes.cgroups.usage(record.account, record.program);
    const memory = (usage?.memoryKills ?? 0) > 0;
    const background =
      this.spec.kind === 'command' &&
      generation.child?.exitCode === 0 &&
      (await leadersOf(await sandboxes.cgroups.processes(record.account, record.program))).length > 0;
    await run.point(record.site, undefined);
    this.#generation = undefined;
    await endGeneration(this.#ground, record);
    const why = background ? INTO_BACKGROUND : reason;
    const failure = {
      step: 'answer' as const,
      message: memory
        ? 'The server needed more memory than the plan has, and was stopped. It is started again.'
        : `${why} It is started again.`,
      output: [],
      at: new Date().toISOString(),
    };
    const life = this.#apply({ type: 'crashed', failure, livedMs: Date.now() - Date.parse(record.startedAt) });
    context.log.warn(
      { site: record.site, generation: record.generation, crashes: life?.crashes, memory },
      'a site crashed',
    );
    if (life === undefined) return;
    if (life.state === 'failed') {
      this.#failures = Math.max(this.#failures, 3);
      this.#failedAt = performance.now();
      return;
    }
    await this.#pause(crashDelayMs(life.crashes));
    if (!this.spec.enabled || this.#closed) {
      this.#apply({ type: 'start-failed', failure });
      return;
    }
    await this.#startNow(ASK_MS.start).catch((error: unknown) => {
      // It ended with its volume: it starts again with it.
      this.interrupted ||= error instanceof HoldfastError && ['storage-repair', 'volume-closed'].includes(error.code);
      throw error;
    });
  }

  async #pause(milliseconds: number): Promise<void> {
    if (milliseconds <= 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#hurry = undefined;
  }

  async #stopNow(drainMs = STOP_DRAIN_MS): Promise<void> {
    this.#letGo();
    this.#waiting = false;
    const generation = this.#generation;
    if (generation !== undefined) {
      this.#apply({ type: 'stop' });
      await this.#retire(generation, drainMs);
    }
    // Where the newest has failed, too, older ones may still have requests.
    this.#draining.hurryIn(drainMs);
    await this.#draining.settled();
    if (generation === undefined) return;
    this.#memoryBytes = null;
    this.#processes = 0;
    this.#apply({ type: 'stopped' });
  }

  /** Takes the gateway off a generation and drains it. */
  async #retire(generation: Generation, drainMs: number): Promise<void> {
    await this.#ground.run.point(generation.record.site, undefined);
    this.#generation = undefined;
    this.#draining.add(generation, drainMs);
  }

  /** Why a reload has to wait, when it has to: requests under way are not cut off for it, and what they hold must not grow without end. */
  async #crowdedError(): Promise<HoldfastError | undefined> {
    const limits = this.#ground.accountOf(this.spec.account)?.limits;
    if (limits === undefined) return undefined;
    const crowd = await this.#draining.crowd(this.#kept?.generation, limits.memoryBytes);
    if (crowd === undefined) return undefined;
    return new HoldfastError(
      'too-many-requests',
      `The code of ${crowd.carrying} earlier reloads of ${this.spec.domain} still answers requests, and there is no room for more beside it. The reload is done by itself when enough of them have finished; each has at most ${limits.requestTimeoutSeconds} s. To have the new code now and end those requests, disable the site and enable it again.`,
      { retryAfterSeconds: Math.ceil(crowd.freeInMs / 1000) },
    );
  }

  #drainMs(): number {
    return drainTime(this.#ground.accountOf(this.spec.account));
  }

  /** Lets what was kept go; only this one, when it is named. */
  #letGo(only?: Generation): void {
    const kept = this.#kept?.generation;
    if (kept === undefined || (only !== undefined && kept !== only)) return;
    this.#kept = undefined;
    this.#draining.add(kept, this.#drainMs());
    this.#ground.context.emit({ type: 'site', site: this.status });
  }

  #enqueue<T>(work: () => T | Promise<T>): Promise<T> {
    const mine = this.#queue.then(work);
    this.#queue = mine.catch(() => undefined);
    return mine;
  }

  #apply(event: SiteEvent): SiteLife | undefined {
    const next = advance(this.#life, event);
    if (next === undefined) return undefined;
    if (next.state !== this.#life.state) this.#since = new Date();
    this.#life = next;
    this.#ground.context.emit({ type: 'site', site: this.status });
    return next;
  }

  #failedError(leftMs: number): HoldfastError {
    const { failure } = this.#life;
    return new HoldfastError('site-start-failed', failure?.message ?? 'The site did not start.', {
      details: failure?.output ?? [],
      retryAfterSeconds: Math.ceil(leftMs / 1000),
    });
  }
}

function disabledError(spec: SiteSpec): HoldfastError {
  return new HoldfastError(
    'site-disabled',
    `The site ${spec.domain} is switched off. Enable it on the Web page first.`,
  );
}

/** Its workers are busy, or wait for their disk; it is alive, and what it holds must not be thrown away. */
function busyError(spec: SiteSpec): HoldfastError {
  return new HoldfastError(
    'too-many-requests',
    `The site ${spec.domain} has as many requests waiting as it can hold. Try again shortly.`,
    { retryAfterSeconds: 5 },
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
