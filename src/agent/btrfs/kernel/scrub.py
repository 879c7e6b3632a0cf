"""Scrubs one device of a mounted btrfs, by the kernel's own call.

    scrub.py MOUNT DEVICE_ID START END     prints one JSON object a line: progress, and the result last

`btrfs scrub` given a device looks at every disk of the machine to find out what it belongs to, also at one that
hangs. This asks the mounted file system only, and for a part of the device, so that a long scrub can be resumed.
"""

import fcntl
import json
import os
import struct
import sys
import threading

# linux/btrfs.h: struct btrfs_ioctl_scrub_args, 1024 bytes; progress are 15 u64 counters after devid, start, end, flags.
SCRUB = 0xC400941B
PROGRESS = 0xC400941D
NAMES = (
    "data_extents tree_extents data_bytes tree_bytes read_errors csum_errors verify_errors no_csum csum_discards "
    "super_errors malloc_errors uncorrectable_errors corrected_errors last_physical unverified_errors"
).split()


def arguments(device, start, end):
    return bytearray(struct.pack("=4Q", device, start, end, 0).ljust(1024, b"\0"))


def report(buffer, done):
    counters = dict(zip(NAMES, struct.unpack_from("=15Q", buffer, 32)))
    counters["done"] = done
    print(json.dumps(counters), flush=True)


def main():
    mount, device, start, end = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    descriptor = os.open(mount, os.O_RDONLY | os.O_DIRECTORY)
    finished = threading.Event()

    def watch():
        while not finished.wait(0.5):
            buffer = arguments(device, 0, 0)
            try:
                fcntl.ioctl(descriptor, PROGRESS, buffer, True)
            except OSError:
                continue  # not started yet, or just finished
            report(buffer, False)

    threading.Thread(target=watch, daemon=True).start()
    buffer = arguments(device, start, end)
    try:
        fcntl.ioctl(descriptor, SCRUB, buffer, True)
    except OSError as error:
        finished.set()
        print(f"scrub failed: {error.strerror}", file=sys.stderr)
        return 1
    finished.set()
    report(buffer, True)
    return 0


try:
    sys.exit(main())
except OSError as error:
    # What a person reads of it: the volume may just have been taken away.
    sys.exit(f"{' '.join(sys.argv[1:2])}: {error.strerror}")
