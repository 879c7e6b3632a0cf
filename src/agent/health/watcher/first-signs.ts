import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from '../../../runtime/whole-file.ts';

/**
 * When disks that complete nothing now completed something last, beyond the life of one watcher: its successor sees such a disk stopped from
 * its own start on, and would say that it stopped only then. Moments are those of monotonicMs, so they hold within one boot.
 */
export class FirstSigns {
  readonly #file: string;
  readonly #boot: string;
  #written = '{}';
  #writing = false;

  /** @param directory the platform's own */
  constructor(directory: string, boot: string) {
    this.#file = join(directory, 'first-signs.json');
    this.#boot = boot;
  }

  /** What the last watcher of this boot wrote, by disk ("volume/replica/device"); nothing when there was none. */
  recall(): ReadonlyMap<string, number> {
    try {
      const { boot, signs } = JSON.parse(readFileSync(this.#file, 'utf8')) as { boot?: unknown; signs?: unknown };
      if (boot !== this.#boot || typeof signs !== 'object' || signs === null) return new Map();
      return new Map(Object.entries(signs).filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
    } catch {
      return new Map(); // None, or one that was cut off: what is seen from now on counts.
    }
  }

  /** Writes them down when they are others than before. Waits for nothing: the host's disk may be what hangs. */
  keep(signs: ReadonlyMap<string, number>): void {
    const text = JSON.stringify(Object.fromEntries(signs));
    if (text === this.#written || this.#writing) return;
    this.#writing = true;
    const content = `{"boot":${JSON.stringify(this.#boot)},"signs":${text}}`;
    void writeWhole(this.#file, content, { mode: 0o600, durable: false })
      .then(() => (this.#written = text))
      // It is only about how exactly a time is told; a host that cannot write has worse troubles, which others tell.
      .catch(() => undefined)
      .finally(() => (this.#writing = false));
  }
}
