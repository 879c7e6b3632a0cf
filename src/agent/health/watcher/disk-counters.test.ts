import { writeFileSync, rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isOwnDisk, KernelFile, parseDiskstats } from './disk-counters.ts';

/** Of a kernel 6.1: 20 fields. */
const TEXT = `   7       0 loop0 91159 10 729352 4000 500 20 8000 600 3 1500 9000 40 1 320 30 25 70
   7       1 loop1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 254       0 vda 100 0 800 50 200 0 1600 80 0 90 130 0 0 0 0 5 9
 254       1 vda1 90 0 700 40 190 0 1500 70 0 80 110 0 0 0 0 0 0
`;

describe('/proc/diskstats', () => {
  test('completions and waiting time are those of reads, writes, discards and flushes together', () => {
    expect(parseDiskstats(TEXT, (device) => device === 'loop0')).toEqual(
      new Map([
        [
          'loop0',
          {
            reads: 91_159,
            readSectors: 729_352,
            readWaitedMs: 4000,
            writes: 500,
            writtenSectors: 8000,
            completed: 91_159 + 500 + 40 + 25,
            inFlight: 3,
            busyMs: 1500,
            waitedMs: 4000 + 600 + 30 + 70,
            sectors: 729_352 + 8000,
          },
        ],
      ]),
    );
  });

  test('only what is asked for is read, and nothing is taken for a longer name', () => {
    expect([...parseDiskstats(TEXT, isOwnDisk).keys()]).toEqual(['vda']);
    expect([...parseDiskstats(TEXT, (device) => device === 'loop').keys()]).toEqual([]);
    expect(parseDiskstats('', () => true).size).toBe(0);
    expect(parseDiskstats('no such line\n\n', () => true).size).toBe(0);
  });

  test('older kernels count no discards and no flushes', () => {
    const found = parseDiskstats(' 8 0 sda 10 0 80 5 20 0 160 8 1 9 13\n', () => true).get('sda');
    expect(found).toMatchObject({ completed: 30, inFlight: 1, busyMs: 9, waitedMs: 13 });
  });

  test('the disks of the machine are told from loop devices, partitions and what is stacked on others', () => {
    for (const disk of ['sda', 'sdaa', 'vdb', 'xvda', 'nvme0n1', 'mmcblk0', 'dasda'])
      expect(isOwnDisk(disk)).toBe(true);
    for (const other of ['loop0', 'sda1', 'nvme0n1p1', 'dm-0', 'md0', 'zram0', 'nbd0', 'sr0']) {
      expect(isOwnDisk(other)).toBe(false);
    }
  });
});

test('a file of the kernel is read whole and anew each time, also when it grows beyond what was read before', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-kernel-file-'));
  const path = join(directory, 'file');
  writeFileSync(path, 'first');
  const file = new KernelFile(path);
  try {
    expect(file.read()).toBe('first');
    writeFileSync(path, 'x'.repeat(100_000));
    expect(file.read()).toHaveLength(100_000);
    writeFileSync(path, 'short');
    expect(file.read()).toBe('short');
  } finally {
    file.close();
    rmSync(directory, { recursive: true });
  }
});
