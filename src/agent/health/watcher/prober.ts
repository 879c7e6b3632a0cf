import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { getSystemErrorMessage } from 'node:util';
import type { ProbeFacts } from '../../../model/diagnosis.ts';
import {
  endRecorded,
  recordOf,
  signalRecorded,
  writeRecord,
  type ProcessRecord,
} from '../../../runtime/process-record.ts';
import { lineSplitter } from './lines.ts';

const PROGRAM = join(import.meta.dirname, 'prober.py');
const SLOTS = 1024;
const SLOT_BYTES = 64;
const HOST_SLOT = 0;
/** Waits before a prober that ended is started again, milliseconds. */
const RESTART_MS = 1_000;
/** It is asked for an answer this often. */
const BEAT_MS = 500;
/** So many turns without an answer, and another takes its place. At its start it may take longer. */
const SILENT_BEATS = 6;
const SILENT_BEATS_AT_START = 40;

export const NOTHING: ProbeFacts = {
  outstandingSince: null,
  completedAt: null,
  tookMs: null,
  failures: 0,
  error: null,
};

export interface ProbedDisk {
  device: string;
  filesystem: string;
}

/** Reads one row of the prober's table (see prober.py). Undefined while it is being written. */
export function parseRow(row: Buffer): (ProbeFacts & { writes: boolean }) | undefined {
  const field = (index: number): number => Number(row.readBigUInt64LE(index * 8));
  if (field(0) % 2 === 1) return undefined;
  const milliseconds = (index: number): number | null => (field(index) === 0 ? null : field(index) / 1e6);
  const failures = field(4);
  return {
    outstandingSince: milliseconds(1),
    completedAt: milliseconds(2),
    tookMs: milliseconds(3),
    failures,
    error: failures === 0 ? null : getSystemErrorMessage(-field(5)),
    writes: field(6) === 1,
  };
}

/** A probe that does not come back says something of its disk only as long as who makes it answers himself. */
export function believed(facts: ProbeFacts, answers: boolean): ProbeFacts {
  return answers ? facts : { ...facts, outstandingSince: null };
}

/**
 * The process that reads and writes a little of each disk when asked. Only this class may wait for nothing of it: results are read
 * from a table in memory, and when it dies or its disks hold it, a new one takes its place.
 */
export class Prober {
  readonly #directory: string;
  /** Names the process for whoever comes after a watcher that could not end it. */
  readonly #recordFile: string;
  #child: ChildProcess | undefined;
  #record: ProcessRecord | undefined;
  #beating: NodeJS.Timeout | undefined;
  /** Turns since it last answered. */
  #silentBeats = 0;
  #table: number | undefined;
  #slots = new Map<string, number>();
  #disks: readonly ProbedDisk[] = [];
  #next = 1;
  #facts = new Map<string, ProbeFacts>();
  #host: ProbeFacts = NOTHING;
  #restart: NodeJS.Timeout | undefined;
  #readOnly = false;
  readonly #buffer = Buffer.alloc(SLOTS * SLOT_BYTES);

