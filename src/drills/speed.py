"""How fast a disk takes what is written to it from beginning to end, past every cache.

    speed.py DEVICE BYTES    prints the seconds that it took, the last flush included
"""

import mmap
import os
import sys
import time

PIECE = 1024 * 1024

device, left = sys.argv[1], int(sys.argv[2])
# Direct writing needs memory on a page boundary, which a map of nothing is.
piece = mmap.mmap(-1, PIECE)
piece.write(os.urandom(PIECE))
descriptor = os.open(device, os.O_WRONLY | os.O_DIRECT)
begin = time.monotonic()
while left > 0:
    left -= os.write(descriptor, piece)
os.fsync(descriptor)
print(time.monotonic() - begin)
