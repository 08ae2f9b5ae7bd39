"""What every vector index can do, whatever holds the vectors; who changes it is for the gallery."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, slots=True)
class Neighbours:
    """References near a probe, nearest first: ids (m,) int64 and cosines (m,) float32, -1 to 1."""

    reference_ids: NDArray[np.int64]
    similarities: NDArray[np.float32]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.reference_ids)


NO_NEIGHBOURS = Neighbours(np.empty(0, np.int64), np.empty(0, np.float32))


@dataclass(frozen=True)
class RecallTarget:
    """What searches are to find: this share of the `nearest` (1 or 10) exactly nearest references.

    A caller fetches `fetched` neighbours at the least, and scores the writers behind them exactly,
    on all of their references. So a reference is found where any of its writer's is fetched.
    """

    fetched: int
    nearest: int = 10
    recall: float = 0.999


class VectorIndex(Protocol):
    """Reference ids and their unit vectors, searched by inner product (the cosine).

    Thread-safe: searches run side by side, a change runs alone. Load or fill it after a fork:
    FAISS hangs in a child whose parent has searched from several threads.
    """

    @property
    def kind(self) -> str:
        """A stable word for the kind of index; a snapshot of another kind is not loaded."""
        ...

    @property
    def dimension(self) -> int:
        """The length d of the vectors."""
        ...

    def add(self, reference_ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add ids (n,) and unit vectors (n, d), all or none.

        Raises:
            InvalidVector: they are not finite unit vectors of the expected size.
            DuplicateReference: an id is there or comes twice.
        """
        ...

    def remove(self, reference_ids: NDArray[np.int64]) -> int:
        """Take references out and return how many there were; ids not there are passed over."""
        ...

    def search(self, probes: NDArray[np.float32], k: int) -> list[Neighbours]:
        """Return for each probe of (n, d) its min(k, size) nearest references, nearest first.

        A kind that does not look at every reference may miss some: see its recall.

        Raises:
            InvalidVector: they are not finite unit vectors of the expected size.
            ValueError: k is below 1.
        """
        ...

    def size(self) -> int:
        """How many references there are."""
        ...

    def reference_ids(self) -> NDArray[np.int64]:
        """Return all ids (n,), ascending."""
        ...

    def holds(
        self, reference_ids: NDArray[np.int64], vectors: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Whether (n,) what is held of these references is what adding these vectors would hold.

        Byte for byte; a kind that keeps less than the vectors says how closely it can tell.

        Raises:
            KeyError: a reference is not there; its id is the argument.
        """
        ...

    def memory_bytes(self) -> int:
        """About how much memory the index takes."""
        ...

    def details(self) -> Mapping[str, int | float | str]:
        """Return what an operator may want to know of this kind, the recall above all."""
        ...


class LocalIndex(VectorIndex, Protocol):
    """An index in this process's memory, which can be saved to a file."""

    def detach(self) -> None:
        """Keep nothing of the file that it was loaded from: what is erased is not to stay there."""
        ...

    def suits(self, target: RecallTarget) -> bool:
        """Whether it was made for such searches, and for about as many references as there are."""
        ...

    def may_have_drifted(self) -> bool:
        """Whether so much changed since it was made that `has_drifted` is worth its while."""
        ...

    def has_drifted(self) -> bool:
        """Whether what is held is no longer like what it was made for; takes a moment."""
        ...

    def save(self, path: Path) -> None:
        """Write a copy to a file; what changes meanwhile may be in it.

        Raises:
            SnapshotNotSaved: it could not be written to disk.
        """
        ...

    @classmethod
    def load(cls, path: Path, dimension: int) -> Self:
        """Read what `save` wrote.

        It does not find every flipped byte: check the file's sha256 first.

        Raises:
            SnapshotUnusable: the file holds anything else.
        """
        ...
