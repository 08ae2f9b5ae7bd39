"""Signatures as a model sees them, before any is compared with another."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from encoder.scoring.local_descriptors import Pieces

Vectors = NDArray[np.float32]
Numbers = slice | Sequence[int] | NDArray[np.intp]


@dataclass(frozen=True)
class Signatures:
    """n signatures described by one model.

    Attributes:
        vectors: `(n, d)` float32, of length 1.
        pieces: the pieces of strokes of each, `(k, 26)` int8; None from a model that knows none.
    """

    vectors: Vectors
    pieces: tuple[Pieces, ...] | None = None

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, numbers: Numbers) -> "Signatures":
        """Some of them, by a slice or by numbers."""
        if self.pieces is None:
            return Signatures(self.vectors[numbers])
        chosen = np.arange(len(self))[numbers]
        return Signatures(self.vectors[numbers], tuple(self.pieces[n] for n in chosen))

    def with_vectors(self, vectors: Vectors) -> "Signatures":
        """The same with other vectors `(n, d)`."""
        return replace(self, vectors=vectors)


def joined(parts: Iterable[Signatures]) -> Signatures:
    """All of one or more groups, one after another; of one model."""
    groups = list(parts)
    vectors = np.concatenate([group.vectors for group in groups])
    if any(group.pieces is None for group in groups):
        return Signatures(vectors)
    return Signatures(vectors, tuple(p for group in groups for p in group.pieces or ()))
