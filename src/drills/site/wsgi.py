"""The site of a drill's account: answers pages from its home, and takes writes that it acknowledges only when they are on the disk.

    GET  /         a page that is in memory after the first time
    GET  /cold     a block of a file, read from the disk each time
    POST /ballast  ?mib=N: a file that cannot be compressed, so that a rebuild has something to copy
    POST /write    ?seq=N&check=HEX: appended to a file and fsynced before the answer
    GET  /written  that file, read from the disk
"""

import errno
import os
import random
import urllib.parse

# The server's own process, whichever worker answers: its id and when it began (proc(5), field 22).
with open(f"/proc/{os.getppid()}/stat") as stat:
    BOOT = f"{os.getppid()}-{stat.read().rsplit(')', 1)[1].split()[19]}"
DIRECTORY = "/home/__NAME__/drill"
PAGE = DIRECTORY + "/page.bin"
BALLAST = DIRECTORY + "/ballast"
WRITTEN = DIRECTORY + "/written"
BLOCK = 65536


def cold(path, offset, length):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.lseek(descriptor, offset, os.SEEK_SET)
        parts = []
        while length is None or length > 0:
            part = os.read(descriptor, BLOCK if length is None else min(BLOCK, length))
            if not part:
                break
            parts.append(part)
            if length is not None:
                length -= len(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def ballast(query):
    mebibytes = int(urllib.parse.parse_qs(query)["mib"][0])
    descriptor = os.open(BALLAST, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for _ in range(mebibytes):
            os.write(descriptor, os.urandom(1024 * 1024))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return b"written\n"


def write(query):
    values = urllib.parse.parse_qs(query)
    # Long enough to need room of its own: what is tiny lies among the names of files, where a full volume still has some.
    # The check stands last, so that a line that was torn anywhere is told from a whole one.
    line = f"{'.' * 460} {values['seq'][0]} {values['check'][0]}\n".encode()
    descriptor = os.open(WRITTEN, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return line


def answer(environ):
    path = environ["PATH_INFO"]
    if path == "/write":
        return write(environ["QUERY_STRING"])
    if path == "/written":
        return cold(WRITTEN, 0, None) if os.path.exists(WRITTEN) else b""
    if path == "/ballast":
        return ballast(environ["QUERY_STRING"])
    if path == "/cold":
        # Where there is ballast both are read, so that a rebuild's cold and warm parts are.
        file = random.choice([PAGE, BALLAST]) if os.path.exists(BALLAST) else PAGE
        blocks = max(1, os.stat(file).st_size // BLOCK)
        return cold(file, random.randrange(blocks) * BLOCK, BLOCK)[:512]
    with open(PAGE, "rb") as page:
        return page.read(512)


def application(environ, start_response):
    try:
        status, body = "200 OK", answer(environ)
    except OSError as error:
        # No room is an honest answer that the witness counts apart; anything else of a disk is a failure.
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        status = "507 Insufficient Storage" if full else "500 Internal Server Error"
        body = f"{errno.errorcode.get(error.errno, error.errno)}: {error.strerror}".encode()
    start_response(
        status,
        [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(body))), ("X-Drill-Boot", BOOT)],
    )
    return [body]
