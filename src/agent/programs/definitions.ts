import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import type { Logger } from '../../runtime/log.ts';
import { writeWhole } from '../../runtime/whole-file.ts';

/**
 * Definitions of one kind (accounts, sites ...): wanted state on the agent's own disk, so that it works without the control plane.
 * One file each, replaced whole.
 */
export interface Definitions<T> {
  /** By key. Only what was loaded or put since the start is in it. */
  readonly all: ReadonlyMap<string, T>;
  load(): Promise<void>;
  /** Writes nothing when nothing changed. */
  put(value: T): Promise<void>;
  remove(key: string): Promise<void>;
}

/** `keyOf` names the file: what it answers must be a safe file name. */
export function createDefinitions<T>(
  directory: string,
  schema: z.ZodType<T>,
  keyOf: (value: T) => string,
  log: Logger,
): Definitions<T> {
  const all = new Map<string, T>();
  const fileOf = (key: string): string => join(directory, `${key}.json`);
  return {
    all,
    load: async () => {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      for (const name of await readdir(directory)) {
        if (!name.endsWith('.json')) {
          await rm(join(directory, name), { force: true });
          continue;
        }
        try {
          const value = schema.parse(JSON.parse(await readFile(join(directory, name), 'utf8')));
          all.set(keyOf(value), value);
        } catch (error) {
          // The control plane holds the truth and sends it again; one bad file must not keep the others down.
          log.error({ err: error, directory, file: name }, 'a stored definition cannot be read and is left out');
        }
      }
    },
    put: async (value) => {
      const key = keyOf(value);
      if (isDeepStrictEqual(all.get(key), value)) return;
      // Known only once it is on disk: what could not be written is taken up when it is told again.
      await writeWhole(fileOf(key), JSON.stringify(value));
      all.set(key, value);
    },
    remove: async (key) => {
      all.delete(key);
      await rm(fileOf(key), { force: true });
    },
  };
}
