"""Keeps the checksums of a mounted btrfs in memory, until its parent ends.

    keep_checksums.py MOUNT    prints one JSON object after each round: {"bytes": of checksums, "whole": whether it was all of them}

When a replacement of a disk ends (well, with an error or cancelled), the kernel lets nothing new be read and waits for what is under way. A
read of data counts as under way before its checksum is looked up: if that is not in memory at this moment, it must be read, the read waits for
the kernel and the kernel for the read, for ever, and with them the volume (Linux 6.18; docs/decisions/0010). What is in memory is not read.

It holds nothing open between two questions: a volume that must be opened afresh has to be unmounted first.
"""

import fcntl
import json
import os
import struct
import sys
import time

# linux/btrfs.h: struct btrfs_ioctl_search_args_v2: a key of 104 bytes, the size of the buffer, the buffer.
TREE_SEARCH_V2 = 0xC0709411
# linux/btrfs_tree.h
CSUM_TREE, CSUM_OBJECT, CSUM_KEY = 7, 2**64 - 10, 128
HIGHEST = 2**64 - 1
KEY, HEADER = 112, 32
BUFFER = 1 << 20
# So that nobody feels it: after each question it rests so many times as long as that took, and at least so long.
REST_TIMES, REST_SECONDS = 20, 0.05
ROUND_SECONDS = 5
# What lies above the checksums is in memory when one checksum of each gigabyte of data is: a piece of it covers up to eight.
STRIDE = 1 << 30
# They are a thousandth of the data: all of them, where that is at most this part of the free memory; else only what lies above them.
MEMORY_SHARE = 8
PARENT = os.getppid()


def search(mount, offset, most):
    """Brings in checksums from that logical address on. Answers how many bytes there were, and the last address; None: no more."""
    question = bytearray(KEY + BUFFER)
    struct.pack_into(
        "=7Q4I5Q", question, 0,
        CSUM_TREE, CSUM_OBJECT, CSUM_OBJECT, offset, HIGHEST, 0, HIGHEST,
        CSUM_KEY, CSUM_KEY, most, 0, 0, 0, 0, 0, BUFFER,
    )  # fmt: skip
    descriptor = os.open(mount, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, TREE_SEARCH_V2, question, True)
    finally:
        os.close(descriptor)
    (items,) = struct.unpack_from("=I", question, 64)
    position, total, last = KEY, 0, None
    for _ in range(items):
        _transaction, _object, last, _kind, length = struct.unpack_from("=3Q2I", question, position)
        position += HEADER + length
        total += length
    return total, last


def all_of(mount, limit):
    """Answers how many bytes of checksums were brought in, and whether the end was reached before the limit."""
    offset, total = 0, 0
    while True:
        begun = time.monotonic()
        found, last = search(mount, offset, 2**32 - 1)
        total += found
        if last is None or last == HIGHEST:
            return total, True
        if total > limit:
            return total, False
        offset = last + 1
        if os.getppid() != PARENT:
            sys.exit()
        if found > BUFFER // 2:
            time.sleep(max(REST_SECONDS, REST_TIMES * (time.monotonic() - begun)))


def above_them(mount):
    offset = 0
    while offset <= HIGHEST:
        _found, last = search(mount, offset, 1)
        if last is None:
            return
        offset = last + STRIDE


def available():
    with open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def main():
    mount = sys.argv[1]
    while os.getppid() == PARENT:
        above_them(mount)
        total, whole = all_of(mount, available() // MEMORY_SHARE)
        print(json.dumps({"bytes": total, "whole": whole}), flush=True)
        time.sleep(ROUND_SECONDS)


try:
    main()
except OSError as error:
    # What a person reads of it: the volume may just have been taken away.
    sys.exit(f"{' '.join(sys.argv[1:2])}: {error.strerror}")
