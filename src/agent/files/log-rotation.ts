import { constants, createWriteStream } from 'node:fs';
import { lchown, lstat, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Logger } from '../../runtime/log.ts';
import { writeWhole } from '../../runtime/whole-file.ts';

/** A log larger than this is turned over at once, whatever the time. */
const LARGEST = 16 * 1024 * 1024;
/** Of a log that outran us, so much of its end is kept. */
const LARGEST_COPY = 4 * LARGEST;
const LAST = 9;

export interface RotationOptions {
  logs: string;
  /** <home>/gateway/logs: nginx's own. */
  gatewayLogs: string;
  /** nginx opens its own logs anew. */
  reopen: () => void;
  log: Logger;
  everyMs?: number;
  largest?: number;
}

/** Turns logs over: by size, and once a day. Names as on PythonAnywhere: .log.1, then .log.2.gz to .log.9.gz. */
export class LogRotation {
  readonly #options: RotationOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: RotationOptions) {
    this.#options = options;
  }

  start(): void {
    this.#stopped = false;
    this.#timer = setInterval(() => {
      this.#running ??= this.round()
        .catch((error: unknown) => this.#options.log.error({ err: error }, 'Logs were not turned over.'))
        .finally(() => (this.#running = undefined));
    }, this.#options.everyMs ?? 5_000);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  /** Looks at every log once. A day that has begun since the last round turns over all that hold something. */
  async round(now = new Date()): Promise<void> {
    const { logs, gatewayLogs, log, reopen } = this.#options;
    const today = now.toISOString().slice(0, 10);
    const marker = join(logs, '.rotated');
    const last = (await readFile(marker, 'utf8').catch(missing))?.trim();
    const daily = last !== undefined && last < today;
    for (const entry of (await readdir(logs, { withFileTypes: true }).catch(missing)) ?? []) {
      if (!entry.isDirectory() || this.#stopped) continue;
      try {
        await this.#directory(join(logs, entry.name), daily);
      } catch (error) {
        log.error({ err: error, directory: entry.name }, 'The logs of an account were not turned over.');
      }
    }
    if (await this.#gateway(gatewayLogs)) reopen();
    if (last !== today) await writeWhole(marker, `${today}\n`, { mode: 0o600 });
  }

  async #directory(directory: string, daily: boolean): Promise<void> {
    const { gid } = await lstat(directory);
    for (const name of await readdir(directory)) {
      if (!name.endsWith('.log') || this.#stopped) continue;
      const path = join(directory, name);
      const entry = await lstat(path).catch(missing);
      if (!entry?.isFile()) continue;
      // A log made before its account's directory had its group.
      if (entry.gid !== gid) await lchown(path, entry.uid, gid);
      if (entry.size === 0) continue;
      if (!daily && entry.size <= (this.#options.largest ?? LARGEST)) continue;
      await shift(path);
      // nginx opens its logs by name and soon finds the new one; a site's process keeps its open, so that is emptied.
      if (name.endsWith('.access.log')) await turnOver(path, { uid: entry.uid, gid });
      else await copyAndEmpty(path, gid);
    }
  }

  async #gateway(directory: string): Promise<boolean> {
    let moved = false;
    for (const name of ['platform.log', 'error.log', 'sites.log', 'impact.log']) {
      const path = join(directory, name);
      const entry = await lstat(path).catch(missing);
      if (!entry?.isFile() || entry.size <= (this.#options.largest ?? LARGEST)) continue;
      await shift(path);
      await rename(path, `${path}.1`);
      moved = true;
    }
    return moved;
  }
}

function missing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
  throw error;
}

/** Makes room for a new .1: .1 becomes .2.gz and so on; the ninth is dropped. Every step can be repeated after a crash. */
async function shift(path: string): Promise<void> {
  const first = await lstat(`${path}.1`).catch(missing);
  if (!first) return;
  // The gateway's own log directory is the gateway's: what is no file there is not looked behind.
  if (!first.isFile()) {
    await rm(`${path}.1`, { force: true });
    return;
  }
  for (let number = LAST - 1; number >= 2; number--) {
    await rename(`${path}.${number}.gz`, `${path}.${number + 1}.gz`).catch(missing);
  }
  const packed = `${path}.2.gz`;
  await rm(`${packed}.new`, { force: true });
  const old = await open(`${path}.1`, constants.O_RDONLY | constants.O_NOFOLLOW);
  const out = createWriteStream(`${packed}.new`, { flags: 'wx', mode: 0o640 });
  await pipeline(old.createReadStream(), createGzip(), out);
  const file = await open(`${packed}.new`, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    await file.chown(0, first.gid);
    await file.utimes(first.mtime, first.mtime);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${packed}.new`, packed);
  await rm(`${path}.1`, { force: true });
}

/** The new file is there before the old one leaves, with the same owner: nginx could not make it. */
async function turnOver(path: string, owner: { uid: number; gid: number }): Promise<void> {
  await writeWhole(`${path}.next`, '', { mode: 0o640, uid: owner.uid, gid: owner.gid });
  await rename(path, `${path}.1`);
  await rename(`${path}.next`, path);
}

async function copyAndEmpty(path: string, gid: number): Promise<void> {
  const from = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
  const fresh = `${path}.1.new`;
  try {
    await rm(fresh, { force: true });
    const to = await open(fresh, 'wx', 0o640);
    try {
      await to.chown(0, gid);
      let at = Math.max(0, (await from.stat()).size - LARGEST_COPY);
      const buffer = Buffer.alloc(256 * 1024);
      // Until nothing new came: what is written between the last read and the truncation is lost, so keep that short.
      for (const end = at + LARGEST_COPY + LARGEST; at < end;) {
        const { bytesRead } = await from.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) break;
        await to.write(buffer, 0, bytesRead);
        at += bytesRead;
      }
      await from.truncate(0);
      await to.sync();
    } finally {
      await to.close();
    }
    await rename(fresh, `${path}.1`);
  } finally {
    await from.close();
  }
}
