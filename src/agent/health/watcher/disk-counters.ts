import { closeSync, openSync, readSync } from 'node:fs';
import type { DiskCounters } from '../../../model/disk-counters.ts';

/** One line of /proc/diskstats (Documentation/admin-guide/iostats.rst), as far as it is used. Times in milliseconds. */
export interface DiskLine extends DiskCounters {
  writes: number;
  writtenSectors: number;
}

/** Disks of the machine itself, as opposed to loop devices and what is stacked on others. Partitions are left out. */
const OWN_DISK = /^(?:sd[a-z]+|vd[a-z]+|xvd[a-z]+|hd[a-z]+|nvme\d+n\d+|mmcblk\d+|dasd[a-z]+)$/;

export function isOwnDisk(device: string): boolean {
  return OWN_DISK.test(device);
}

const LINE = /^ *\d+ +\d+ (\S+) /;

/** Kernels before 5.5 have no discards or flushes in it: those count nothing then. */
export function parseDiskstats(text: string, wanted: (device: string) => boolean): Map<string, DiskLine> {
  const found = new Map<string, DiskLine>();
  for (const line of text.split('\n')) {
    // Most lines are of no interest: only the name is looked at, "   7       0 loop0 91159 ...".
    const device = LINE.exec(line)?.[1];
    if (device === undefined || !wanted(device)) continue;
    const fields = line.trimStart().split(/ +/);
    const at = (index: number): number => Number(fields[index] ?? 0);
    found.set(device, {
      reads: at(3),
      readSectors: at(5),
      readWaitedMs: at(6),
      writes: at(7),
      writtenSectors: at(9),
      completed: at(3) + at(7) + at(14) + at(18),
      inFlight: at(11),
      busyMs: at(12),
      waitedMs: at(6) + at(10) + at(17) + at(19),
      sectors: at(5) + at(9),
    });
  }
  return found;
}

/** Reads a file of the kernel again and again without opening it each time. Nothing of /proc waits for a disk. */
export class KernelFile {
  readonly #file: number;
  #buffer = Buffer.allocUnsafe(16 * 1024);

  constructor(path: string) {
    this.#file = openSync(path, 'r');
  }

  read(): string {
    let length = 0;
    for (;;) {
      if (length === this.#buffer.length) {
        const larger = Buffer.allocUnsafe(length * 2);
        this.#buffer.copy(larger);
        this.#buffer = larger;
      }
      const got = readSync(this.#file, this.#buffer, length, this.#buffer.length - length, length);
      if (got === 0) return this.#buffer.toString('latin1', 0, length);
      length += got;
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}
