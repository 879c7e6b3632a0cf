"""Makes the kernel forget btrfs devices that no mounted file system uses, by their numbers.

    forget.py MAJOR:MINOR...    prints one line each: "7:4 in use", or "7:4 forgotten", also when it was not known

By number, because a device may have gone (pulled, or a loop device that was detached) while the kernel still counts it as part of
a file system: its name does not lead to it any more then, so a node is made for it.
"""

import errno
import fcntl
import os
import stat
import struct
import sys
import time

# linux/btrfs.h: _IOW(0x94, 5, struct btrfs_ioctl_vol_args), 4096 bytes: an unused descriptor, then a path.
FORGET_DEV = 0x50009405
# Kernels differ in what they answer for a device that they do not know.
OUTCOMES = {0: "forgotten", errno.ENOENT: "forgotten", errno.EBUSY: "in use"}


def forget(control, number):
    # A name of its own: a node that was left by a killed run, whose process id comes round again, must not be in the way.
    node = f"/dev/.holdfast-forget-{os.getpid()}-{time.monotonic_ns()}"
    os.mknod(node, 0o600 | stat.S_IFBLK, os.makedev(*map(int, number.split(":"))))
    try:
        fcntl.ioctl(control, FORGET_DEV, bytearray(struct.pack("=q4088s", 0, os.fsencode(node))), True)
        return 0
    except OSError as error:
        if error.errno not in OUTCOMES:
            raise
        return error.errno
    finally:
        os.unlink(node)


def main():
    control = os.open("/dev/btrfs-control", os.O_RDWR)
    for number in sys.argv[1:]:
        print(number, OUTCOMES[forget(control, number)])


try:
    main()
except OSError as error:
    # What a person reads of it: the volume may just have been taken away.
    sys.exit(f"{' '.join(sys.argv[1:2])}: {error.strerror}")
