import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Patience } from './patience.ts';
import { writeWhole } from './whole-file.ts';

/**
 * The supervisor's heartbeat: a small file in the run directory (a tmpfs on most machines), so that those it watches can see whether they are
 * watched. It says, too, who does not answer the supervisor, and since when.
 */
const pulseSchema = z.object({
  pid: z.number(),
  /** Grows with every beat. */
  beat: z.number(),
  at: z.string(),
  /** Since when the agent or the control plane has not answered; null: it answered when it was last asked. */
  silent: z.object({ agent: z.string().nullable(), control: z.string().nullable() }),
});
export type Pulse = z.infer<typeof pulseSchema>;

/** How often the supervisor's heart beats, and how often the others feel for it. */
export const PULSE_EVERY_MS = 1_000;
/** Without a beat for so many turns it counts as silent. */
const SILENT_TURNS = 5;

export function pulseFile(runDirectory: string): string {
  return join(runDirectory, 'supervisor-pulse.json');
}

/** Writes one beat. */
export async function writePulse(runDirectory: string, pulse: Pulse): Promise<void> {
  await writeWhole(pulseFile(runDirectory), JSON.stringify(pulse), { mode: 0o644, durable: false });
}

/** What is known of the supervisor. */
export interface SupervisorView {
  /** Since when its heart has not been felt, ISO 8601; null: it was when last felt for, or there has not been time to tell. */
  silentSince: string | null;
  /** What it last said of the others; null when it is silent itself. */
  says: Pulse['silent'] | null;
}

/** Feels for the supervisor's pulse now and then. What it knows is read from memory. */
export class PulseWatch {
  readonly #file: string;
  readonly #patience = new Patience({ turnMs: PULSE_EVERY_MS, turns: SILENT_TURNS });
  readonly #listeners: ((view: SupervisorView) => void)[] = [];
  #beat: number | undefined;
  #pid: number | undefined;
  #lastAt: string | undefined;
  #view: SupervisorView = { silentSince: null, says: null };
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(runDirectory: string) {
    this.#file = pulseFile(runDirectory);
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(performance.now(), new Date().toISOString()), PULSE_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  view(): SupervisorView {
    return this.#view;
  }

  /** Told when it falls silent and when it is back. */
  onChange(listener: (view: SupervisorView) => void): void {
    this.#listeners.push(listener);
  }

  /** One turn. Never throws. @param wall the time of day, for what is said when it has never been felt */
  async look(now: number, wall: string): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const pulse = await this.#read();
      const before = this.#view;
      if (pulse !== undefined && (pulse.beat !== this.#beat || pulse.pid !== this.#pid)) {
        this.#beat = pulse.beat;
        this.#pid = pulse.pid;
        this.#lastAt = pulse.at;
        this.#patience.turn(now);
        this.#patience.heard();
        this.#view = { silentSince: null, says: pulse.silent };
      } else if (this.#patience.turn(now)) {
        this.#lastAt ??= wall;
        this.#view = { silentSince: this.#lastAt, says: null };
      }
      if (
        before.silentSince !== this.#view.silentSince ||
        JSON.stringify(before.says) !== JSON.stringify(this.#view.says)
      )
        for (const listener of this.#listeners) listener(this.#view);
    } finally {
      this.#looking = false;
    }
  }

  async #read(): Promise<Pulse | undefined> {
    try {
      const parsed = pulseSchema.safeParse(JSON.parse(await readFile(this.#file, 'utf8')));
      return parsed.success ? parsed.data : undefined;
    } catch {
      return undefined; // There is none, or none that can be read: not felt, which is what is counted.
    }
  }
}
