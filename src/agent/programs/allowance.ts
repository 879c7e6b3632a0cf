import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { allowanceDay } from '../../model/tasks.ts';
import type { AccountSpec } from '../../protocol/sites.ts';
import type { CpuUse } from '../../protocol/tasks.ts';
import type { Logger } from '../../runtime/log.ts';
import { writeWhole } from '../../runtime/whole-file.ts';
import type { Cgroups } from './cgroups.ts';

const entrySchema = z.object({
  /** Start of the day that `used` is about, milliseconds since 1970. */
  day: z.number(),
  used: z.number(),
  /** What was last read of which group. */
  reading: z.number(),
  group: z.string(),
});
type Entry = z.infer<typeof entrySchema>;

/**
 * Processor time of each account's tasks and consoles today, and what follows from it: who is above the plan's allowance is set back behind
 * everybody else until its day is over; nothing is ever ended for it. The kernel counts, also while no agent runs and after a program
 * ended; what was read last is on disk, so that nothing counts twice.
 */
export class Allowance {
  readonly #cgroups: Pick<Cgroups, 'counted' | 'setBack'>;
  readonly #file: string;
  readonly #accountOf: (name: string) => AccountSpec | undefined;
  readonly #log: Logger;
  readonly #entries = new Map<string, Entry>();
  readonly #back = new Set<string>();

  constructor(
    cgroups: Pick<Cgroups, 'counted' | 'setBack'>,
    file: string,
    accountOf: (name: string) => AccountSpec | undefined,
    log: Logger,
  ) {
    this.#cgroups = cgroups;
    this.#file = file;
    this.#accountOf = accountOf;
    this.#log = log;
  }

  async load(): Promise<void> {
    try {
      const kept = z.record(z.string(), entrySchema).parse(JSON.parse(await readFile(this.#file, 'utf8')));
      for (const [account, entry] of Object.entries(kept)) this.#entries.set(account, entry);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      this.#log.error({ err: error }, 'the processor time of today cannot be read; it is counted from now on');
    }
  }

  /** Reads the counters and acts on them. */
  async measure(now = Date.now()): Promise<void> {
    let changed = false;
    for (const { account, seconds, group } of await this.#cgroups.counted()) {
      const spec = this.#accountOf(account);
      if (spec === undefined) continue;
      const { start } = allowanceDay(spec.uid, now);
      const known = this.#entries.get(account);
      const since = known?.group === group ? Math.max(0, seconds - known.reading) : seconds;
      const used = (known?.day === start ? known.used : 0) + since;
      if (known?.day !== start || since > 0 || known.group !== group) {
        this.#entries.set(account, { day: start, used, reading: seconds, group });
        changed = true;
      }
      await this.#act(account, spec, used);
    }
    if (changed)
      await writeWhole(this.#file, JSON.stringify(Object.fromEntries(this.#entries)), { mode: 0o600, durable: false });
  }

  /** From memory; at most a few seconds old. */
  uses(accounts: readonly AccountSpec[], now = Date.now()): CpuUse[] {
    return accounts.map((spec) => {
      const { start, end } = allowanceDay(spec.uid, now);
      const entry = this.#entries.get(spec.name);
      return {
        account: spec.name,
        usedSeconds: entry?.day === start ? entry.used : 0,
        limitSeconds: spec.limits.cpuSecondsPerDay,
        resetAt: new Date(end).toISOString(),
        setBack: this.#back.has(spec.name),
      };
    });
  }

  forget(account: string): void {
    this.#entries.delete(account);
    this.#back.delete(account);
  }

  async #act(account: string, spec: AccountSpec, used: number): Promise<void> {
    const back = used > spec.limits.cpuSecondsPerDay;
    if (back === this.#back.has(account)) return;
    await this.#cgroups.setBack(account, back, spec.limits.cpuWeight);
    if (back) this.#back.add(account);
    else this.#back.delete(account);
    this.#log.info(
      { account, used, back },
      'an account passed its allowance of processor time, or a new day began for it',
    );
  }
}
