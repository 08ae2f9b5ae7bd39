"""What a process holds of memory, and how quickly it is read. Linux only."""

import ctypes
import re
from pathlib import Path
from time import perf_counter

import numpy as np

_MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ .*$", re.MULTILINE)
_SAVED_INDEX = re.compile(r"/index-[^/]*\.faiss( \(deleted\))?$")


def held_bytes() -> int:
    """Return the memory that is this process's own, without what was freed.

    Of files mapped into it a saved index counts, and no other.
    """
    ctypes.CDLL(None).malloc_trim(0)
    text = Path("/proc/self/smaps").read_text(encoding="utf-8")
    held = 0
    for header, body in zip(_MAPPING.findall(text), _MAPPING.split(text)[1:], strict=True):
        counted = "Rss" if _SAVED_INDEX.search(header) else "Anonymous"
        held += _bytes(body, counted)
    return held


def private_and_shared_bytes() -> tuple[int, int]:
    """Return the memory that is this process's own, and that it shares with other processes."""
    text = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8")
    private = _bytes(text, "Private_Clean") + _bytes(text, "Private_Dirty")
    return private, _bytes(text, "Shared_Clean") + _bytes(text, "Shared_Dirty")


def bytes_a_second() -> float:
    """Return how many bytes a second one thread reads: the limit of exact search."""
    block = np.ones(2**27, np.float32)  # 512 MiB, more than any cache.
    times = []
    for _ in range(5):
        start = perf_counter()
        block.max()
        times.append(perf_counter() - start)
    return block.nbytes / min(times)


def _bytes(text: str, name: str) -> int:
    found = re.search(rf"^{name}: +(\d+) kB$", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"this system does not tell {name}")
    return int(found[1]) * 1024
