"""Becomes the given NBD server, with a process of its own before it that can make its reads late.

    slow_reads.py FILE PROGRAM ARGUMENT...

Standard input is the client's socket, as nbdfuse gives it to its command. The process before the server hands every byte on in both
directions; a read waits for as many milliseconds as FILE says when it comes in, nothing else waits, and without FILE nothing does. NBD allows
requests to be answered out of order, so a late read holds up nobody (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md:
client flags 4 bytes; an option: magic, number, length, data; a request: magic, flags, type, cookie, offset, length, and for a write its data).
"""

import heapq
import os
import select
import socket
import struct
import sys
import threading
import time

OPTION_MAGIC = 0x49484156454F5054
OPTION = struct.Struct(">QII")
REQUEST_MAGIC = 0x25609513
REQUEST = struct.Struct(">IHHQQI")
READ, WRITE = 0, 1
MOST = 1 << 18


def delay_seconds(path):
    try:
        with open(path) as file:
            return float(file.read()) / 1000
    except (OSError, ValueError):
        return 0.0  # Not there, or just being written.


def hand_back(server, client):
    """Answers are no business of this process."""
    try:
        while data := server.recv(MOST):
            client.sendall(data)
    except OSError:
        pass  # One of the two ended; the other direction sees it as well.
    os._exit(0)


def whole_message(pending, greeted):
    """Length of the first message in what came in, and whether it is a read; length 0: not whole yet."""
    if not greeted:
        return (4 if len(pending) >= 4 else 0), False
    if len(pending) >= OPTION.size:
        magic, _, length = OPTION.unpack_from(pending)
        if magic == OPTION_MAGIC:
            whole = OPTION.size + length
            return (whole if len(pending) >= whole else 0), False
    if len(pending) < REQUEST.size:
        return 0, False
    magic, _, kind, _, _, length = REQUEST.unpack_from(pending)
    if magic != REQUEST_MAGIC:
        raise ValueError("not a request")
    whole = REQUEST.size + (length if kind == WRITE else 0)
    return (whole if len(pending) >= whole else 0), kind == READ


def hand_on(client, server, path):
    pending, late, greeted, number = bytearray(), [], False, 0
    while True:
        now = time.monotonic()
        while late and late[0][0] <= now:
            server.sendall(heapq.heappop(late)[2])
        wait = late[0][0] - now if late else None
        if not select.select([client], [], [], wait)[0]:
            continue
        data = client.recv(MOST)
        if not data:
            return
        pending += data
        while True:
            length, is_read = whole_message(pending, greeted)
            if length == 0:
                break
            greeted = True
            message = bytes(pending[:length])
            del pending[:length]
            delay = delay_seconds(path) if is_read else 0
            if delay > 0:
                number += 1
                heapq.heappush(late, (time.monotonic() + delay, number, message))
            else:
                server.sendall(message)


def main(path, command):
    before, behind = socket.socketpair()
    if os.fork() == 0:
        behind.close()
        client = socket.socket(fileno=0)
        threading.Thread(target=hand_back, args=(before, client), daemon=True).start()
        try:
            hand_on(client, before, path)
        except OSError:
            pass  # The server ended, and with it the disk.
        os._exit(0)
    before.close()
    os.dup2(behind.fileno(), 0)
    behind.close()
    os.execvp(command[0], command)


main(sys.argv[1], sys.argv[2:])
