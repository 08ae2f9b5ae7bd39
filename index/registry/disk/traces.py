"""Traces of what was erased: enough to look for it on disk, and nothing to make it again from.

A trace is a salted hash of some bytes, with their length and their first two bytes, by which most
of a file is passed over. Salt and traces are forgotten when nothing of them is found any more.
"""

import hashlib
import secrets
import struct
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SALT_BYTES = 16
WINDOW_BYTES = 24
LONGEST_TEXT_BYTES = 48
# Shorter ones are found everywhere by chance.
SHORTEST_TEXT_BYTES = 5
# A window is worth looking for if it is unlike a margin or a header's zeros.
DISTINCT_BYTES = 10
SEARCHED_BYTES = 512
_DIGEST_BYTES = 8
_ROW = struct.Struct(f"<HB{_DIGEST_BYTES}s")
_CHUNK_BYTES = 2**22


@dataclass(frozen=True)
class Found:
    """Bytes on disk that an erasure has a trace of."""

    erasure_id: int
    path: Path
    content: bytes


class TraceMaker:
    """Makes the traces of one erasure."""

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(SALT_BYTES)
        self._rows: set[bytes] = set()

    def of_text(self, text: str | None) -> None:
        """Trace a name, as a whole or by its beginning."""
        content = (text or "").encode()[:LONGEST_TEXT_BYTES]
        if len(content) >= SHORTEST_TEXT_BYTES:
            self._trace(content)

    def of_bytes(self, content: bytes | None, count: int) -> None:
        """Trace so many windows of an image, or whatever it is, spread over all of it."""
        for start in np.linspace(0, len(content or b""), count, endpoint=False, dtype=int):
            window = _distinct_window((content or b"")[start : start + SEARCHED_BYTES])
            if window is not None:
                self._trace(window)

    def packed(self) -> bytes:
        """Return salt and traces, to be kept until all is gone."""
        return self._salt + b"".join(sorted(self._rows))

    def _trace(self, content: bytes) -> None:
        prefix = int.from_bytes(content[:2], "little")
        self._rows.add(_ROW.pack(prefix, len(content), _digest(self._salt, content)))


class TraceSearch:
    """Looks for the traces of some erasures in files."""

    def __init__(self, packed: Iterable[tuple[int, bytes]]) -> None:
        """`packed` are ids of erasures, each with what `TraceMaker.packed` returned."""
        self._by_prefix: defaultdict[int, list[tuple[int, bytes, int, bytes]]] = defaultdict(list)
        for erasure_id, content in packed:
            salt = content[:SALT_BYTES]
            for prefix, length, digest in _ROW.iter_unpack(content[SALT_BYTES:]):
                self._by_prefix[prefix].append((erasure_id, salt, length, digest))
        self._wanted = np.zeros(2**16, dtype=np.bool_)
        self._wanted[list(self._by_prefix)] = True

    def found_in(self, path: Path, *, gently: bool = False) -> Iterator[Found]:
        """Give what is found in a file, each content once for each erasure.

        A file that is not there holds nothing. `gently` leaves the disk and a core to others for
        half of the time.

        Raises:
            OSError: it cannot be read.
        """
        seen: set[tuple[int, bytes]] = set()
        for chunk in _chunks(path, gently=gently):
            for erasure_id, content in self._matches(chunk):
                if (erasure_id, content) not in seen:
                    seen.add((erasure_id, content))
                    yield Found(erasure_id, path, content)

    def _matches(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        for start in self._candidates(chunk).tolist():
            prefix = int.from_bytes(chunk[start : start + 2], "little")
            for erasure_id, salt, length, digest in self._by_prefix[prefix]:
                content = chunk[start : start + length]
                if len(content) == length and _digest(salt, content) == digest:
                    yield erasure_id, content

    def _candidates(self, chunk: bytes) -> NDArray[np.int64]:
        """Return where the first two bytes of a trace stand; both alignments without a copy."""
        starts = []
        for shift in (0, 1):
            count = (len(chunk) - shift) // 2
            pairs = np.frombuffer(chunk, dtype="<u2", count=max(count, 0), offset=shift)
            starts.append(np.flatnonzero(self._wanted[pairs]) * 2 + shift)
        return np.concatenate(starts)


def _chunks(path: Path, *, gently: bool) -> Iterator[bytes]:
    """Give a file in pieces, each with the end of the one before it."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        rest = b""
        while piece := file.read(_CHUNK_BYTES):
            started_s = time.monotonic()
            chunk = rest + piece
            yield chunk
            rest = chunk[-LONGEST_TEXT_BYTES:]
            if gently:
                time.sleep(time.monotonic() - started_s)


def _distinct_window(content: bytes) -> bytes | None:
    for start in range(0, len(content) - WINDOW_BYTES + 1, 4):
        window = content[start : start + WINDOW_BYTES]
        if len(set(window)) >= DISTINCT_BYTES and window[0] != window[1]:
            return window
    return None


def _digest(salt: bytes, content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES, key=salt).digest()
