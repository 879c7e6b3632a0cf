import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  renderAlive,
  renderStatusFiles,
  STATUS_ALIVE,
  type StatusFacts,
  type StatusTrouble,
} from '../../model/status-page.ts';
import { ALIVE_PATH, answersHttp } from '../../runtime/alive.ts';
import type { Logger } from '../../runtime/log.ts';
import { Patience } from '../../runtime/patience.ts';
import type { SupervisorView } from '../../runtime/pulse.ts';
import { writeIfChanged, writeWhole } from '../../runtime/whole-file.ts';

/** What the page is made from. All from memory: nothing here may wait. */
export interface StatusSource {
  troubles(): readonly StatusTrouble[];
  notes(): StatusFacts['notes'];
  volumes(): StatusFacts['volumes'];
  gateway(): boolean;
  /** Whether the watcher sees the disks. */
  watching(): 'yes' | 'blind';
  /** The supervisor asks the control plane from outside as well, and is believed. */
  supervisor(): SupervisorView;
}

export interface StatusWriterOptions {
  /** <home>/gateway/status: served by nginx. */
  directory: string;
  gid: number;
  name: string;
  url: string;
  controlSocket: string;
  /** What the page is made from is kept there for the supervisor, who writes it while this process does not answer. */
  factsFile: string;
  source: StatusSource;
  log: Logger;
}

/** This often the control plane is asked, and it is written down that somebody is there. */
const TURN_MS = 2_000;
/** The page itself is written at least every so many turns: the time it says must not look old to a person. */
const PAGE_EVERY_TURNS = 8;
/** Changes that come together are written once. */
const GATHER_MS = 100;
/** Without an answer for so many turns the control plane counts as away; at the start it is only on its way. */
const CONTROL_TURNS = 2;
const CONTROL_START_TURNS = 20;
const CONTROL_ANSWERS_MS = 3_500;

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
  readonly #patience = new Patience({ turnMs: TURN_MS, turns: CONTROL_START_TURNS });
  #control = true;
  #asking = false;
  #turns = 0;
  #page = '';

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** Writes the page once, so that it is there before nginx is, and keeps on. */
  async start(): Promise<void> {
    this.#stopped = false;
    await this.write();
    this.#timer = setInterval(() => void this.#turn(), TURN_MS);
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

  /** Never throws. */
  async #turn(): Promise<void> {
    const says = this.#options.source.supervisor().says;
    const away = this.#patience.turn(performance.now()) || (says !== null && says.control !== null);
    if (!this.#asking) void this.#askControl();
    this.#turns += 1;
    const changed = this.#control === away;
    this.#control = !away;
    if (changed || this.#turns % PAGE_EVERY_TURNS === 0) await this.write();
    else await this.#writeAlive();
  }

  async #askControl(): Promise<void> {
    this.#asking = true;
    if (await answersHttp(this.#options.controlSocket, ALIVE_PATH, CONTROL_ANSWERS_MS))
      this.#patience.reset(CONTROL_TURNS);
    this.#asking = false;
  }

  async #writeAlive(): Promise<void> {
    const { directory, gid, log } = this.#options;
    try {
      const text = renderAlive(new Date().toISOString(), this.#page);
      await writeWhole(join(directory, STATUS_ALIVE), text, { mode: 0o644, gid, durable: false });
    } catch (error) {
      log.error({ err: error }, 'That the status page is kept was not written down.');
    }
  }

  async #writeNow(): Promise<void> {
    const { directory, gid, name, url, source } = this.#options;
    const at = new Date().toISOString();
    const facts: StatusFacts = {
      name,
      url,
      at,
      gateway: source.gateway(),
      control: this.#control,
      volumes: source
        .volumes()
        .map((volume) => ({ name: volume.name, state: volume.state, unseen: volume.unseen === true })),
      troubles: source.troubles(),
      notes: source.notes(),
      watching: source.watching(),
      knownAt: at,
    };
    const files = renderStatusFiles(facts);
    for (const [file, text] of Object.entries(files)) {
      const path = join(directory, file);
      await mkdir(dirname(path), { recursive: true, mode: 0o755 });
      await writeIfChanged(path, text, { mode: 0o644, gid, durable: false });
    }
    this.#page = at;
    await this.#writeAlive();
    await writeWhole(this.#options.factsFile, JSON.stringify(facts), { mode: 0o600, durable: false });
  }
}
