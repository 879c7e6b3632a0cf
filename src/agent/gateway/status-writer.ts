import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { renderStatusFiles, type StatusFacts, type StatusTrouble } from '../../model/status-page.ts';
import type { Logger } from '../../runtime/log.ts';
import { writeIfChanged } from '../whole-file.ts';

/** What the page is made from. All from memory: nothing here may wait. */
export interface StatusSource {
  troubles(): readonly StatusTrouble[];
  notes(): StatusFacts['notes'];
  volumes(): StatusFacts['volumes'];
  gateway(): boolean;
}

export interface StatusWriterOptions {
  /** <home>/gateway/status: served by nginx. */
  directory: string;
  gid: number;
  name: string;
  url: string;
  controlSocket: string;
  source: StatusSource;
  log: Logger;
}

/** The page says how old it is; written this often, an old one means that nobody writes any more. */
const EVERY_MS = 15_000;
/** Changes that come together are written once. */
const GATHER_MS = 100;
const CONTROL_ANSWERS_MS = 2_000;

/**
 * Keeps the public status page true. It runs in the agent, because the control plane may be down, and writes plain files, because
 * the agent may be down next.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #stopped = false;
  /** Looked at again before each regular writing. Unknown counts as well: at the start it is only on its way. */
  #control = true;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** Writes the page once, so that it is there before nginx is, and keeps on. */
  async start(): Promise<void> {
    this.#stopped = false;
    await this.write();
    this.#timer = setInterval(() => {
      void this.#look();
    }, EVERY_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    await this.#writing;
  }

  /** Something changed: the page follows within a moment. */
  changed(): void {
    if (this.#stopped || this.#soon !== undefined) return;
    this.#soon = setTimeout(() => {
      this.#soon = undefined;
      void this.write();
    }, GATHER_MS);
    this.#soon.unref();
  }

  /** One writing after the other, so that an older page never replaces a newer one. Never throws. */
  async write(): Promise<void> {
    this.#writing = this.#writing
      .then(async () => await this.#writeNow())
      .catch((error: unknown) => {
        this.#options.log.error({ err: error }, 'The status page was not written.');
      });
    await this.#writing;
  }

  async #look(): Promise<void> {
    this.#control = await acceptsConnections(this.#options.controlSocket, CONTROL_ANSWERS_MS);
    await this.write();
  }

  async #writeNow(): Promise<void> {
    const { directory, gid, name, url, source } = this.#options;
    const files = renderStatusFiles({
      name,
      url,
      at: new Date().toISOString(),
      gateway: source.gateway(),
      control: this.#control,
      volumes: source.volumes(),
      troubles: source.troubles(),
      notes: source.notes(),
    });
    for (const [file, text] of Object.entries(files)) {
      const path = join(directory, file);
      await mkdir(dirname(path), { recursive: true, mode: 0o755 });
      await writeIfChanged(path, text, { mode: 0o644, gid, durable: false });
    }
  }
}

/** Whether somebody listens there. Never throws. */
async function acceptsConnections(socketPath: string, deadlineMs: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(socketPath);
    const settle = (answer: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => settle(false), deadlineMs);
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}
