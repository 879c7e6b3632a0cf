import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

/** Processor time since boot, in clock ticks. */
export interface ProcessorTime {
  idle: number;
  total: number;
}

/** Reads the first line of /proc/stat: user nice system idle iowait irq softirq steal (proc(5)). */
export function parseProcessorTime(stat: string): ProcessorTime {
  const line = /^cpu\s+(.*)$/m.exec(stat)?.[1];
  if (line === undefined) throw new Error(`/proc/stat has no line "cpu":\n${stat.slice(0, 200)}`);
  const fields = line.trim().split(/\s+/).slice(0, 8).map(Number);
  const idle = (fields[3] ?? 0) + (fields[4] ?? 0);
  return { idle, total: fields.reduce((total, value) => total + value, 0) };
}

function now(): ProcessorTime {
  return parseProcessorTime(readFileSync('/proc/stat', 'utf8'));
}

/** The share (0 to 1) of the processor that was busy between two readings. */
export function busyBetween(before: ProcessorTime, after: ProcessorTime): number {
  const total = after.total - before.total;
  return total <= 0 ? 0 : 1 - (after.idle - before.idle) / total;
}

const SAMPLE_MS = 250;
/** A quiet Linux machine with an idle platform is below 5 %. */
const CALM = 0.1;

/**
 * Waits for a moment in which nobody else is at work on this machine, so that a round measures the two sides and not the
 * neighbours. Gives up after its patience, counted over all calls, and counts what was measured without calm.
 */
export class Calm {
  #patienceMs: number;
  /** Rounds that began calm, and rounds that did not. */
  readonly rounds = { calm: 0, disturbed: 0 };

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  async wait(): Promise<void> {
    for (;;) {
      const before = now();
      await pause(SAMPLE_MS);
      if (busyBetween(before, now()) <= CALM) {
        this.rounds.calm += 1;
        return;
      }
      this.#patienceMs -= SAMPLE_MS;
      if (this.#patienceMs <= 0) {
        this.rounds.disturbed += 1;
        return;
      }
    }
  }
}
