"""Removes a large file piece by piece.

    give_back.py FILE     prints how many bytes are left after each piece that held something

Removed in one go, all blocks of a file are freed (and on many a host discarded) in one transaction of the host's file system,
which every synced write to any other file there waits for. Where there is no file nothing is done; a link is removed, not what it
points to; and of a file that has another name too only this name: somebody keeps what is in it.
"""

import errno
import os
import sys
import time

PIECE = 32 * 1024 * 1024
# Between two pieces it rests this many times as long as the last one took, but never less than the shortest rest.
REST_TIMES = 4
SHORTEST_REST_S = 0.02


def shorten(descriptor):
    whole = os.fstat(descriptor)
    if whole.st_nlink > 1:
        return
    size, blocks = whole.st_size, whole.st_blocks
    while size > 0 and blocks > 0:
        size = max(0, size - PIECE)
        begun = time.monotonic()
        os.ftruncate(descriptor, size)
        took = time.monotonic() - begun
        left = os.fstat(descriptor).st_blocks
        # Where a sparse file has a hole there was nothing to give back.
        if left < blocks:
            print(size, flush=True)
            if size > 0:
                time.sleep(max(SHORTEST_REST_S, took * REST_TIMES))
        blocks = left


def main():
    path = sys.argv[1]
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return
        if error.errno != errno.ELOOP:
            raise
    else:
        try:
            shorten(descriptor)
        finally:
            os.close(descriptor)
    os.unlink(path)


try:
    main()
except OSError as error:
    # What a person reads of it: the volume may just have been taken away.
    sys.exit(f"{' '.join(sys.argv[1:2])}: {error.strerror}")
