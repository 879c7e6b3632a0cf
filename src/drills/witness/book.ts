import { longest, percentile } from '../figures.ts';
import type { Group, Kind, Tally, VolumeLive, Window, WitnessAccount } from './messages.ts';

export type Outcome = 'ok' | 'refused' | 'failed';

/** One request. Times are milliseconds since 1970, with fractions. */
export interface Entry {
  account: WitnessAccount;
  kind: Kind;
  /** When it was to be sent; waiting for anything is counted from here. */
  due: number;
  /** When its answer was whole; undefined while it waits. */
  done: number | undefined;
  outcome: Outcome;
  what: string;
}

const SHOWN_FAILURES = 20;
const LIVE_SPAN_MS = 2_000;

/** Everything that was asked for, and what came of it. Pure: the caller brings the time. */
export class Book {
  readonly #entries: Entry[] = [];
  readonly #open = new Set<Entry>();
  readonly #failed = new Map<string, number>();

  begin(account: WitnessAccount, kind: Kind, due: number): Entry {
    const entry: Entry = { account, kind, due, done: undefined, outcome: 'ok', what: '' };
    this.#entries.push(entry);
    this.#open.add(entry);
    return entry;
  }

  end(entry: Entry, now: number, outcome: Outcome, what = ''): void {
    entry.done = now;
    entry.outcome = outcome;
    entry.what = what;
    this.#open.delete(entry);
    const { volume } = entry.account;
    if (outcome === 'failed') this.#failed.set(volume, (this.#failed.get(volume) ?? 0) + 1);
  }

  /** It was never sent: nothing can be said of it. */
  forget(entry: Entry): void {
    this.#open.delete(entry);
    const index = this.#entries.lastIndexOf(entry);
    if (index >= 0) this.#entries.splice(index, 1);
  }

  get waiting(): number {
    return this.#open.size;
  }

  /** By volume: who waits now, and the last two seconds. */
  live(volumes: readonly string[], now: number): VolumeLive[] {
    const recent: Entry[] = [];
    for (let index = this.#entries.length - 1; index >= 0; index -= 1) {
      const entry = this.#entries[index];
      // A request may wait two minutes at most, so nothing older can have ended in the span.
      if (entry === undefined || entry.due < now - 125_000) break;
      if (entry.done !== undefined && entry.done >= now - LIVE_SPAN_MS) recent.push(entry);
    }
    return volumes.map((name) => {
      const waits = [...this.#open].filter((entry) => entry.account.volume === name && entry.due <= now);
      const ended = recent.filter((entry) => entry.account.volume === name);
      const times = ended.map((entry) => (entry.done ?? now) - entry.due);
      return {
        name,
        waiting: waits.length,
        oldestWaitMs: longest(waits.map((entry) => now - entry.due)),
        requestsPerSecond: (ended.length * 1000) / LIVE_SPAN_MS,
        failed: this.#failed.get(name) ?? 0,
        refused: ended.filter((entry) => entry.outcome === 'refused').length,
        p99Ms: percentile(times, 0.99),
      };
    });
  }

  /** The tallies of one window, for the accounts on these volumes and for all others. What still waits counts as waiting until `now`. */
  window(
    window: Window,
    hurt: ReadonlySet<string>,
    blackouts: readonly { from: number; to: number }[],
    now: number,
  ): { affected: Group; unaffected: Group } {
    const inside = this.#entries.filter(
      (entry) => entry.due >= window.from && entry.due < window.to && !isDark(entry, blackouts, now),
    );
    return {
      affected: groupOf(
        inside.filter((entry) => hurt.has(entry.account.volume)),
        now,
      ),
      unaffected: groupOf(
        inside.filter((entry) => !hurt.has(entry.account.volume)),
        now,
      ),
    };
  }

  failures(
    blackouts: readonly { from: number; to: number }[],
    now: number,
  ): { at: number; account: string; volume: string; kind: Kind; what: string }[] {
    return this.#entries
      .filter((entry) => entry.outcome === 'failed' && !isDark(entry, blackouts, now))
      .slice(0, SHOWN_FAILURES)
      .map(({ due, account, kind, what }) => ({ at: due, account: account.name, volume: account.volume, kind, what }));
  }
}

function isDark(entry: Entry, blackouts: readonly { from: number; to: number }[], now: number): boolean {
  return blackouts.some(({ from, to }) => entry.due < to && (entry.done ?? now) > from);
}

function groupOf(entries: readonly Entry[], now: number): Group {
  const kinds: Group['kinds'] = {};
  for (const kind of new Set(entries.map((entry) => entry.kind))) {
    kinds[kind] = tallyOf(
      entries.filter((entry) => entry.kind === kind),
      now,
    );
  }
  const steady = entries.filter(
    (entry) => entry.account.role === 'steady' && (entry.kind === 'site' || entry.kind === 'write'),
  );
  return { all: tallyOf(entries, now), steady: tallyOf(steady, now), kinds };
}

export function tallyOf(entries: readonly Entry[], now: number): Tally {
  const times = entries.map((entry) => (entry.done ?? now) - entry.due);
  return {
    requests: entries.length,
    // What was never answered is a failure, whatever it may have become.
    failed: entries.filter((entry) => entry.outcome === 'failed' || entry.done === undefined).length,
    refused: entries.filter((entry) => entry.outcome === 'refused').length,
    p50Ms: percentile(times, 0.5),
    p99Ms: percentile(times, 0.99),
    longestMs: longest(times),
  };
}
