import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  linkSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { HoldfastError } from '../protocol/errors.ts';
import type { FaultName } from '../protocol/drills.ts';
import { recordOf, signalRecorded } from '../runtime/process-record.ts';
import type { Platform } from './platform.ts';
import { valvesWith } from './valve-process.ts';

/** A replica on an image file, as the fault reaches it. */
export interface Target {
  volume: string;
  replica: string;
  /** The image file. */
  disk: string;
}

const VALVE_DEADLINE_MS = 10_000;
/**
 * A slow disk answers in bursts: each request waits until the next one. A limit of bytes a second would be either not felt (by a light load)
 * or a hang (by a heavy one). The bursts are as short as can be, so that no chain of requests passes within one; in one of twenty nothing
 * passes at all on a busy machine, so that two waits together stay below what counts as a stop.
 */
const SLOW_WAIT_MS = 120;
const SLOW_ANSWER_MS = 1;
/** As it was seen for two minutes on a disk that retried within itself, and far from what counts as a stop. */
const SLOW_READ_MS = 80;
const FLAP_HANG_MS = 600;
const FLAP_ANSWER_MS = 300;
const BLOCK = 4096;

/** One word to the pause filter of a valve: "p" holds every request, "r" lets them go. Answers false when there is no valve any more. */
async function tellValve(socketPath: string, word: 'p' | 'r'): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    socket.setTimeout(VALVE_DEADLINE_MS, () => {
      socket.destroy();
      reject(new HoldfastError('deadline-passed', `The valve at ${socketPath} does not answer.`));
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      socket.destroy();
      if (['ENOENT', 'ECONNREFUSED', 'EPIPE', 'ECONNRESET'].includes(error.code ?? '')) resolve(false);
      else reject(error);
    });
    socket.on('data', (answer) => {
      socket.destroy();
      if (answer.toString('latin1').startsWith(word.toUpperCase())) resolve(true);
      else reject(new Error(`The valve answered "${answer.toString('latin1')}".`));
    });
    socket.on('close', () => resolve(false));
    socket.on('connect', () => socket.write(word));
  });
}

