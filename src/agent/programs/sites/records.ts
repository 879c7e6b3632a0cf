import { chmod, mkdir, readdir, readFile, readlink, rename, rm, rmdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { mustRun, runCommand } from '../../../runtime/command.ts';
import { writeWhole } from '../../../runtime/whole-file.ts';

/**
 * What an agent leaves for the next one about a generation. `intent` is written before anything is started, so that
 * whatever was started has a record; `answering` once it may serve. Everything between is killed by its cgroup.
 */
export const recordSchema = z.object({
  site: z.string(),
  account: z.string(),
  domain: z.string(),
  generation: z.number().int(),
  phase: z.enum(['intent', 'spawned', 'answering', 'draining']),
  /** Why it was started: a reload that an agent's death cut short is done again, so is a start. */
  purpose: z.enum(['start', 'reload']),
  /** The cgroup's name below the account. */
  program: z.string(),
  pid: z.number().int().nullable(),
  startTime: z.string().nullable(),
  boot: z.string(),
  startedAt: z.string(),
});
export type GenerationRecord = z.infer<typeof recordSchema>;

/** The run directory of sites: <run>/s/<site>/{<generation>/app.sock, <generation>.json, current}. */
export interface RunDirectory {
  directoryOf(site: string, generation: number): string;
  socketOf(site: string, generation: number): string;
  write(record: GenerationRecord): Promise<void>;
  /** All records on disk; unreadable ones are removed. */
  readAll(): Promise<GenerationRecord[]>;
  /** Ids of sites that have anything here. */
  sites(): Promise<string[]>;
  /** The highest number ever used here, records and directories alike. */
  highest(site: string): Promise<number>;
  makeSocketDirectory(site: string, generation: number, uid: number, gatewayGid: number): Promise<string>;
  /** Which generation the gateway is sent to, or undefined. */
  current(site: string): Promise<number | undefined>;
  /** Points the gateway to a generation (atomically), or to nothing. */
  point(site: string, generation: number | undefined): Promise<void>;
  removeGeneration(site: string, generation: number): Promise<void>;
  removeSite(site: string): Promise<void>;
}

export function createRunDirectory(root: string): RunDirectory {
  const directoryOf = (site: string, generation: number): string => join(root, site, String(generation));
  const recordOf = (site: string, generation: number): string => `${directoryOf(site, generation)}.json`;
  const ensureSite = async (site: string): Promise<void> => {
    await mkdir(join(root, site), { recursive: true });
    for (const directory of [root, join(root, site)]) await chmod(directory, 0o755);
  };
  const entries = async (directory: string): Promise<string[]> => {
    try {
      return await readdir(directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  };
  const sites: RunDirectory['sites'] = async () => (await entries(root)).filter((name) => /^[0-9a-f]{12}$/.test(name));

  return {
    directoryOf,
    socketOf: (site, generation) => join(directoryOf(site, generation), 'app.sock'),
    write: async (record) => {
      await ensureSite(record.site);
      await writeWhole(recordOf(record.site, record.generation), JSON.stringify(record), {
        mode: 0o600,
        durable: false,
      });
    },
    readAll: async () => {
      const records: GenerationRecord[] = [];
      for (const site of await sites()) {
        for (const name of await entries(join(root, site))) {
          if (!name.endsWith('.json')) continue;
          try {
            records.push(recordSchema.parse(JSON.parse(await readFile(join(root, site, name), 'utf8'))));
          } catch {
            // Half of a record cannot be: it is renamed into place. What it named is found again by its cgroup.
            await rm(join(root, site, name), { force: true });
          }
        }
      }
      return records;
    },
    sites,
    highest: async (site) => {
      const numbers = (await entries(join(root, site))).map((name) => Number.parseInt(name, 10)).filter((n) => n > 0);
      return Math.max(0, ...numbers);
    },
    makeSocketDirectory: async (site, generation, uid, gatewayGid) => {
      await ensureSite(site);
      const directory = directoryOf(site, generation);
      await discard(directory);
      await mkdir(directory, { mode: 0o700 });
      // The member's programs write here: a file system of its own keeps them from filling the platform's run directory, and
      // without symlinks they cannot send the gateway to a socket that is not theirs.
      const options = `size=64k,nr_inodes=64,mode=2770,uid=${uid},gid=${gatewayGid},nosuid,nodev,noexec,nosymfollow`;
      await mustRun('mount', ['-t', 'tmpfs', '-o', options, 'holdfast-socket', directory], { deadlineMs: 5_000 });
      return directory;
    },
    current: async (site) => {
      try {
        const target = Number(await readlink(join(root, site, 'current')));
        return Number.isInteger(target) && target > 0 ? target : undefined;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    point: async (site, generation) => {
      const link = join(root, site, 'current');
      if (generation === undefined) {
        await rm(link, { force: true });
        return;
      }
      const fresh = join(root, site, `.current.${process.pid}`);
      await rm(fresh, { force: true });
      await symlink(String(generation), fresh);
      await rename(fresh, link);
    },
    removeGeneration: async (site, generation) => {
      await discard(directoryOf(site, generation));
      await rm(recordOf(site, generation), { force: true });
    },
    removeSite: async (site) => {
      for (const name of await entries(join(root, site))) {
        if (/^\d+$/.test(name)) await discard(join(root, site, name));
      }
      await rm(join(root, site), { recursive: true, force: true });
    },
  };
}

/** Unmounts and removes a socket directory, whether it was ever mounted or not. Its processes have ended. */
async function discard(directory: string): Promise<void> {
  for (;;) {
    try {
      // An empty directory that is no mount goes at once; a mount answers EBUSY, leftovers of another kind ENOTEMPTY.
      await rmdir(directory);
      return;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOENT') return;
      if (code !== 'EBUSY') break;
    }
    const done = await runCommand('umount', ['-l', directory], { deadlineMs: 5_000 });
    if (done.code !== 0) break;
  }
  await rm(directory, { recursive: true, force: true });
}
