import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../../protocol/errors.ts';
import { idsOf, layoutOf, type Configuration } from '../../runtime/config.ts';

/** nginx, nbdkit and uWSGI take the paths below a home in their own configuration, each with its own special characters. */
const USABLE = /^[\p{L}\p{N}/._@+:,=~-]+$/u;
/** Members' files lie below it, and a path ends at 4095 bytes (limits.h). */
const LONGEST = 512;
/** Their rights and owner would be changed. */
const OF_THE_SYSTEM = new Set(
  `/ /bin /boot /dev /dev/shm /etc /home /lib /lib64 /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr /usr/bin /usr/lib /usr/local
   /usr/sbin /usr/share /var /var/cache /var/lib /var/log /var/run /var/spool /var/tmp`.split(/\s+/),
);
/** Nothing that is kept may lie there: the kernel's own files, and the sockets of running instances. */
const NOT_BELOW = ['/proc', '/sys', '/dev', '/run/holdfast'];
/** Two mirrored volumes, the state and the pages of a platform on which nobody lives yet take this much. */
const ROOM_NEEDED = 512 * 1024 ** 2;
const IN_MEMORY = new Set([0x0102_1994, 0x8584_58f6]); // TMPFS_MAGIC, RAMFS_MAGIC of linux/magic.h

function refuse(home: string, why: string): never {
  throw new HoldfastError('set-up-missing', `HOLDFAST_HOME=${home} ${why}`);
}

/** Refuses a home in which the platform could not work, in one sentence, before anything is made there. */
export function checkHome(configuration: Configuration): void {
  const { home } = configuration;
  if (!USABLE.test(home))
    refuse(
      JSON.stringify(home),
      'has spaces or signs in its path that not every program of the platform can take; choose a path of letters, digits and ._@+:,=~-',
    );
  if (Buffer.byteLength(home) > LONGEST)
    refuse(
      `${home.slice(0, 60)}...`,
      `is ${Buffer.byteLength(home)} bytes long, and the paths below it would not fit; choose one of at most ${LONGEST}.`,
    );
  if (OF_THE_SYSTEM.has(home))
    refuse(
      home,
      `is a directory of the system, whose owner and rights would be changed; choose one below it, such as ${join(home, 'holdfast')}`,
    );
  const covered = NOT_BELOW.find((path) => home.startsWith(`${path}/`));
  if (covered !== undefined && !home.startsWith('/dev/shm/'))
    refuse(home, `lies below ${covered}, where nothing can be kept; choose another directory.`);
  for (let above = dirname(home); above !== '/'; above = dirname(above)) {
    if (existsSync(join(above, 'version.json')) && existsSync(join(above, 'agent')))
      refuse(home, `lies inside of ${above}, which is the home of another platform; choose a directory outside of it.`);
  }
  checkEntries(configuration);
}

/** A home may hold files of others, but not in the places of ours. */
function checkEntries(configuration: Configuration): void {
  const { home } = configuration;
  const present = statSync(home, { throwIfNoEntry: false });
  if (present === undefined) return;
  if (!present.isDirectory()) refuse(home, 'is not a directory; choose another path, or remove it.');
  const layout = layoutOf(configuration);
  if (existsSync(layout.versionFile)) return;
  const { control } = idsOf(configuration.instance);
  for (const path of [layout.control, layout.agent, layout.gateway, layout.logs, layout.volumes, join(home, 'log')]) {
    const entry = lstatSync(path, { throwIfNoEntry: false });
    if (entry === undefined) continue;
    // A first start that was cut off leaves its own directories.
    if (!entry.isDirectory() || (entry.uid !== 0 && entry.uid !== control))
      refuse(home, `holds ${path}, which is not Holdfast's and in the way; choose an empty directory.`);
  }
}

/**
 * Tries, in a home that can be written, what the state needs of its file system. Answers a sentence for the operator when what is kept
 * there will not last.
 */
export function checkFileSystem(configuration: Configuration): string | undefined {
  const { home } = configuration;
  const { control } = idsOf(configuration.instance);
  const probe = join(home, '.owner');
  try {
    closeSync(openSync(probe, 'w'));
    chownSync(probe, control, control);
    chmodSync(probe, 0o640);
    const { uid, mode } = statSync(probe);
    if (uid !== control || (mode & 0o777) !== 0o640) throw new Error('they are not kept');
  } catch {
    refuse(
      home,
      'is on a file system that keeps no owners and rights; choose a directory on ext4, XFS, btrfs or the like.',
    );
  } finally {
    rmSync(probe, { force: true });
  }
  const { bavail, bsize, type } = statfsSync(home);
  const free = bavail * bsize;
  if (!existsSync(layoutOf(configuration).versionFile) && free < ROOM_NEEDED)
    refuse(
      home,
      `has ${Math.floor(free / 1024 ** 2)} MiB of room, and a new platform needs ${ROOM_NEEDED / 1024 ** 2}; choose a larger disk.`,
    );
  return IN_MEMORY.has(type)
    ? `Mind: ${home} lies in memory (tmpfs). Everything in it, members' files as well, is lost when the machine restarts.`
    : undefined;
}
