"""Runs a program as a member of control groups, so that what it reads counts there.

    paced.py GROUP_FILE... -- PROGRAM ARGUMENT...    (GROUP_FILE: a cgroup.procs)
"""

import os
import sys

split = sys.argv.index("--")
for path in sys.argv[1:split]:
    try:
        with open(path, "w") as group:
            group.write("0")
    except OSError as error:
        # Copied without a limit is better than not copied.
        print(f"not held back: {path}: {error.strerror}", file=sys.stderr)
os.execvp(sys.argv[split + 1], sys.argv[split + 1 :])
