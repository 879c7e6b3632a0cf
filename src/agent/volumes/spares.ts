import { z } from 'zod';
import { readJson, writeDurably } from './durable.ts';

const fileSchema = z.object({
  format: z.literal(1),
  disks: z.array(z.object({ disk: z.string(), bytes: z.number() })),
});
export type Spare = z.infer<typeof fileSchema>['disks'][number];

/**
 * Disks of this host that wait to be rebuilt onto, in the agent's own file. Nothing is written to a spare before a volume takes it, and
 * whether it is still empty is asked again then.
 */
export class Spares {
  readonly #file: string;
  #disks: Spare[] = [];
  readonly #taking = new Set<string>();

  constructor(file: string) {
    this.#file = file;
  }

  async load(): Promise<void> {
    const content = await readJson(this.#file);
    if (content !== undefined) this.#disks = fileSchema.parse(content).disks;
  }

  list(): Spare[] {
    return structuredClone(this.#disks);
  }

  async add(spare: Spare): Promise<void> {
    await this.#keep([...this.#disks.filter(({ disk }) => disk !== spare.disk), spare]);
  }

  async remove(disk: string): Promise<boolean> {
    const left = this.#disks.filter((spare) => spare.disk !== disk);
    if (left.length === this.#disks.length) return false;
    await this.#keep(left);
    return true;
  }

  /**
   * Offers the spares, smallest first, until `take` took one; that one is none any more. Two volumes are never offered the same one at a
   * time. `take` answers undefined for a spare it cannot use.
   */
  async offer<T>(take: (spare: Spare) => Promise<T | undefined>): Promise<T | undefined> {
    for (const spare of this.list().sort((a, b) => a.bytes - b.bytes)) {
      if (this.#taking.has(spare.disk)) continue;
      this.#taking.add(spare.disk);
      try {
        const taken = await take(spare);
        if (taken === undefined) continue;
        await this.remove(spare.disk);
        return taken;
      } finally {
        this.#taking.delete(spare.disk);
      }
    }
    return undefined;
  }

  async #keep(disks: Spare[]): Promise<void> {
    this.#disks = disks;
    await writeDurably(this.#file, JSON.stringify({ format: 1, disks }, null, 2));
  }
}
