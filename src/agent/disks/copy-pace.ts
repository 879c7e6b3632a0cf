import { basename } from 'node:path';
import {
  busyShare,
  HURRIED_COPY,
  nextLimit,
  SLOWEST_CHECK,
  SLOWEST_COPY,
  SLOWEST_COPY_UNTOLD,
} from '../../model/copy-pace.ts';
import type { OperationPace } from '../../protocol/volumes.ts';
import { CopyGroup, PACED, type CopyLimits } from '../kernel/copy-group.ts';
import { commitsNow } from '../btrfs/filesystem.ts';
import { readOrUndefined } from '../kernel/files.ts';
import type { Configuration } from '../../runtime/config.ts';
import type { Logger } from '../../runtime/log.ts';

const LOOK_EVERY_MS = 500;
/** How often it is asked whether the volume commits: members wait for that. */
const COMMIT_LOOK_EVERY_MS = 100;
/** Fields of /sys/block/<device>/stat, from 0 (iostats.rst): sectors read, sectors written. */
const READ = 2;
const WRITTEN = 6;
const SECTOR_BYTES = 512;
const MiB = 1024 ** 2;
/**
 * The kernel reads a piece of 8 MiB, writes it, and reads the next. With each of the two held to twice the pace, half of the time goes to
 * either, and together they make the pace. With the reading alone held to it, all of a piece was written at once (decision 0009).
 */
const IN_TURNS = 2;

/** How fast it was on the whole and what it may do now: two moments, so never as if one held the other. */
export function paceSentence(copiedBytes: number, milliseconds: number, limit: number | null): string {
  const average = `${Math.round((copiedBytes * 1000) / Math.max(1, milliseconds) / MiB)} MiB/s on average`;
  return limit === null
    ? average
    : `${average}; at most ${Math.round(limit / MiB)} MiB/s just now, so that nobody else is slowed`;
}

/** A volume, as far as the pace of its copies goes. */
export interface PacedVolume {
  readonly name: string;
  /** Of its file system. */
  readonly uuid: string;
  readonly context: { readonly configuration: Pick<Configuration, 'rebuildLimit' | 'instance'> };
  readonly log: Logger;
  /** What holds its copies and checks back just now. */
  readonly paces: Set<CopyPace>;
  /** Devices of its disks, as they are now: /dev/loop3. */
  deviceNames(): string[];
}

/**
 * Holds the copying of one volume back as far as everybody else needs it. It looks at the machine twice a second; the rule is
 * in src/model/copy-pace.ts. While the volume commits, the copy is let through: the commit waits for the piece that is being copied, and
 * the volume's members wait for the commit. Reads /proc and /sys only.
 */
export class CopyPace implements AsyncDisposable {
  readonly #volume: PacedVolume;
  readonly #group: CopyGroup | undefined;
  /** Its reading (a check) or writing (a copy) is what is done. */
  readonly #device: string;
  readonly #field: typeof READ | typeof WRITTEN;
  readonly #floor: number;
  readonly #fixed: number | undefined;
  readonly #begun = performance.now();
  #limit: number;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;
  #joined = true;
  #at = performance.now();
  #done = 0;
  #first: number | undefined;
  #allowed = 0;
  #cpu: number[] = [];
  #lookedAt = -Infinity;
  #hurried = false;
  #lifted = false;

  private constructor(
    volume: PacedVolume,
    group: CopyGroup | undefined,
    device: string,
    what: 'read' | 'written',
    tellsCommits: boolean,
  ) {
    const { rebuildLimit } = volume.context.configuration;
    this.#volume = volume;
    this.#group = group;
    this.#device = device;
    this.#field = what === 'read' ? READ : WRITTEN;
    this.#fixed = rebuildLimit === 'auto' ? undefined : rebuildLimit;
    this.#floor = what === 'read' ? SLOWEST_CHECK : tellsCommits ? SLOWEST_COPY : SLOWEST_COPY_UNTOLD;
    this.#limit = this.#fixed ?? this.#floor;
  }

  /**
   * Begins to hold it back. `device`: the disk on which progress is seen, by what is read from or written to it. A machine that cannot
   * limit a process's reading, and an operator who wants no limit, get none.
   */
  static async begin(volume: PacedVolume, device: string, what: 'read' | 'written'): Promise<CopyPace> {
    const { configuration } = volume.context;
    const wanted = configuration.rebuildLimit !== 0;
    const group = wanted ? await CopyGroup.make(`${configuration.instance}-${volume.name}`) : undefined;
    if (wanted && group === undefined)
      volume.log.warn(
        { volume: volume.name },
        'this machine cannot limit what a process reads: the copy is not held back',
      );
    const tellsCommits = (await commitsNow(volume.uuid)) !== undefined;
    const pace = new CopyPace(volume, group, device, what, tellsCommits);
    await pace.#look();
    pace.#schedule();
    volume.paces.add(pace);
    return pace;
  }

