"""Small writes, each made durable before the next. Usage: fsync_writes.py DIRECTORY SECONDS. Prints JSON."""
import json
import os
import sys
import time

directory, seconds = sys.argv[1], float(sys.argv[2])
BLOCK = os.urandom(4096)


def run(write):
    took = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds:
        before = time.perf_counter()
        write(len(took))
        took.append(time.perf_counter() - before)
    whole = time.perf_counter() - begin
    took.sort()
    return {
        "per_second": len(took) / whole,
        "p50_ms": took[len(took) // 2] * 1000,
        "p99_ms": took[min(len(took) - 1, int(len(took) * 0.99))] * 1000,
        "worst_ms": took[-1] * 1000,
    }


path = os.path.join(directory, "fsync-writes")
os.mkdir(path)
try:
    # A database's file: pages of 4 KiB written in place.
    file = os.open(os.path.join(path, "pages"), os.O_RDWR | os.O_CREAT)

    def page(number):
        os.pwrite(file, BLOCK, number % 64 * 4096)
        os.fsync(file)

    for number in range(64):
        page(number)
    pages = run(page)
    os.close(file)

    def small_file(number):
        name = os.path.join(path, "f%d" % (number % 200))
        made = os.open(name + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(made, BLOCK)
        os.fsync(made)
        os.close(made)
        os.rename(name + ".new", name)

    files = run(small_file)
finally:
    for name in os.listdir(path):
        os.unlink(os.path.join(path, name))
    os.rmdir(path)
print(json.dumps({"pages": pages, "files": files}))