/** Faults of image disks, made at their valves and below them: the platform learns nothing from being asked. */
export class Faults implements AsyncDisposable {
  readonly #platform: Platform;
  readonly #active = new Map<string, { target: Target; fault: FaultName }>();
  readonly #pulses = new Map<string, AbortController>();

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  #paths({ volume, replica }: Target): Record<'socket' | 'error' | 'rate' | 'readDelay' | 'mountPoint', string> {
    const { layout, configuration } = this.#platform;
    const own = join(layout.volumes, volume, 'valve', replica);
    return {
      socket: join(configuration.runDirectory, 'valves', `${volume}.${replica}.sock`),
      error: join(own, 'error'),
      rate: join(own, 'rate'),
      readDelay: join(own, 'read-delay'),
      mountPoint: join(own, 'disk'),
    };
  }

  active(volume: string, replica: string): FaultName | null {
    return this.#active.get(`${volume}/${replica}`)?.fault ?? null;
  }

  #remember(target: Target, fault: FaultName): void {
    this.#active.set(`${target.volume}/${target.replica}`, { target, fault });
  }

  /** Requests go in and nothing comes out. */
  async hang(target: Target): Promise<void> {
    if (!(await tellValve(this.#paths(target).socket, 'p')))
      throw new HoldfastError('disk-unusable', `The disk ${target.volume}/${target.replica} has no valve that runs.`);
    this.#remember(target, 'hang');
  }

  /** Every read and write is answered with an error. */
  error(target: Target): void {
    writeFileSync(this.#paths(target).error, '');
    this.#remember(target, 'error');
  }

  /** Answers, but every request some hundred times later than it did, until it is cleared or taken out. */
  async slow(target: Target): Promise<void> {
    await this.#pulse(target, 'slow', SLOW_WAIT_MS, SLOW_ANSWER_MS, () => undefined);
  }

  /** Every read is answered so much later, and writes as quickly as ever. Only on a platform whose valves can (`Scratch.prepare`). */
  slowReads(target: Target): void {
    writeFileSync(this.#paths(target).readDelay, String(SLOW_READ_MS));
    this.#remember(target, 'slow');
  }

  /** Hangs and answers, over and over, until it is cleared or the disk is taken out. `onEnd` is told when it was taken out. */
  async flap(target: Target, onEnd: (rounds: number) => void): Promise<void> {
    await this.#pulse(target, 'flap', FLAP_HANG_MS, FLAP_ANSWER_MS, onEnd);
  }

  async #pulse(
    target: Target,
    fault: FaultName,
    waitMs: number,
    answerMs: number,
    onEnd: (rounds: number) => void,
  ): Promise<void> {
    await this.hang(target);
    this.#remember(target, fault);
    const controller = new AbortController();
    this.#pulses.set(`${target.volume}/${target.replica}`, controller);
    const { socket } = this.#paths(target);
    const go = async (): Promise<void> => {
      for (let round = 1; !controller.signal.aborted; round += 1) {
        await sleep(waitMs, controller.signal);
        const there = await tellValve(socket, 'r');
        await sleep(answerMs, controller.signal);
        if (!there || (!controller.signal.aborted && !(await tellValve(socket, 'p')))) {
          onEnd(round);
          return;
        }
      }
      await tellValve(socket, 'r');
    };
    void go().catch(() => onEnd(0)); // A valve that ends while it is spoken to was taken out.
  }

  /** The disk is gone from one moment to the next: the processes that are its driver are killed. Its image file stays. */
  lose(target: Target): void {
    const { mountPoint } = this.#paths(target);
    let found = 0;
    for (const { pid } of valvesWith(mountPoint)) {
      const record = recordOf(pid);
      if (record !== undefined && signalRecorded(record, 'SIGKILL')) found += 1;
    }
    if (found === 0)
      throw new HoldfastError('disk-unusable', `The disk ${target.volume}/${target.replica} has no valve that runs.`);
  }

  /**
   * Holds the image of a disk that is going to be lost, so that the platform cannot remove it: a disk that was pulled out is not wiped either.
   * The answer puts it back into its place, unless it is there still.
   */
  keepAside({ disk }: Target): () => void {
    const aside = `${disk}.away`;
    linkSync(disk, aside);
    return () => {
      if (existsSync(disk)) rmSync(aside);
      else renameSync(aside, disk);
    };
  }

  /** Makes the disk as it should be again; nothing happens when it was taken out meanwhile. */
  async clear(target: Target): Promise<void> {
    const key = `${target.volume}/${target.replica}`;
    this.#pulses.get(key)?.abort();
    this.#pulses.delete(key);
    const paths = this.#paths(target);
    await rm(paths.error, { force: true });
    await rm(paths.readDelay, { force: true });
    // Only a rate of 0 means no limit: an empty file, or one that is removed, leaves the last limit standing.
    if (existsSync(paths.rate)) writeFileSync(paths.rate, '0');
    await tellValve(paths.socket, 'r');
    this.#active.delete(key);
  }

  async clearAll(): Promise<void> {
    for (const { target } of this.#active.values()) await this.clear(target);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clearAll();
  }
}

/** How much later the one image was written to than the other: so long its volume went on without that disk. 0 when it did not. */
export function writtenAloneMs(lost: Target, other: Target): number {
  const image = [lost.disk, `${lost.disk}.away`].find((path) => existsSync(path));
  return image === undefined ? 0 : Math.max(0, statSync(other.disk).mtimeMs - statSync(image).mtimeMs);
}

/** Whether the one image took a commit or an fsync that the other does not know of: then their super blocks differ. */
export function tookMore(one: Target, other: Target): boolean {
  return !superBlockOf(one.disk).equals(superBlockOf(other.disk));
}

/** btrfs' on-disk format, struct btrfs_super_block at 64 KiB: generation at byte 72, log_root at byte 96, 8 bytes each. */
const SUPER_BLOCK = 65_536;

function superBlockOf(image: string): Buffer {
  const file = openSync(image, 'r');
  try {
    const block = Buffer.alloc(104);
    readSync(file, block, 0, block.length, SUPER_BLOCK);
    return Buffer.concat([block.subarray(72, 80), block.subarray(96, 104)]);
  } finally {
    closeSync(file);
  }
}

async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

/** What a drill fills its accounts' files with: each block says whose it is, so that it can be found again on the raw disk. */
const MARK = 'holdfast drill block of ';

export function markedFile(account: string, byteCount: number): Buffer {
  const content = Buffer.alloc(byteCount);
  for (let offset = 0; offset < byteCount; offset += BLOCK) {
    // Random, so that it cannot be compressed away; marked, so that it can be found.
    randomBytes(BLOCK).copy(content, offset);
    content.write(`${MARK}${account} ${String(offset).padStart(12, '0')}\n`, offset, 'latin1');
  }
  return content;
}

export interface AlteredBlocks {
  disk: string;
  /** Offset in the image -> what stood there. */
  blocks: Map<number, Buffer>;
}

/**
 * Chooses blocks of members' files in a replica's image. Only blocks of the drill's own files, found by their marks: metadata is not touched,
 * because what is to be shown is that data heals. Reads the whole image, so it is done before anything is measured.
 */
export async function chooseBlocks(target: Target, count: number): Promise<AlteredBlocks> {
  const file = await open(target.disk, 'r');
  try {
    const { size } = statSync(target.disk);
    const mark = Buffer.from(MARK, 'latin1');
    const piece = Buffer.alloc(4 * 1024 * 1024);
    const found: number[] = [];
    for (let start = 0; start < size; start += piece.length) {
      const { bytesRead } = await file.read(piece, 0, piece.length, start);
      for (let offset = 0; offset + BLOCK <= bytesRead; offset += BLOCK)
        if (piece.subarray(offset, offset + mark.length).equals(mark)) found.push(start + offset);
    }
    if (found.length === 0) throw new Error(`No block of the drill's files was found in ${target.disk}.`);
    const blocks = new Map<number, Buffer>();
    const step = Math.max(1, Math.floor(found.length / count));
    for (let index = 0; index < found.length && blocks.size < count; index += step) {
      const offset = found[index] ?? 0;
      const before = Buffer.alloc(BLOCK);
      await file.read(before, 0, BLOCK, offset);
      blocks.set(offset, before);
    }
    return { disk: target.disk, blocks };
  } finally {
    await file.close();
  }
}

/** Alters the chosen blocks behind the platform's back. */
export async function rot(chosen: AlteredBlocks): Promise<void> {
  const file = await open(chosen.disk, 'r+');
  try {
    for (const offset of chosen.blocks.keys()) await file.write(randomBytes(BLOCK), 0, BLOCK, offset);
  } finally {
    await file.close();
  }
}

/** How many of the altered blocks are as they were; undefined when the disk was replaced as a whole. */
export async function healedBlocks(altered: AlteredBlocks): Promise<number | undefined> {
  if (!existsSync(altered.disk)) return undefined;
  const file = await open(altered.disk, 'r');
  try {
    let healed = 0;
    const now = Buffer.alloc(BLOCK);
    for (const [offset, before] of altered.blocks) {
      await file.read(now, 0, BLOCK, offset);
      if (now.equals(before)) healed += 1;
    }
    return healed;
  } finally {
    await file.close();
  }
}
