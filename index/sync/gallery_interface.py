"""What the service needs of a gallery's index, whether this process holds it or a server does."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from index.sync.consistency import CheckReport, ErasureReport
from index.vectors.vector_index import Neighbours


@dataclass(frozen=True)
class OpenReport:
    """Where an index came from; `reason` says why what was saved was not used, if it was not.

    `shared` is an index that a server holds for several processes.
    """

    source: Literal["snapshot", "rebuilt", "shared"]
    reason: str | None
    applied: int


class Gallery(Protocol):
    """A `LocalGallery` or `SharedGallery`; thread-safe; built after a fork, opened before use."""

    def open(self) -> OpenReport:
        """Bring the index to where the registry is, by whatever way there is."""
        ...

    def search(self, probes: NDArray[np.float32], k: int) -> list[Neighbours]:
        """Return for each probe of (n, d) near references, nearest first, at most k.

        What was enrolled before the call, by whatever process, is found.
        """
        ...

    def catch_up(self) -> int:
        """Return when the index is where the registry is; the number of changes it was behind."""
        ...

    def save_snapshot(self) -> None:
        """Make the next start quick.

        Raises:
            SnapshotNotSaved: it could not be written to disk.
        """
        ...

    def forget_snapshots(self) -> None:
        """Call it after an erasure, before saying that it is done.

        Raises:
            ErasureIncomplete: rows are erased, but a copy of them may still be on disk.
        """
        ...

    def check(self) -> CheckReport:
        """Compare the index with the registry, vector for vector."""
        ...

    def check_erased(self) -> ErasureReport:
        """Look for references that were ever erased."""
        ...

    def rebuild(self) -> None:
        """Make the index anew from the registry."""
        ...

    def stats(self) -> dict[str, int | float | str | None]:
        """Return what an operator wants to know."""
        ...

    def close(self) -> None:
        """Let go of it; close it before the registry."""
        ...