  /** How a program is started so that it is held back: program and arguments. */
  command(program: string, parameters: readonly string[]): [string, string[]] {
    if (this.#group === undefined) return [program, [...parameters]];
    return ['python3', ['-I', PACED, this.#group.members, '--', program, ...parameters]];
  }

  /** What a program that was started so printed as errors: it says when it could not be held back, and runs all the same. */
  heed(errors: string): void {
    if (!/^not held back: /m.test(errors)) return;
    this.#joined = false;
    this.#volume.log.warn(
      { volume: this.#volume.name, errors },
      'a copy could not be held back: it runs without a limit',
    );
  }

  get figures(): OperationPace {
    const held = this.#group !== undefined && this.#joined;
    return {
      copiedBytes: this.#done,
      milliseconds: Math.round(performance.now() - this.#begun),
      limit: held ? this.#limit : null,
      allowedBytes: held ? Math.round(this.#allowed) : null,
    };
  }

  /** Where it is, for a person. */
  sentence(): string {
    const { copiedBytes, milliseconds, limit } = this.figures;
    return paceSentence(copiedBytes, milliseconds, limit);
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#looking = this.#tick()
        .catch((error: unknown) => {
          this.#volume.log.warn({ volume: this.#volume.name, error }, 'the pace of a copy could not be set');
        })
        .finally(() => {
          if (!this.#stopped) this.#schedule();
        });
    }, COMMIT_LOOK_EVERY_MS);
    this.#timer.unref();
  }

  async #tick(): Promise<void> {
    const hurried = this.#group !== undefined && (await commitsNow(this.#volume.uuid)) === true;
    const due = performance.now() - this.#lookedAt >= LOOK_EVERY_MS;
    if (!due && hurried === this.#hurried) return;
    this.#hurried = hurried;
    if (due) await this.#look();
    else await this.#apply();
  }

  async #look(): Promise<void> {
    const now = performance.now();
    this.#lookedAt = now;
    const seconds = (now - this.#at) / 1000;
    const counted = await this.#counted();
    const cpu = cpuTimes((await readOrUndefined('/proc/stat')) ?? '');
    this.#first ??= counted;
    const done = Math.max(this.#done, (counted ?? 0) - (this.#first ?? 0));
    if (this.#cpu.length > 0 && seconds > 0) {
      const speed = (done - this.#done) / seconds;
      this.#allowed += this.#limit * seconds;
      if (this.#fixed === undefined)
        this.#limit = nextLimit({ floor: this.#floor, limit: this.#limit, speed, busy: busyShare(this.#cpu, cpu) });
    }
    [this.#at, this.#done, this.#cpu] = [now, done, cpu];
    await this.#apply();
  }

  /**
   * Holds nothing back any more, also on disks that have been cut: what is left of a work that is given up must end, and as long as it does
   * not, the kernel keeps the file system.
   */
  async lift(): Promise<void> {
    this.#lifted = true;
    await this.#group?.lift();
  }

  async #apply(): Promise<void> {
    if (this.#lifted) return;
    const devices = this.#volume.deviceNames();
    await this.#group?.limit(devices, this.#limits());
  }

  #limits(): CopyLimits {
    const limit = this.#hurried ? Math.max(HURRIED_COPY, this.#limit) : this.#limit;
    // A check only reads, and what it repairs is never to wait.
    if (this.#field === READ) return { read: limit, write: 0 };
    return { read: IN_TURNS * limit, write: IN_TURNS * limit };
  }

  async #counted(): Promise<number | undefined> {
    const text = await readOrUndefined(`/sys/class/block/${basename(this.#device)}/stat`);
    const sectors = Number(text?.trim().split(/\s+/)[this.#field]);
    return Number.isFinite(sectors) ? sectors * SECTOR_BYTES : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    this.#volume.paces.delete(this);
    clearTimeout(this.#timer);
    await this.#looking;
    await this.#group?.leave();
  }
}

function cpuTimes(stat: string): number[] {
  return (/^cpu\s+(.*)$/m.exec(stat)?.[1] ?? '').split(' ').map(Number);
}
