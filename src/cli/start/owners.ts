import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from '../../runtime/command.ts';
import { idsOf, layoutOf, type Configuration } from '../../runtime/config.ts';

const DEADLINE_MS = 120_000;

/**
 * A home that was copied or restored without its owners (cp -r, some backups) has the right content, and nobody of the platform can read it.
 * What belongs to one user as a whole is given back. Members' files are not touched: whose they were is written nowhere else.
 * Answers a sentence for the operator when anything was given back.
 */
export async function giveBackToOwners(configuration: Configuration): Promise<string | undefined> {
  const layout = layoutOf(configuration);
  const { control, gateway } = idsOf(configuration.instance);
  const owned: readonly [path: string, owner: number][] = [
    [layout.control, control],
    [layout.agent, 0],
    [join(configuration.home, 'log'), 0],
    [join(layout.gateway, 'logs'), gateway],
    [join(layout.gateway, 'temp'), gateway],
  ];
  let given = 0;
  for (const [path, owner] of owned) {
    const foreign = foreignBelow(path, owner);
    given += foreign;
    // Some of these directories belong to users with few rights: chown goes from directory to directory by descriptors, so that none of
    // them can lead it elsewhere by putting a link in its way.
    if (foreign > 0)
      await mustRun('chown', ['--recursive', '-P', '--no-dereference', '--', `${owner}:${owner}`, path], {
        deadlineMs: DEADLINE_MS,
      });
  }
  if (given === 0) return undefined;
  return `${given === 1 ? '1 file' : `${given} files`} of the platform in ${configuration.home} belonged to another user and could not be used; given back. A copy of a home keeps its owners with: cp -a, rsync -a`;
}

/** How many entries, the directory itself among them, have another owner. Only looks; what ends meanwhile is not counted. */
function foreignBelow(path: string, owner: number): number {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (entry === undefined) return 0;
  let found = entry.uid === owner ? 0 : 1;
  if (entry.isDirectory()) for (const name of namesIn(path)) found += foreignBelow(join(path, name), owner);
  return found;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // It was removed while we looked.
    throw error;
  }
}
