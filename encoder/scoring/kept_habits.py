"""Keeps what was computed of a writer's references: it is the same for every claim with them.

Matching references with each other takes longer than matching a probe with them, and grows with the
square of their number. What is kept goes by the references' own contents, so nothing that changes a
writer has to be told here.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from encoder.scoring.templates import Signatures

MOST_KEPT = 20_000  # Writers, of some 200 bytes each; the one asked for longest ago goes first.


class KeptHabits:
    """The habits of writers asked for lately; threads may share it."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, NDArray[np.float64]] = OrderedDict()

    def of(
        self, references: Signatures, compute: Callable[[], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """What `compute` gave for these very references, in this order; computed where unknown."""
        key = _key(references)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        found = compute()
        found.flags.writeable = False
        with self._lock:
            self._kept[key] = found
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return found


def _key(references: Signatures) -> bytes:
    content = hashlib.sha256(references.vectors.tobytes())
    for pieces in references.pieces or ():
        content.update(len(pieces).to_bytes(4))
        content.update(pieces.tobytes())
    return content.digest()
