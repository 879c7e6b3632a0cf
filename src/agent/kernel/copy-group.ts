import { existsSync } from 'node:fs';
import { mkdir, readdir, rmdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { unifiedControllers } from './cgroup-version.ts';
import { readOrUndefined } from './files.ts';

/** Becomes the given program as a member of control groups (the head of paced.py). */
export const PACED = join(import.meta.dirname, 'paced.py');

/** Bytes a second; 0: no limit. */
export interface CopyLimits {
  read: number;
  write: number;
}

/**
 * The control group of one volume's copying processes. The kernel holds each member to so many bytes a second of reading from a device, and
 * of writing to it, request by request. (btrfs has a limit of its own, scrub_speed_max, but lets 16 MiB through at full speed and then waits.)
 * A group outlives the agent together with the copy that runs in it, and is found again by its name.
 */
export class CopyGroup {
  readonly #directory: string;
  readonly #version: 'v1' | 'v2';
  #written = new Map<string, string>();

  private constructor(directory: string, version: 'v1' | 'v2') {
    this.#directory = directory;
    this.#version = version;
  }

  /** undefined when this machine cannot limit so: no such controller, or it is not ours to use. */
  static async make(name: string, root = '/sys/fs/cgroup'): Promise<CopyGroup | undefined> {
    try {
      const unified = unifiedControllers(root);
      if (unified !== undefined) {
        if (!unified.includes('io')) return undefined;
        const parent = join(root, 'holdfast-copies');
        await mkdir(join(parent, name), { recursive: true });
        for (const directory of [root, parent]) await writeFile(join(directory, 'cgroup.subtree_control'), '+io');
        return new CopyGroup(join(parent, name), 'v2');
      }
      const parent = join(root, 'blkio');
      if (!existsSync(join(parent, 'blkio.throttle.read_bps_device'))) return undefined;
      const directory = join(parent, 'holdfast-copies', name);
      await mkdir(directory, { recursive: true });
      return new CopyGroup(directory, 'v1');
    } catch (error) {
      if (['EBUSY', 'EACCES', 'EROFS', 'EPERM', 'EOPNOTSUPP'].includes((error as NodeJS.ErrnoException).code ?? ''))
        return undefined;
      throw error;
    }
  }

  /** What a process writes its id into to become a member. */
  get members(): string {
    return join(this.#directory, 'cgroup.procs');
  }

  /** Holds what is read from, and what is written to, each of these devices (/dev/loop3) to so many bytes a second; 0: to nothing. */
  async limit(devices: readonly string[], { read, write }: CopyLimits): Promise<void> {
    for (const device of devices) {
      const numbers = (await readOrUndefined(`/sys/class/block/${basename(device)}/dev`))?.trim();
      if (numbers === undefined) continue;
      const most = (bytes: number): string => (bytes === 0 ? 'max' : String(bytes));
      const orders =
        this.#version === 'v2'
          ? [['io.max', `${numbers} rbps=${most(read)} wbps=${most(write)}`]]
          : [
              ['blkio.throttle.read_bps_device', `${numbers} ${read}`],
              ['blkio.throttle.write_bps_device', `${numbers} ${write}`],
            ];
      for (const [file = '', text = ''] of orders) {
        const key = `${numbers} ${file}`;
        if (this.#written.get(key) === text) continue;
        await writeFile(join(this.#directory, file), text);
        this.#written.set(key, text);
      }
    }
  }

  /** Holds nothing back any more, on no device that was ever held. */
  async lift(): Promise<void> {
    for (const [key, text] of this.#written) {
      const [numbers = '', file = ''] = key.split(' ');
      const none = this.#version === 'v2' ? `${numbers} rbps=max wbps=max` : `${numbers} 0`;
      if (text === none) continue;
      // A disk that is not there any more holds nothing up either.
      await writeFile(join(this.#directory, file), none).catch((error: NodeJS.ErrnoException) => {
        if (!['ENODEV', 'ENXIO', 'ENOENT'].includes(error.code ?? '')) throw error;
      });
      this.#written.set(key, none);
    }
  }

  /** Removes the group. One that a copy still runs in stays, and is taken up by the next. */
  async leave(): Promise<void> {
    await rmdir(this.#directory).catch((error: NodeJS.ErrnoException) => {
      if (!['EBUSY', 'ENOENT', 'ENOTEMPTY'].includes(error.code ?? '')) throw error;
    });
    const parent = join(this.#directory, '..');
    const others = (await readdir(parent, { withFileTypes: true })).filter((entry) => entry.isDirectory());
    if (others.length === 0) await rmdir(parent).catch(() => undefined); // Another volume's may just be made.
  }
}
