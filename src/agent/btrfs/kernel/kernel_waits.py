"""What waits in the kernel and cannot be interrupted: one line a task, its id and the functions it is in, innermost first.

    kernel_waits.py

Nothing is read but /proc/<pid>/task/<tid>/stat and stack, which touch no memory of the task and so wait for no disk.
"""

import os
import re
import sys

AT_MOST = 2000


def state_of(path):
    with open(path + "/stat", "rb") as file:
        line = file.read(512)
    return line[line.rindex(b")") + 2 : line.rindex(b")") + 3]


def main():
    told = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue  # It ended.
        for task in tasks:
            path = f"/proc/{pid}/task/{task}"
            try:
                if state_of(path) != b"D":
                    continue
                with open(path + "/stack", encoding="latin-1") as file:
                    functions = re.findall(r"^\[<\w+>\] ([\w.]+)\+", file.read(), re.MULTILINE)
            except (OSError, ValueError):
                continue  # It ended, or this kernel tells no stacks.
            print(task, *functions)
            told += 1
            if told == AT_MOST:
                return


sys.exit(main())
