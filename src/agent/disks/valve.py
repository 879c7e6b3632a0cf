"""Becomes the given program as one that disks depend on.

    valve.py PROGRAM ARGUMENT...

Two things are set that a disk driver in the kernel would have and that survive into the program and its children:
PR_SET_IO_FLUSHER (prctl(2)): while memory is short it is not made to wait for writing that waits for itself; and
a low score for the out-of-memory killer: killing it costs a replica and frees next to nothing.
"""

import ctypes
import os
import sys

PR_SET_IO_FLUSHER = 57

if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) != 0:
    print(f"PR_SET_IO_FLUSHER: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
try:
    with open("/proc/self/oom_score_adj", "w") as score:
        score.write("-900")
except OSError as error:
    print(f"oom_score_adj: {error.strerror}", file=sys.stderr)
os.execvp(sys.argv[1], sys.argv[1:])