  constructor(directory: string, recordFile: string) {
    this.#directory = directory;
    this.#recordFile = recordFile;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** This kernel does not let anybody write to a mounted device: probes only read. */
  get readOnly(): boolean {
    return this.#readOnly;
  }

  start(): void {
    this.#restart = undefined;
    endRecorded(this.#recordFile);
    const child = spawn('python3', ['-I', '-S', PROGRAM, this.#directory], {
      cwd: '/',
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', MALLOC_ARENA_MAX: '1' },
    });
    this.#child = child;
    this.#keepRecord(child.pid);
    this.#slots.clear();
    this.#facts.clear();
    this.#next = 1;
    child.stdout.setEncoding('utf8').on(
      'data',
      lineSplitter((line) => {
        if (this.#child !== child) return;
        this.#silentBeats = 0;
        const table = /^table (\d+)$/.exec(line)?.[1];
        if (table !== undefined && child.pid !== undefined)
          this.#table = openSync(`/proc/${child.pid}/fd/${table}`, 'r');
      }),
    );
    // It ends while we write: the exit tells.
    child.stdin.on('error', () => undefined);
    const gone = (): void => this.#gone(child);
    child.once('exit', gone).once('error', gone);
    this.#beating = setInterval(() => this.#beat(child), BEAT_MS);
    this.watch(this.#disks);
  }

  #keepRecord(pid: number | undefined): void {
    this.#record = pid === undefined ? undefined : recordOf(pid);
    if (this.#record === undefined) return;
    try {
      writeRecord(this.#recordFile, this.#record);
    } catch {
      // Without room it probes all the same; only who comes after a frozen watcher would not know of it.
    }
  }

  /** Turns are counted, not time: when the watcher itself was held up, what was answered meanwhile is still to be read. */
  #beat(child: ChildProcess): void {
    this.#silentBeats += 1;
    const limit = this.#table === undefined ? SILENT_BEATS_AT_START : SILENT_BEATS;
    if (this.#silentBeats > limit) this.#gone(child);
    else this.#tell('beat');
  }

  #gone(child: ChildProcess): void {
    if (this.#child !== child) return;
    this.#abandon();
    this.#restart ??= setTimeout(() => this.start(), RESTART_MS);
  }

  /** Ends the process without waiting for it: one that a disk holds, or that is frozen, would not end with its pipe. */
  #abandon(): void {
    clearInterval(this.#beating);
    this.#silentBeats = 0;
    this.#child?.stdin?.destroy();
    if (this.#record !== undefined) signalRecorded(this.#record, 'SIGKILL');
    this.#record = undefined;
    this.#child = undefined;
    if (this.#table !== undefined) closeSync(this.#table);
    this.#table = undefined;
    this.#facts.clear();
    this.#host = NOTHING;
  }

  stop(): void {
    clearTimeout(this.#restart);
    this.#abandon();
  }

  /** Sets which disks can be probed. A disk that comes again gets a new thread: its old one may be stuck. */
  watch(disks: readonly ProbedDisk[]): void {
    this.#disks = disks;
    const wanted = new Map(disks.map((disk) => [disk.device, disk]));
    for (const [device, slot] of this.#slots) {
      if (wanted.has(device)) continue;
      this.#slots.delete(device);
      this.#facts.delete(device);
      this.#tell(`drop ${slot}`);
    }
    if (this.#next + wanted.size >= SLOTS) {
      // Slots are not used twice, because the thread of an old one may still write into it.
      this.#abandon();
      this.start();
      return;
    }
    for (const [device, { filesystem }] of wanted) {
      if (this.#slots.has(device)) continue;
      const slot = this.#next;
      this.#next += 1;
      this.#slots.set(device, slot);
      this.#tell(`disk ${slot} ${device} ${filesystem}`);
    }
  }

  /** Asks for one probe each of these disks, and of the host's own when `host`. */
  probe(devices: Iterable<string>, host: boolean): void {
    const slots = host ? [HOST_SLOT] : [];
    for (const device of devices) {
      const slot = this.#slots.get(device);
      if (slot !== undefined) slots.push(slot);
    }
    if (slots.length > 0) this.#tell(`probe ${slots.join(' ')}`);
  }

  /** What is known now, by device. A few microseconds. */
  read(): { disks: ReadonlyMap<string, ProbeFacts>; host: ProbeFacts | null } {
    if (this.#table === undefined) return { disks: this.#facts, host: null };
    const bytes = readSync(this.#table, this.#buffer, 0, this.#next * SLOT_BYTES, 0);
    const row = (slot: number): ReturnType<typeof parseRow> =>
      (slot + 1) * SLOT_BYTES > bytes
        ? undefined
        : parseRow(this.#buffer.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES));
    // One question is always under way; a second one that is means that the first was not answered.
    const answers = this.#silentBeats < 2;
    for (const [device, slot] of this.#slots) {
      const facts = row(slot);
      if (facts === undefined) continue;
      this.#facts.set(device, believed(facts, answers));
      if (facts.completedAt !== null) this.#readOnly = !facts.writes;
    }
    this.#host = believed(row(HOST_SLOT) ?? this.#host, answers);
    return { disks: this.#facts, host: this.#host };
  }

  #tell(line: string): void {
    this.#child?.stdin?.write(`${line}\n`);
  }
}
