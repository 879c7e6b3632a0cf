"""Alters data blocks of one replica of a mounted btrfs, below the file system: silent corruption, for drills.

    corrupt.py MOUNT DEVICE_ID IMAGE BLOCKS     prints how many blocks were altered; exit code 2: there is no data

Only blocks that have a checksum are altered, so that the file system can tell and heal them from the other replica;
super blocks, metadata and every other device are left alone. Where a block lies is asked of the mounted file system.
"""

import fcntl
import os
import struct
import sys

# linux/btrfs.h: struct btrfs_ioctl_search_args_v2: key of 104 bytes, u64 buffer size, buffer.
TREE_SEARCH_V2 = 0xC0709411
BUFFER = 1 << 20
CHUNK_TREE, CHECKSUM_TREE = 3, 7
CHUNK_ITEM, CHECKSUM_ITEM = 228, 128
DATA = 1
BLOCK = 4096
CHECKSUM_BYTES = 4
LARGEST = (1 << 64) - 1


def items(descriptor, tree, kind):
    """All items of a kind in a tree: (offset of the key, content)."""
    least = (0, 0, 0)
    while True:
        key = struct.pack("=7Q4I4Q", tree, least[0], LARGEST, least[2], LARGEST, 0, LARGEST, least[1], 255, 4096, 0, 0, 0, 0, 0)
        buffer = bytearray(key + struct.pack("=Q", BUFFER) + bytes(BUFFER))
        fcntl.ioctl(descriptor, TREE_SEARCH_V2, buffer, True)
        count = struct.unpack_from("=I", buffer, 64)[0]
        if count == 0:
            return
        position = 112
        for _ in range(count):
            _, identity, offset, found, length = struct.unpack_from("=3Q2I", buffer, position)
            position += 32
            if found == kind:
                yield offset, bytes(buffer[position : position + length])
            position += length
        if offset < LARGEST:
            least = (identity, found, offset + 1)
        else:
            least = (identity, found + 1, 0)


def data_stripes(descriptor, device):
    """(logical start, length, place on the device) of every chunk of data that has a copy there."""
    for logical, chunk in items(descriptor, CHUNK_TREE, CHUNK_ITEM):
        length, _, _, kind = struct.unpack_from("<4Q", chunk, 0)
        stripes = struct.unpack_from("<H", chunk, 44)[0]
        if not kind & DATA:
            continue
        for index in range(stripes):
            number, place = struct.unpack_from("<2Q", chunk, 48 + 32 * index)
            if number == device:
                yield logical, length, place


def main():
    mount, device, image, wanted = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    descriptor = os.open(mount, os.O_RDONLY | os.O_DIRECTORY)
    stripes = list(data_stripes(descriptor, device))
    places = []
    for logical, checksums in items(descriptor, CHECKSUM_TREE, CHECKSUM_ITEM):
        for start, length, place in stripes:
            if start <= logical < start + length:
                blocks = len(checksums) // CHECKSUM_BYTES
                places += [place + logical - start + index * BLOCK for index in range(blocks)]
    if not places:
        return 2
    step = max(1, len(places) // wanted)
    chosen = places[::step][:wanted]
    file = os.open(image, os.O_RDWR)
    for place in chosen:
        content = os.pread(file, BLOCK, place)
        os.pwrite(file, bytes(byte ^ 0xA5 for byte in content), place)
    os.fsync(file)
    print(len(chosen))
    return 0


try:
    sys.exit(main())
except OSError as error:
    # What a person reads of it: the volume may just have been taken away.
    sys.exit(f"{' '.join(sys.argv[1:2])}: {error.strerror}")
