import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { idsOf, type Configuration } from '../../runtime/config.ts';
import { until } from '../../runtime/deadline.ts';
import { findHolders, holdersInWords } from '../../runtime/mount-holders.ts';
import { readRecord } from '../../runtime/process-record.ts';
import { parseMountInfo, type MountEntry } from '../../runtime/mountinfo.ts';

/** What ended a moment ago may take a moment to be gone. */
const SETTLE_MS = 5_000;

/**
 * What a platform left on this machine after its parts ended: programs, mounts, loop devices, valves, each with who holds it. Looked at from
 * outside, so that it is true as well when the agent was killed. Empty: nothing.
 */
export async function whatIsLeft(configuration: Configuration): Promise<string[]> {
  let left: string[] = [];
  await until(
    async () => {
      left = await look(configuration);
      return left.length === 0;
    },
    'the end of everything',
    SETTLE_MS,
    200,
  ).catch(() => undefined); // What is still there is the answer.
  return left;
}

async function look(configuration: Configuration): Promise<string[]> {
  const { home, runDirectory } = configuration;
  const under = (path: string): boolean => path.startsWith(`${home}/`) || path.startsWith(`${runDirectory}/`);
  const mounts = parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8')).filter((one) => under(one.mountPoint));
  const loops = await loopsBelow(home);
  const devices = new Set(loops.map(({ device }) => device));
  const left: string[] = [];
  const kept = (one: MountEntry): boolean =>
    one.mountPoint.includes(`${home}/`) || (one.type === 'btrfs' && devices.has(one.source));
  for (const mount of mounts) {
    const matches = (one: MountEntry): boolean => one.type === mount.type && one.device === mount.device;
    const by = await findHolders({ matches, place: mount.mountPoint, here: true });
    left.push(`mount ${mount.mountPoint}${by.length === 0 ? '' : `, held by ${holdersInWords(by)}`}`);
  }
  if (mounts.length === 0) {
    const by = await findHolders({ matches: kept, place: home, here: false });
    if (by.length > 0) left.push(`mounts in another namespace, held by ${holdersInWords(by)}`);
  }
  left.push(...loops.map(({ device, file }) => `loop device ${device} of ${file}`));
  for (const name of ['watcher', 'prober']) {
    const record = readRecord(join(runDirectory, `${name}.json`));
    if (record !== undefined) left.push(`the ${name} of the disks (pid ${record.pid})`);
  }
  const { base, lastAccount } = idsOf(configuration.instance);
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''); // It ended while we looked.
    const name = /^Name:\s+(.*)$/m.exec(status)?.[1] ?? '';
    const user = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]);
    if (/^State:\s+[ZX]/m.test(status)) continue;
    if (user >= base && user <= lastAccount) left.push(`program ${name} (pid ${pid})`);
    else if (name === 'nbdfuse' && user === 0) {
      const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
      if (words.some((word) => word.startsWith(`${home}/`))) left.push(`valve of a disk image (pid ${pid})`);
    }
  }
  return left;
}

async function loopsBelow(home: string): Promise<{ device: string; file: string }[]> {
  const found: { device: string; file: string }[] = [];
  for (const name of (await readdir('/sys/block')).filter((one) => /^loop\d+$/.test(one))) {
    const file = (await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '')).trimEnd();
    if (file.startsWith(`${home}/`)) found.push({ device: `/dev/${name}`, file });
  }
  return found;
}
