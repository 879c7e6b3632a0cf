"""Small direct reads and writes of disks, one thread a disk: a disk that hangs holds its own thread and nothing else.

    prober.py DIRECTORY

Standard input, one line each:
    disk SLOT DEVICE UUID   from now on slot SLOT is /dev/DEVICE, with a replica of the btrfs file system UUID
    drop SLOT               its disk is not watched any more (a thread that waits for it ends when it can)
    probe SLOT ...          one probe of each, now; one that is still under way is not doubled
    beat                    answered at once with the same word on standard output: it is not frozen
The end of standard input ends the process: threads stuck in the kernel go when their disk lets them.

Slot 0 is the host's own disk: a 4 KiB write with fdatasync of DIRECTORY/probe.

Results are in a table in memory (memfd, the first line of standard output says "table FD"), 64 bytes a slot, native byte
order, nanoseconds of CLOCK_MONOTONIC: sequence (odd while it is being written), began (0: none under way), completed, took,
failures in a row, last errno, writes (1: it also writes), padding. Nobody is woken to hear that a disk is well.

Where it writes: byte 524,288 of the device. btrfs never uses the first 1 MiB of a device (BTRFS_DEVICE_RANGE_RESERVED in the
kernel's fs/btrfs/fs.h: allocation, trimming and balancing begin behind it; btrfs(5), BOOTLOADER SUPPORT: "The first 1MiB on
each device is unused with the exception of primary superblock that is on the offset 64KiB and spans 4KiB"). It writes only
after it has read that super block and found the file system's UUID in it, so that a device name that means another disk
by now is never written to. The device stays open meanwhile, so the name cannot move to another disk in between.
"""

import contextlib
import errno
import mmap
import os
import struct
import sys
import threading
import time
import uuid

SLOTS = 1024
SLOT_BYTES = 64
BLOCK = 4096
OFFSET = 512 * 1024
SUPER = 64 * 1024
MAGIC = b"_BHRfS_M"

table_file = os.memfd_create("holdfast-probes", os.MFD_CLOEXEC)
os.ftruncate(table_file, SLOTS * SLOT_BYTES)
table = mmap.mmap(table_file, SLOTS * SLOT_BYTES)


class Slot:
    """One disk and its thread. The table's row is written by the thread alone."""

    def __init__(self, number):
        self.number = number
        self.wanted = threading.Lock()
        self.wanted.acquire()
        self.dropped = False
        self.sequence = 0
        self.row = [0, 0, 0, 0, 0, 0]
        self.buffer = mmap.mmap(-1, BLOCK)  # Aligned to a page, as direct I/O needs it.

    def start(self):
        threading.Thread(target=self.run, daemon=True).start()

    def probe(self):
        try:
            self.wanted.release()
        except RuntimeError:
            pass  # It was asked already.

    def show(self):
        at = self.number * SLOT_BYTES
        self.sequence += 1
        struct.pack_into("=Q", table, at, self.sequence)
        struct.pack_into("=6Q", table, at + 8, *self.row)
        self.sequence += 1
        struct.pack_into("=Q", table, at, self.sequence)

    def run(self):
        while True:
            self.wanted.acquire()
            if self.dropped:
                self.close()
                return
            self.row[0] = began = time.monotonic_ns()
            self.show()
            try:
                writes = self.once()
                failure = 0
            except OSError as error:
                failure = error.errno or errno.EIO
                writes = 0
                self.close()
            ended = time.monotonic_ns()
            if failure:
                self.row = [0, self.row[1], self.row[2], self.row[3] + 1, failure, writes]
            else:
                self.row = [0, ended, ended - began, 0, 0, writes]
            self.show()


class Disk(Slot):
    def __init__(self, number, device, filesystem):
        super().__init__(number)
        self.path = "/dev/" + device
        self.filesystem = uuid.UUID(filesystem).bytes
        self.file = -1
        self.writes = False
        self.looked = 0

    def open(self):
        # A kernel without CONFIG_BLK_DEV_WRITE_MOUNTED refuses to open a mounted device for writing: then it only reads.
        for mode in (os.O_RDWR, os.O_RDONLY):
            try:
                self.file = os.open(self.path, mode | os.O_DIRECT | os.O_CLOEXEC)
                break
            except OSError as error:
                if mode == os.O_RDONLY or error.errno not in (errno.EPERM, errno.EACCES, errno.EBUSY, errno.EROFS):
                    raise
        self.writes = mode == os.O_RDWR and self.is_ours()

    def is_ours(self):
        os.preadv(self.file, [self.buffer], SUPER)
        return self.buffer[64:72] == MAGIC and self.buffer[32:48] == self.filesystem

    def once(self):
        if self.file < 0:
            self.open()
        elif not self.writes:
            # A disk that is being rebuilt onto gets its super block when that is done.
            self.looked += 1
            if self.looked % 30 == 0:
                self.close()
                self.open()
        os.preadv(self.file, [self.buffer], OFFSET)
        if self.writes:
            self.buffer[0:16] = b"holdfast probe\n\0"
            os.pwritev(self.file, [self.buffer], OFFSET)
        return 1 if self.writes else 0

    def close(self):
        if self.file >= 0:
            file, self.file = self.file, -1
            os.close(file)


class Host(Slot):
    def __init__(self, directory):
        super().__init__(0)
        self.path = os.path.join(directory, "probe")
        self.file = -1

    def once(self):
        if self.file < 0:
            self.file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.buffer[0:8] = struct.pack("=Q", time.monotonic_ns())
        os.pwritev(self.file, [self.buffer], 0)
        os.fdatasync(self.file)
        return 1

    def close(self):
        if self.file >= 0:
            file, self.file = self.file, -1
            os.close(file)


def main():
    # A busy processor must not look like a slow disk; and whoever repairs goes last when memory runs out. Not allowed: as it is.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("-900")
    threading.stack_size(128 * 1024)
    slots = {0: Host(sys.argv[1])}
    slots[0].start()
    try:
        print(f"table {table_file}", flush=True)
    except BrokenPipeError:
        # Whoever wanted the table has ended meanwhile.
        os._exit(0)
    for line in sys.stdin:
        words = line.split()
        if not words:
            continue
        if words[0] == "disk":
            number = int(words[1])
            slots[number] = Disk(number, words[2], words[3])
            slots[number].start()
        elif words[0] == "drop":
            slot = slots.pop(int(words[1]), None)
            if slot is not None:
                slot.dropped = True
                slot.probe()
        elif words[0] == "beat":
            try:
                print("beat", flush=True)
            except BrokenPipeError:
                os._exit(0)
        elif words[0] == "probe":
            for word in words[1:]:
                slot = slots.get(int(word))
                if slot is not None:
                    slot.probe()
    os._exit(0)


main()
