import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { idsOf, layoutOf, type Configuration } from '../../runtime/config.ts';
import { ensureIdentities } from '../../runtime/identity.ts';
import { writeWhole } from '../../runtime/whole-file.ts';
import { STATE_FORMAT } from './checks.ts';

/** Unix socket paths end at 107 characters (unix(7)); the longest of ours is below the sites' directory. */
const LONGEST_SOCKET = '/s/0123456789ab/4294967295/app.sock';

function make(path: string, mode: number, uid: number, gid: number): void {
  mkdirSync(path, { recursive: true });
  chownSync(path, uid, gid);
  chmodSync(path, mode);
}

/** Makes the state and run directories with the rights that Layout documents. Repeatable. */
export async function makeDirectories(configuration: Configuration): Promise<void> {
  const layout = layoutOf(configuration);
  const ids = idsOf(configuration.instance);
  if (configuration.runDirectory.length + LONGEST_SOCKET.length > 107)
    throw new Error('The run directory is too long.');
  make(configuration.home, 0o711, 0, 0);
  make(layout.control, 0o700, ids.control, ids.control);
  make(layout.agent, 0o700, 0, 0);
  make(layout.gateway, 0o750, 0, ids.gateway);
  make(layout.logs, 0o710, 0, ids.gateway);
  make(layout.volumes, 0o700, 0, 0);
  make(join(configuration.home, 'log'), 0o700, 0, 0);
  make('/run/holdfast', 0o711, 0, 0);
  make(configuration.runDirectory, 0o711, 0, 0);
  make(join(configuration.runDirectory, 'control'), 0o2750, ids.control, ids.gateway);
  make(layout.wakeDirectory, 0o750, 0, ids.gateway);
  make(layout.sites, 0o711, 0, 0);
  await ensureIdentities({
    agent: { path: layout.agent, uid: 0 },
    control: { path: layout.control, uid: ids.control },
  });
  const version = JSON.stringify({ format: STATE_FORMAT, version: configuration.version });
  await writeWhole(layout.versionFile, `${version}\n`, { mode: 0o644 });
}

/** Whether this home has been started before. */
export function isFirstStart(configuration: Configuration): boolean {
  return !existsSync(layoutOf(configuration).versionFile);
}
