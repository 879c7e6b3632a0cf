import { z } from 'zod';
import { readJson, writeWhole } from '../../runtime/whole-file.ts';

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
   * Offers the spares, smallest first, until `use` answers something; undefined: it cannot use this one. Two volumes are never offered the
   * same one at a time. Whoever takes one for good removes it.
   */
  async offer<T>(use: (spare: Spare) => Promise<T | undefined>): Promise<T | undefined> {
    for (const spare of this.list().sort((a, b) => a.bytes - b.bytes)) {
      if (this.#taking.has(spare.disk)) continue;
      this.#taking.add(spare.disk);
      try {
        const answer = await use(spare);
        if (answer !== undefined) return answer;
      } finally {
        this.#taking.delete(spare.disk);
      }
    }
    return undefined;
  }

  async #keep(disks: Spare[]): Promise<void> {
    this.#disks = disks;
    await writeWhole(this.#file, JSON.stringify({ format: 1, disks }, null, 2));
  }
}
