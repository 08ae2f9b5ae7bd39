"""Looks for traces in files: a process of its own, started by `search.search_files`.

A process that closes a file of its database lets go of all locks that SQLite holds on it there, and
another process could then remove the log. So no process that has the database open reads its files.
"""

import json
import os
import sys
from pathlib import Path

from index.registry.disk.traces import TraceSearch

NICENESS = 10


def main() -> None:
    """Read what to look for from standard input; print a line of JSON for each thing found."""
    asked = json.load(sys.stdin)
    if asked["gently"]:
        os.nice(NICENESS)
    search = TraceSearch((number, bytes.fromhex(packed)) for number, packed in asked["traces"])
    for path in asked["paths"]:
        for one in search.found_in(Path(path), gently=asked["gently"]):
            line = json.dumps([one.erasure_id, path, one.content.hex()])
            sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
