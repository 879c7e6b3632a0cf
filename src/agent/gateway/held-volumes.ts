import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The switch that takes a volume's sites off the gateway at once: a file `<run>/held/<volume>`. nginx looks for it with each request to
 * a site (one stat in a tmpfs), so that neither a reload nor anybody else's request is in it. While it is there visitors get
 * the honest 503, whether the sites' processes are asleep, awake or stuck.
 *
 * Written synchronously: the directory is a tmpfs of the platform's own, and what was told last must hold.
 */
export class HeldVolumes {
  readonly #directory: string;

  constructor(runDirectory: string) {
    this.#directory = heldDirectory(runDirectory);
  }

  prepare(): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o755 });
  }

  has(volume: string): boolean {
    return this.all().includes(volume);
  }

  all(): string[] {
    try {
      return readdirSync(this.#directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  set(volume: string, held: boolean): void {
    if (held) {
      this.prepare();
      writeFileSync(join(this.#directory, volume), '', { mode: 0o644 });
    } else {
      rmSync(join(this.#directory, volume), { force: true });
    }
  }

  /** The platform stops: the next start begins with what it finds then. */
  clear(): void {
    for (const volume of this.all()) this.set(volume, false);
  }
}

export function heldDirectory(runDirectory: string): string {
  return join(runDirectory, 'held');
}
