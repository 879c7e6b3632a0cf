import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../protocol/errors.ts';
import type { Uncounted } from '../../protocol/volumes.ts';
import { mustRun, runCommand } from '../../runtime/command.ts';
import type { Logger } from '../../runtime/log.ts';
import { readOrUndefined } from '../kernel/files.ts';

const PROOF_PROGRAM = join(import.meta.dirname, 'quota-proof.sh');
/** What is written to prove that it is counted (quota-proof.sh). Less may be metadata. */
const PROOF_BYTES = 262_144;
const NO_ROOM_CODE = 3;
const PROOF_DEADLINE_MS = 60_000;
const COMMAND_DEADLINE_MS = 30_000;
/** A rescan reads the metadata of the whole volume. */
const RESCAN_DEADLINE_MS = 2 * 3600_000;
/** Without any sign of trouble it is proven this often: counting can end without a word. */
const PROVE_EVERY_MS = 10 * 60_000;
/** How often the limits themselves are compared with what they should be. */
const COMPARE_EVERY_MS = 30_000;
/** Waits before the next try to mend it; the last one repeats. */
const RETRY_MS = [0, 5_000, 30_000, 300_000];
/** Tries in a row that fail before a person is asked. */
const TRIES_BEFORE_PERSON = 2;

/** A home: a subvolume with a limit. */
export interface LimitedSubvolume {
  name: string;
  /** Its id in btrfs. */
  subvolume: number;
  limitBytes: number;
}

export interface QuotaVolume {
  name: string;
  /** Of its file system. */
  uuid: string;
  mount: string;
  log: Logger;
  /** The homes there, with the limits they should have. From memory. */
  accounts(): readonly LimitedSubvolume[];
  changed(): void;
}

/**
 * Watches that the limits of one btrfs volume hold. btrfs ends all counting on a volume, and with it every limit, when somebody makes one
 * snapshot with a quota group of its own (snapshot programs do that), and says so in one line of the kernel's log. What is wrong is mended
 * here: a rescan, limits set again, quotas switched on again; and it is over only when a write was seen to be counted. Nothing is deleted.
 *
 * Signs are read from /sys, which waits for no disk. Whatever touches the volume is a throw-away process with a deadline, one at a time.
 */
export class QuotaWatch {
  readonly #volume: QuotaVolume;
  #uncounted: Uncounted | null = null;
  #tries = 0;
  /** Accounts whose limit was wrong at the last comparison: one that is being changed is no sign yet. */
  #suspected = new Set<string>();
  #notBefore = -Infinity;
  #provenAt = -Infinity;
  #comparedAt = -Infinity;
  #looking: Promise<void> | undefined;
  #stop = new AbortController();

  constructor(volume: QuotaVolume) {
    this.#volume = volume;
  }

  /** Why its limits do not hold now; null: nothing is known against it. */
  get uncounted(): Uncounted | null {
    return this.#uncounted;
  }

