"""Writes files as the member, and never over one that is there. Standard input: JSON [{"path": ..., "content": ...}]."""

import json
import os
import sys

written, kept = [], []
for file in json.load(sys.stdin):
    path = file["path"]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        # A link counts as a file that is there.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    except FileExistsError:
        kept.append(path)
        continue
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as output:
            output.write(file["content"])
    except OSError:
        # Half a file would be kept for ever by the next try.
        os.unlink(path)
        raise
    written.append(path)
json.dump({"written": written, "kept": kept}, sys.stdout)
