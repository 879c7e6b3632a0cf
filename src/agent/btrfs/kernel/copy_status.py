"""Tells how far the copy onto a new disk of a mounted btrfs is, by the kernel's own call, until it does not run any more.

    copy_status.py MOUNT    prints one JSON object a line: {"state": 0 to 4, "progress": 0 to 1000, "writeErrors": count}

One process for the whole copy: to start a program for each question costs everybody else more than the answer. It ends with its parent, and
holds nothing open between two questions: a volume that must be opened afresh has to be unmounted first.
"""

import fcntl
import json
import os
import struct
import sys
import time

# linux/btrfs.h: struct btrfs_ioctl_dev_replace_args, 2600 bytes: cmd, result, then state, progress, two times, write errors.
DEV_REPLACE = 0xCA289435
STATUS = 1
STARTED = 1
SHORT_SECONDS, OFTEN_SECONDS, SELDOM_SECONDS = 3, 0.3, 1


def main():
    parent = os.getppid()
    begun = time.monotonic()
    while os.getppid() == parent:
        status = bytearray(struct.pack("=QQ", STATUS, 0).ljust(2600, b"\0"))
        descriptor = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, DEV_REPLACE, status, True)
        finally:
            os.close(descriptor)
        state, progress, _started, _stopped, write_errors = struct.unpack_from("=5Q", status, 16)
        print(json.dumps({"state": state, "progress": progress, "writeErrors": write_errors}), flush=True)
        if state != STARTED:
            return
        # A short copy is told often, a long one as often as anybody looks.
        time.sleep(OFTEN_SECONDS if time.monotonic() - begun < SHORT_SECONDS else SELDOM_SECONDS)


try:
    main()
except OSError as error:
    # What a person reads of it: the volume may just have been taken away.
    sys.exit(f"{' '.join(sys.argv[1:2])}: {error.strerror}")
