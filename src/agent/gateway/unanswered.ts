import { constants } from 'node:fs';
import { lstat, open, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Logger } from '../../runtime/log.ts';
import { writeIfChanged } from '../../runtime/whole-file.ts';
import { ensureLogDirectory } from './access-logs.ts';

/** nginx's own log of what went wrong between it and the sites. */
export const SITES_LOG = 'sites.log';

const LOOK_MS = 1_000;
/** Bytes of the log read in one look; what is more comes with the next. */
const MOST_BYTES = 1024 * 1024;
/** Lines that one look writes into one site's log. */
const MOST_LINES = 20;

export interface Unanswered {
  site: string;
  /** As nginx writes it, in the machine's time: 2026/11/28 18:00:00. */
  at: string;
  /** For the owner. */
  sentence: string;
}

const SENTENCES: readonly [RegExp, string][] = [
  [/^upstream prematurely closed connection while reading response header/, 'The server closed the connection before it answered'],
  [/^recv\(\) failed .* while reading response header/, 'The server broke the connection off before it answered'],
  [/^upstream (timed out|prematurely closed connection|.*failed).* while reading upstream/, 'The server broke its answer off in the midst'],
  [/^recv\(\) failed .* while reading upstream/, 'The server broke its answer off in the midst'],
  [/^upstream timed out/, 'The server did not answer in time'],
  [/^upstream sent too big header/, 'The head of the answer is larger than the 64 KiB that are passed on'],
  [/^upstream sent (invalid|no valid|duplicate|unexpected)/, 'The head of the answer is not valid HTTP'],
  [/failed .* while sending request to upstream/, 'The server closed the connection before it had read the request'],
  [/^connect\(\) .*failed \(11:/, "The server's queue is full: its workers are all busy"],
]; // prettier-ignore

/**
 * Reads a line of nginx's error log (ngx_http_log_error: reason, then what it was doing, then client, server, request, upstream, host and
 * referrer, each after a comma). Undefined for what no owner has to know: a site that sleeps, or a line that cannot be trusted to speak of
 * the site it names, because a visitor wrote the name of an upstream into the request.
 */
export function parseUnanswered(line: string): Unanswered | undefined {
  const match = line.match(/^(\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d) \[[a-z]+\] \d+#\d+: \*\d+ (.*?), client: (.*)$/);
  if (match === null) return undefined;
  const [, at = '', reason = '', rest = ''] = match;
  // The server is not there: it sleeps, and is woken.
  if (/^connect\(\) .*failed \((2|111):/.test(reason)) return undefined;
  const named = [...rest.matchAll(/upstream: "/g)];
  const [upstream] = named;
  if (upstream === undefined || named.length > 1) return undefined;
  const site = rest.slice(upstream.index).match(/^upstream: "http:\/\/unix:[^:"]*\/s\/([0-9a-f]{12})\/current\//)?.[1];
  if (site === undefined) return undefined;
  const plain = SENTENCES.find(([pattern]) => pattern.test(reason))?.[1] ?? 'The gateway could not pass the answer on';
  // A part of the reason may be the site's own bytes.
  // eslint-disable-next-line no-control-regex
  const quoted = reason.replaceAll(/connect\(\) to unix:\S+/g, 'connect()').replaceAll(/[\x00-\x1f\x7f]/g, '?');
  return { site, at, sentence: `${plain} (${quoted.slice(0, 300)})` };
}

const positionSchema = z.object({ inode: z.number(), offset: z.number() });

export interface UnansweredOptions {
  /** <home>/gateway/logs. */
  gatewayLogs: string;
  /** <home>/logs. */
  logs: string;
  /** Where it remembers how far it has read; survives a restart of the agent. */
  memory: string;
  siteOf: (id: string) => { account: string; domain: string } | undefined;
  log: Logger;
}

/** Follows nginx's log of the sites and tells each owner, in the site's server log, why a visitor got a 502 or a 504. */
export class UnansweredLog {
  readonly #options: UnansweredOptions;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: UnansweredOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#looking ??= this.look()
        .catch((error: unknown) => this.#options.log.error({ err: error }, 'The log of the sites was not read.'))
        .finally(() => (this.#looking = undefined));
    }, LOOK_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** Reads what is new, once. */
  async look(): Promise<void> {
    const { gatewayLogs, memory, siteOf } = this.#options;
    const file = await openIfThere(join(gatewayLogs, SITES_LOG));
    if (file === undefined) return;
    let text: string;
    let position: z.infer<typeof positionSchema>;
    try {
      const { ino, size } = await file.stat();
      const before = await this.#position();
      // Another file after a rotation, or the first look: from its beginning.
      const offset = before?.inode === ino && before.offset <= size ? before.offset : 0;
      const buffer = Buffer.alloc(Math.min(MOST_BYTES, size - offset));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
      const end = buffer.lastIndexOf('\n', bytesRead) + 1;
      text = buffer.toString('latin1', 0, end);
      // A line without an end that fills the buffer is passed over.
      position = { inode: ino, offset: offset + (end > 0 || bytesRead < MOST_BYTES ? end : bytesRead) };
    } finally {
      await file.close();
    }
    const lines = text.split('\n').flatMap((line) => parseUnanswered(line) ?? []);
    for (const [id, found] of Map.groupBy(lines, (line) => line.site)) {
      const site = siteOf(id);
      if (site !== undefined) await this.#append(site, found);
    }
    await writeIfChanged(memory, JSON.stringify(position), { mode: 0o600, durable: false });
  }

  async #position(): Promise<z.infer<typeof positionSchema> | undefined> {
    try {
      return positionSchema.parse(JSON.parse(await readFile(this.#options.memory, 'utf8')));
    } catch {
      // Not there yet, or half of it after a power cut: a line twice is better than none.
      return undefined;
    }
  }

  async #append(site: { account: string; domain: string }, found: readonly Unanswered[]): Promise<void> {
    const lines = found
      .slice(0, MOST_LINES)
      .map(({ at, sentence }) => `${at.replaceAll('/', '-')} - gateway: ${sentence}`);
    if (found.length > lines.length)
      lines.push(`${found[0]?.at.replaceAll('/', '-')} - gateway: ... and ${found.length - lines.length} more`);
    const directory = await ensureLogDirectory(this.#options.logs, site.account, undefined);
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
    const file = await open(join(directory, `${site.domain}.server.log`), flags, 0o640);
    try {
      await file.chown(0, (await lstat(directory)).gid);
      await file.write(`${lines.join('\n')}\n`);
    } finally {
      await file.close();
    }
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
