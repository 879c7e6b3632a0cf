import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { HoldfastError } from '../../protocol/errors.ts';

/** What nginx writes for each request to a site that took a second or longer, or ended with 5xx. Fields between bars. */
export const IMPACT_FORMAT = '$msec|$host|$status|$request_time|$upstream_header_time|$honest_page';
export const IMPACT_LOG = 'impact.log';

/** A request is late from here on, milliseconds. */
const LATE_MS = 1_000;
/** Waking a site takes a second or two with the best of disks; from here on it was more than that. */
const LATE_WAKE_MS = 10_000;
/** A request that ended this long after the span may have begun in it. */
const TAIL_MS = 3_600_000;
const CHUNK = 128 * 1024;
const MOST_BYTES = 64 * 1024 * 1024;

export interface ImpactLine {
  /** When the request ended, milliseconds since 1970. */
  endedAt: number;
  domain: string;
  status: number;
  /** From the first byte of the request to the last of the answer: a slow visitor makes it long, too. */
  wholeMs: number;
  /** Until the site began to answer; undefined when it never did. What a visitor's own line costs is not in it. */
  answerMs: number | undefined;
  /** Until the agent said that the site is awake, when it had to be woken. */
  wakeMs: number | undefined;
  /** The page that nginx or the waker answered instead of the site: "repair" is the honest 503. */
  page: string | undefined;
}

/**
 * Reads a line. `$upstream_header_time` holds one time for each server that was asked, in order: the site; or, when it slept, the site
 * (never reached), the waker, and the site again. "-" means that no answer began.
 */
export function parseImpactLine(line: string): ImpactLine | undefined {
  const [msec, domain, status, whole, times, page] = line.split('|');
  if (msec === undefined || domain === undefined || page === undefined) return undefined;
  const endedAt = Math.round(Number(msec) * 1000);
  const wholeMs = Math.round(Number(whole) * 1000);
  if (!Number.isFinite(endedAt) || !Number.isFinite(wholeMs) || !/^\d{3}$/.test(status ?? '')) return undefined;
  const asked = (times ?? '').split(/ : |, /).map((time) => {
    const seconds = Number.parseFloat(time);
    return Number.isFinite(seconds) ? Math.round(seconds * 1000) : undefined;
  });
  return {
    endedAt,
    domain,
    status: Number(status),
    wholeMs,
    answerMs: asked.length === 2 ? undefined : asked.at(-1),
    wakeMs: asked.length >= 2 ? asked[1] : undefined,
    page: page === '-' || page === '' ? undefined : page,
  };
}

export interface Impact {
  delayed: number;
  failed: number;
  longestMs: number;
}

/**
 * Adds one request. Failed: 5xx, the honest one too, or given up by the visitor after a second without an answer. Delayed: the
 * site began to answer a second or more after it was asked. A long download or a websocket began early, and a visit that
 * woke the site waited for its start: neither counts, unless the start took far longer than starts do.
 */
export function addImpact(impact: Impact, line: ImpactLine): void {
  const gaveUp = line.status === 499 && line.answerMs === undefined && line.wholeMs >= LATE_MS;
  if (line.status >= 500 || gaveUp) {
    impact.failed += 1;
    if (line.answerMs === undefined) impact.longestMs = Math.max(impact.longestMs, line.wholeMs);
    return;
  }
  const waited = Math.max(
    line.answerMs !== undefined && line.answerMs >= LATE_MS ? line.answerMs : 0,
    line.wakeMs !== undefined && line.wakeMs >= LATE_WAKE_MS ? line.wakeMs : 0,
  );
  if (waited === 0) return;
  impact.delayed += 1;
  impact.longestMs = Math.max(impact.longestMs, waited);
}

/**
 * Counts what hit these domains between two moments, milliseconds since 1970. Reads the gateway's own log from the place where
 * the span begins, in small pieces. Throws `deadline-passed`.
 */
export async function countImpact(
  path: string,
  domains: ReadonlySet<string>,
  since: number,
  until: number,
  deadlineMs = 10_000,
): Promise<Impact> {
  const end = performance.now() + deadlineMs;
  const impact: Impact = { delayed: 0, failed: 0, longestMs: 0 };
  if (domains.size === 0) return impact;
  let left = MOST_BYTES;
  const look = (text: string): boolean => {
    if (performance.now() > end)
      throw new HoldfastError('deadline-passed', `Counting delayed requests took longer than ${deadlineMs} ms.`);
    const line = parseImpactLine(text);
    if (line === undefined) return true;
    if (line.endedAt > until + TAIL_MS) return false;
    if (!domains.has(line.domain)) return true;
    if (line.endedAt >= since && line.endedAt - line.wholeMs <= until) addImpact(impact, line);
    return true;
  };
  // The live one is opened first: when it is turned over meanwhile, the older name is the same file, and is read once.
  const live = await openLog(path);
  try {
    const older = await openLog(`${path}.1`);
    try {
      const same = live !== undefined && older !== undefined && (await live.stat()).ino === (await older.stat()).ino;
      for (const file of same ? [live] : [older, live]) {
        if (file !== undefined) left -= await readFrom(file, since, left, look);
      }
    } finally {
      await older?.close();
    }
  } finally {
    await live?.close();
  }
  return impact;
}

async function openLog(path: string): Promise<FileHandle | undefined> {
  try {
    // The directory is nginx's own: a link there is not followed.
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Feeds whole lines from the first that may belong to the span, until `look` has had enough. Returns the bytes read. */
async function readFrom(
  file: FileHandle,
  since: number,
  most: number,
  look: (line: string) => boolean,
): Promise<number> {
  const { size } = await file.stat();
  const buffer = Buffer.alloc(CHUNK);
  let at = await placeOf(file, size, since);
  const from = at;
  let rest = '';
  while (at < size && at - from < most) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    const lines = (rest + buffer.toString('latin1', 0, bytesRead)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (!look(line)) return at - from;
  }
  return at - from;
}

/** Where the lines begin that ended at `since` or later; workers write side by side, so a little before it. */
async function placeOf(file: FileHandle, size: number, since: number): Promise<number> {
  const buffer = Buffer.alloc(1024);
  let low = 0;
  let high = size;
  while (high - low > CHUNK) {
    const middle = Math.floor((low + high) / 2);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, middle);
    const line = buffer.toString('latin1', 0, bytesRead).split('\n')[1] ?? '';
    const endedAt = Number.parseFloat(line) * 1000;
    if (Number.isFinite(endedAt) && endedAt < since - 2_000) low = middle;
    else high = middle;
  }
  return low === 0 ? 0 : await nextLine(file, low);
}

async function nextLine(file: FileHandle, at: number): Promise<number> {
  const buffer = Buffer.alloc(1024);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
  const end = buffer.subarray(0, bytesRead).indexOf(10);
  return end < 0 ? at : at + end + 1;
}
