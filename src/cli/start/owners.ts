import { lchownSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { idsOf, layoutOf, type Configuration } from '../../runtime/config.ts';

/**
 * A home that was copied or restored without its owners (cp -r, some backups) has the right content, and nobody of the platform can read it.
 * What belongs to one user as a whole is given back. Members' files are not touched: whose they were is written nowhere else.
 * Answers a sentence for the operator when anything was given back.
 */
export function giveBackToOwners(configuration: Configuration): string | undefined {
  const layout = layoutOf(configuration);
  const { control, gateway } = idsOf(configuration.instance);
  const owned: readonly [path: string, owner: number][] = [
    [layout.control, control],
    [layout.agent, 0],
    [join(configuration.home, 'log'), 0],
    [join(layout.gateway, 'logs'), gateway],
    [join(layout.gateway, 'temp'), gateway],
  ];
  const given = owned.reduce((count, [path, owner]) => count + giveBack(path, owner), 0);
  if (given === 0) return undefined;
  return `${given === 1 ? '1 file' : `${given} files`} of the platform in ${configuration.home} belonged to another user and could not be used; given back. A copy of a home keeps its owners with: cp -a, rsync -a`;
}

/** Changes owner and group of everything below a directory of which the owner is another; links are not followed. */
function giveBack(path: string, owner: number): number {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (entry === undefined) return 0;
  let given = 0;
  if (entry.uid !== owner) {
    lchownSync(path, owner, owner);
    given += 1;
  }
  if (entry.isDirectory()) for (const name of readdirSync(path)) given += giveBack(join(path, name), owner);
  return given;
}
