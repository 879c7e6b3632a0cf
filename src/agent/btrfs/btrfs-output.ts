/** Parsers of what btrfs tools and /sys/fs/btrfs print. Pure. */

export interface DeviceErrors {
  write: number;
  read: number;
  flush: number;
  corruption: number;
  generation: number;
}

/** /sys/fs/btrfs/<uuid>/devinfo/<id>/error_stats: five lines "write_errs 0". Undefined when the kernel says "invalid". */
export function parseErrorStats(text: string): DeviceErrors | undefined {
  const value = (name: string): number | undefined => {
    const match = new RegExp(`^${name}_errs\\s+(\\d+)\\s*$`, 'm').exec(text);
    return match ? Number(match[1]) : undefined;
  };
  const [write, read, flush] = [value('write'), value('read'), value('flush')];
  const [corruption, generation] = [value('corruption'), value('generation')];
  if (write === undefined || read === undefined || flush === undefined) return undefined;
  if (corruption === undefined || generation === undefined) return undefined;
  return { write, read, flush, corruption, generation };
}

export interface SuperBlock {
  /** UUID of the file system. */
  uuid: string;
  /** UUID of this device in it. */
  deviceUuid: string;
  deviceId: number;
  /** Grows with every commit. */
  generation: number;
  /** Where the log of recent fsyncs starts; 0 after a clean unmount. */
  logRoot: number;
  /** Bytes of this device. */
  deviceBytes: number;
  numberOfDevices: number;
}

/** `btrfs inspect-internal dump-super`. Undefined when it is not a valid btrfs super block. */
export function parseSuperBlock(text: string): SuperBlock | undefined {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name.replaceAll('.', '\\.')}\\s+(\\S+)`, 'm').exec(text)?.[1];
  if (!/^magic\s+\S+ \[match\]/m.test(text) || !/^csum\s+\S+ \[match\]/m.test(text)) return undefined;
  const uuid = field('fsid');
  const deviceUuid = field('dev_item.uuid');
  const numbers = ['dev_item.devid', 'generation', 'log_root', 'dev_item.total_bytes', 'num_devices'].map((name) =>
    Number(field(name)),
  );
  const [deviceId, generation, logRoot, deviceBytes, numberOfDevices] = numbers;
  if (!uuid || !deviceUuid || numbers.some((number) => !Number.isFinite(number))) return undefined;
  if (deviceId === undefined || generation === undefined || logRoot === undefined) return undefined;
  if (deviceBytes === undefined || numberOfDevices === undefined) return undefined;
  return { uuid, deviceUuid, deviceId, generation, logRoot, deviceBytes, numberOfDevices };
}

/** `btrfs subvolume list <mount>`: "ID 256 gen 15 top level 5 path accounts/alice". Path -> id. */
export function parseSubvolumes(text: string): Map<string, number> {
  const subvolumes = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^ID (\d+) gen \d+ top level \d+ path (.+)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) subvolumes.set(match[2], Number(match[1]));
  }
  return subvolumes;
}

/** `btrfs balance status`: share done, or undefined when none runs. "1 out of about 3 chunks balanced (2 considered), 67% left". */
export function parseBalanceProgress(text: string): number | undefined {
  const left = /(\d+)% left/.exec(text)?.[1];
  return left === undefined ? undefined : Math.max(0, Math.min(1, 1 - Number(left) / 100));
}

/**
 * /sys/fs/btrfs/<uuid>/commit_stats: for how many milliseconds the commit that runs now has done so; 0 when none does. Undefined on a kernel that
 * does not tell (6.18 does; no other was tried).
 */
export function parseCommitMilliseconds(text: string): number | undefined {
  const milliseconds = /^cur_commit_ms (\d+)$/m.exec(text)?.[1];
  return milliseconds === undefined ? undefined : Number(milliseconds);
}
