"""Starts copying one device of a mounted btrfs onto another, by the kernel's own call.

    replace.py MOUNT DEVICE_ID TARGET always|avoid    returns when the copy runs; it goes on by itself

`btrfs replace start` first asks every mounted loop device of the machine for the file behind it, which fails for a disk that
was cut and waits for ever for one that hangs. The target must have been wiped. `avoid`: read the old device only
where no other has the data.
"""

import errno
import fcntl
import os
import struct
import sys
import time

# linux/btrfs.h: struct btrfs_ioctl_dev_replace_args, 2600 bytes.
DEV_REPLACE = 0xCA289435
START, STATUS = 0, 1
STARTED, FINISHED = 1, 2
RESULTS = {1: "no copy was started", 2: "a copy is running already", 3: "a scrub is running"}
# linux/btrfs.h: enum btrfs_err_code. This one is no errno: the call answers it as if it had gone well.
EXCLUSIVE_WORK = 5


def main():
    mount, source, target, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    descriptor = os.open(mount, os.O_RDONLY | os.O_DIRECTORY)
    start = struct.pack(
        "=QQQQ1025s1025s", START, 0, source, 1 if mode == "avoid" else 0, b"", os.fsencode(target)
    ).ljust(2600, b"\0")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # The kernel copies inside this call: the process lives as long as the copy and belongs to nobody.
        os.close(reading)
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        buffer = bytearray(start)
        try:
            refused = fcntl.ioctl(descriptor, DEV_REPLACE, buffer, True)
            code = struct.unpack_from("=Q", buffer, 8)[0]
            message = RESULTS.get(code, f"result {code}") if code else ""
            if refused:
                message = "other work is under way" if refused == EXCLUSIVE_WORK else f"refused with {refused}"
        except OSError as error:
            message = os.strerror(error.errno)
        os.write(writing, message.encode() or b"\0")
        os._exit(0)
    os.close(writing)
    os.set_blocking(reading, False)
    while True:
        try:
            message = os.read(reading, 200).strip(b"\0").decode()
            if message:
                print(f"the copy was not started: {message}", file=sys.stderr)
                return 1
            return 0
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
        status = bytearray(struct.pack("=QQ", STATUS, 0).ljust(2600, b"\0"))
        fcntl.ioctl(descriptor, DEV_REPLACE, status, True)
        if struct.unpack_from("=Q", status, 16)[0] == STARTED:
            return 0
        time.sleep(0.02)


try:
    sys.exit(main())
except OSError as error:
    # What a person reads of it: the volume may just have been taken away.
    sys.exit(f"{' '.join(sys.argv[1:2])}: {error.strerror}")
