import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '../protocol/errors.ts';
import { readConfiguration, type Configuration } from '../runtime/config.ts';
import { isAlive, recordOf } from '../runtime/process-record.ts';
import { removeInstance } from './leftovers.ts';
import { runs } from './platform.ts';

/** Drills run without a platform on this machine keep their things here: /tmp may be a small tmpfs. */
const WITHOUT_PLATFORM = '/var/tmp/holdfast-drills';
/** Directories of earlier runs that are kept beside the platform, for their results and logs. */
const RUNS_KEPT = 20;

const ownerSchema = z.object({
  runner: z.object({ pid: z.number(), startTime: z.string() }),
  /** The scratch platform's home; null when the drill runs on the running platform. */
  home: z.string().nullable(),
  /** What was made on the running platform. */
  here: z.object({ home: z.string(), accounts: z.array(z.string()), volumes: z.array(z.string()) }).nullable(),
});
export type Owner = z.infer<typeof ownerSchema>;

/** The directory of one run: <home of the platform>/drills/<id>/, or below /var/tmp when none runs. */
export interface Place {
  directory: string;
  /** Whether it stays after the run. */
  kept: boolean;
}

function base(main: Configuration): { directory: string; kept: boolean } {
  return runs(main)
    ? { directory: join(main.home, 'drills'), kept: true }
    : { directory: WITHOUT_PLATFORM, kept: false };
}

/**
 * Whether nobody but root (or whoever we are) can have put anything there: what stands in it is removed with all that it names. In /var/tmp
 * anybody could have made a directory of this name before us.
 */
function isOurs(path: string): boolean {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  return entry !== undefined && entry.isDirectory() && entry.uid === process.getuid?.() && (entry.mode & 0o022) === 0;
}

/** What a run wrote down about itself; undefined when it was cut off while writing, or is not believable. */
export function readOwner(directory: string, id: string): Owner | undefined {
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(join(directory, id, 'owner.json'), 'utf8'));
  } catch {
    return undefined; // Half written or not there: then nothing is known of it.
  }
  const owner = ownerSchema.safeParse(found);
  if (!owner.success) return undefined;
  // Only ever the scratch platform in this run's own directory, whatever the file says.
  return owner.data.home === null || owner.data.home === join(directory, id, 'platform') ? owner.data : undefined;
}

export function makePlace(main: Configuration, id: string): Place {
  const { directory, kept } = base(main);
  // Programs of the scratch platform pass through on the way to what is theirs, and see nothing else.
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  if (!isOurs(directory)) {
    throw new HoldfastError(
      'set-up-missing',
      `${directory} belongs to somebody else, or others may write there. Remove it; drills keep their things in it as root.`,
    );
  }
  const own = join(directory, id);
  mkdirSync(own, { recursive: true, mode: 0o711 });
  return { directory: own, kept };
}

/** Written before anything is made, so that the next run can remove it when this one dies. */
export function writeOwner(place: Place, what: Pick<Owner, 'home' | 'here'>): void {
  const runner = recordOf(process.pid);
  if (runner === undefined) throw new Error('This process is not in /proc.');
  const file = join(place.directory, 'owner.json');
  writeFileSync(`${file}.new`, JSON.stringify({ runner, ...what } satisfies Owner), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function clearOwner(place: Place): void {
  rmSync(join(place.directory, 'owner.json'), { force: true });
}

/** Removes what runs left that could not do it themselves; `removeHere` is for what they made on the running platform. */
export async function cleanLeftovers(
  main: Configuration,
  removeHere: (here: NonNullable<Owner['here']>) => Promise<void>,
  say: (text: string) => void,
): Promise<void> {
  for (const directory of new Set([join(main.home, 'drills'), WITHOUT_PLATFORM])) {
    if (!isOurs(directory)) continue;
    for (const id of readdirSync(directory)) {
      const file = join(directory, id, 'owner.json');
      const owner = readOwner(directory, id);
      if (owner === undefined || isAlive(owner.runner)) continue;
      say(`Removing what the drill ${id} left behind`);
      const { home, here } = owner;
      if (home !== null) await removeInstance(readConfiguration({ HOLDFAST_HOME: home }));
      if (here !== null && here.home === main.home) await removeHere(here);
      rmSync(file, { force: true });
      if (directory === WITHOUT_PLATFORM) rmSync(join(directory, id), { recursive: true, force: true });
    }
    const finished = readdirSync(directory)
      .filter((id) => !existsSync(join(directory, id, 'owner.json')) && existsSync(join(directory, id, 'run.json')))
      .map((id) => ({ id, at: statSync(join(directory, id, 'run.json')).mtimeMs }))
      .sort((a, b) => a.at - b.at);
    for (const { id } of finished.slice(0, -RUNS_KEPT)) rmSync(join(directory, id), { recursive: true, force: true });
  }
}
