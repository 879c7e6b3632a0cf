import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const LOOK_EVERY_MS = 100;

/** Where a drill says by how much the time of day of one platform is off, milliseconds as text. */
export function clockOffsetFile(runDirectory: string): string {
  return join(runDirectory, 'clock-offset');
}

/**
 * For drills: from now on this process's time of day is off by what stands in a file. Clocks that are never set (performance.now, process.hrtime)
 * are left alone, as they are when a real clock is set. Does nothing unless HOLDFAST_CLOCK_OFFSET is "follow".
 */
export function followClockOffset(runDirectory: string, environment: NodeJS.ProcessEnv = process.env): void {
  if (environment['HOLDFAST_CLOCK_OFFSET'] !== 'follow') return;
  let offset = 0;
  const look = (): void => {
    try {
      const found = Number(readFileSync(clockOffsetFile(runDirectory), 'utf8'));
      if (Number.isFinite(found)) offset = found;
    } catch {
      offset = 0; // Nobody has set it.
    }
  };
  look();
  setInterval(look, LOOK_EVERY_MS).unref();
  const Real = Date;
  class OffsetDate extends Real {
    constructor(...given: [] | [value: number | string | Date]) {
      super(...((given.length === 0 ? [Real.now() + offset] : given) as [number]));
    }
    static override now(): number {
      return Real.now() + offset;
    }
  }
  globalThis.Date = OffsetDate as DateConstructor;
}