  /** One look; what has to be done goes on behind it. The volume must be open and answer. Never throws. */
  look(): void {
    if (this.#stop.signal.aborted) return;
    this.#looking ??= this.#lookNow()
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted)
          this.#volume.log.error({ volume: this.#volume.name, error }, 'the quotas of a volume could not be looked at');
      })
      .finally(() => (this.#looking = undefined));
  }

  /** Nothing of it holds the mount any more when this returns. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#looking;
  }

  /** The volume is open (again). */
  begin(): void {
    if (this.#stop.signal.aborted) this.#stop = new AbortController();
    this.#provenAt = -Infinity;
    this.#notBefore = -Infinity;
    this.#tries = 0;
  }

  /** Throws `storage-repair` while nothing is counted: deleting a subvolume then makes the counts wrong again. */
  assertCounted(): void {
    if (this.#uncounted === null) return;
    throw new HoldfastError(
      'storage-repair',
      `What the accounts on the volume ${this.#volume.name} use is being counted anew, and no home is deleted meanwhile. Try again in a moment.`,
      { retryAfterSeconds: 10 },
    );
  }

  async #lookNow(): Promise<void> {
    const wrong = await this.#wrong();
    if (wrong !== undefined) this.#say(wrong);
    const now = performance.now();
    if (this.#uncounted === null && now - this.#provenAt < PROVE_EVERY_MS) return;
    if (now < this.#notBefore) return;
    await this.#mend(wrong);
  }

  /** What is wrong by what the kernel shows, one sentence. */
  async #wrong(): Promise<string | undefined> {
    const { name } = this.#volume;
    const inconsistent = (await this.#read('inconsistent')) ?? '';
    if (inconsistent === '') return `The quotas of the volume ${name} are switched off.`;
    if (inconsistent !== '0') {
      const groups = await this.#foreignGroups();
      const who =
        groups.length === 0
          ? ''
          : ` There ${groups.length === 1 ? 'is a quota group' : 'are quota groups'} that ${groups.length === 1 ? 'is' : 'are'} not the platform's (${groups.join(', ')}): a snapshot that is made with one does this.`;
      return `The kernel has stopped counting what the accounts on the volume ${name} use: it calls its counts inconsistent.${who}`;
    }
    const now = performance.now();
    const due = this.#uncounted !== null || this.#suspected.size > 0 || now - this.#comparedAt >= COMPARE_EVERY_MS;
    if (!due) return undefined;
    this.#comparedAt = now;
    const without = (await this.#withoutLimit()).map((account) => account.name);
    const names = without.filter((account) => this.#suspected.has(account));
    this.#suspected = new Set(without);
    if (names.length === 0) return undefined;
    const shown = names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '');
    return `Accounts on the volume ${name} do not have the limit that they should have: ${shown}.`;
  }

  async #mend(wrong: string | undefined): Promise<void> {
    const { name, mount, log } = this.#volume;
    let proof: Awaited<ReturnType<QuotaWatch['prove']>>;
    try {
      if (wrong !== undefined) {
        log.warn({ volume: name, wrong, tries: this.#tries }, 'mending the quotas of a volume');
        await this.#repair();
      } else if (this.#uncounted !== null && this.#tries > 0) {
        // It calls itself consistent and counts nothing.
        await this.#run(['quota', 'rescan', '-w', mount], RESCAN_DEADLINE_MS);
      }
      proof = await this.prove();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#postpone();
      // A volume that does not answer is a trouble of its own.
      const silent = error instanceof HoldfastError && error.code === 'deadline-passed';
      if (this.#uncounted !== null && !silent) this.#say(this.#uncounted.why);
      throw error;
    }
    if (proof === 'counted' && (await this.#wrong()) === undefined) return this.#proven();
    if (proof === 'no-room' && this.#uncounted === null) {
      // Nothing speaks against it; asked again when there may be room.
      this.#provenAt = performance.now();
      return;
    }
    this.#postpone();
    const why = `What is written to the volume ${name} is not counted, although the kernel calls its counts consistent.`;
    this.#say(wrong ?? (proof === 'no-room' ? (this.#uncounted?.why ?? why) : why), proof === 'no-room');
  }

  #postpone(): void {
    this.#tries += 1;
    this.#notBefore = performance.now() + (RETRY_MS[Math.min(this.#tries, RETRY_MS.length - 1)] ?? 0);
  }

  /** Each of these can be repeated, and none deletes anything. */
  async #repair(): Promise<void> {
    const { mount } = this.#volume;
    if ((await this.#read('inconsistent')) === undefined)
      await this.#run(['quota', 'enable', mount], COMMAND_DEADLINE_MS);
    if ((await this.#read('inconsistent')) !== '0')
      await this.#run(['quota', 'rescan', '-w', mount], RESCAN_DEADLINE_MS);
    const without = this.#volume.accounts().length === 0 ? [] : await this.#withoutLimit();
    for (const { subvolume, limitBytes } of without)
      await this.#run(['qgroup', 'limit', String(limitBytes), `0/${subvolume}`, mount], COMMAND_DEADLINE_MS);
  }

  /** Whether a write of the platform's own is counted. */
  async prove(): Promise<'counted' | 'not-counted' | 'no-room'> {
    const { mount, uuid } = this.#volume;
    const { signal } = this.#stop;
    const result = await runCommand('/bin/sh', [PROOF_PROGRAM, mount, uuid], { deadlineMs: PROOF_DEADLINE_MS, signal });
    if (result.code === NO_ROOM_CODE || /No space left on device/.test(result.stderr)) return 'no-room';
    const [before, after] = result.stdout.trim().split(' ').map(Number);
    if (result.code !== 0 || before === undefined || after === undefined) return 'not-counted';
    return after - before >= PROOF_BYTES ? 'counted' : 'not-counted';
  }

  #proven(): void {
    this.#provenAt = performance.now();
    this.#tries = 0;
    if (this.#uncounted === null) return;
    this.#volume.log.warn({ volume: this.#volume.name }, 'the quotas of a volume count again: a write was counted');
    this.#uncounted = null;
    this.#volume.changed();
  }

  #say(why: string, noRoom = false): void {
    const { name } = this.#volume;
    const person = this.#tries >= TRIES_BEFORE_PERSON;
    const next: Uncounted = {
      since: this.#uncounted?.since ?? new Date().toISOString(),
      why,
      doing: noRoom
        ? `Waiting for room on the volume ${name}: whether it counts again is proven by a small write.`
        : 'Counting anew what every account uses, and then proving with a write of its own that it is counted.',
      mustAct: person
        ? `Counting anew did not help ${this.#tries} times and is tried again every few minutes. Close the volume and open it again when its members can be without it for a moment: holdfast volume close ${name}, then holdfast volume open ${name}.`
        : null,
    };
    if (JSON.stringify(next) === JSON.stringify(this.#uncounted)) return;
    this.#uncounted = next;
    this.#volume.log.error({ volume: name, why, tries: this.#tries }, 'the limits of a volume are not enforced');
    this.#volume.changed();
  }

  /** Accounts whose group has another limit than it should, or none. */
  async #withoutLimit(): Promise<ReturnType<QuotaVolume['accounts']>[number][]> {
    const found = [];
    for (const account of this.#volume.accounts()) {
      const [flags, most] = [
        await this.#read(`0_${account.subvolume}/limit_flags`),
        await this.#read(`0_${account.subvolume}/max_referenced`),
      ];
      // Its subvolume may have been deleted a moment ago.
      if (flags === undefined || most === undefined) continue;
      // linux/btrfs.h: BTRFS_QGROUP_LIMIT_MAX_RFER is bit 0.
      const limit = Number(flags) % 2 === 1 ? Number(most) : 0;
      if (limit !== account.limitBytes) found.push(account);
    }
    return found;
  }

  /** "1/100": groups above the ones that each subvolume has. */
  async #foreignGroups(): Promise<string[]> {
    const names: string[] = await readdir(`/sys/fs/btrfs/${this.#volume.uuid}/qgroups`).catch(() => []);
    return names.filter((name) => /^[1-9]\d*_\d+$/.test(name)).map((name) => name.replace('_', '/'));
  }

  async #read(path: string): Promise<string | undefined> {
    return (await readOrUndefined(`/sys/fs/btrfs/${this.#volume.uuid}/qgroups/${path}`))?.trim();
  }

  async #run(parameters: readonly string[], deadlineMs: number): Promise<void> {
    await mustRun('btrfs', parameters, { deadlineMs, signal: this.#stop.signal });
  }
}
