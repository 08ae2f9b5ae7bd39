"""The blocks of an embedding: what a network says of layout, texture and strokes, compared apart.

A network joins its blocks and turns them all together, so that the leading elements serve an index.
Turned back, each block is compared on its own: how far layouts may differ says nothing of strokes.
"""

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from encoder.errors import UnusableRule
from encoder.scoring.templates import Vectors

SCALE = 8191  # Of the axes' elements, at most 1, as int16: finer than any similarity needs.
LEAST_LENGTH = 1e-9


@dataclass(frozen=True, eq=False)
class Blocks:
    """How embeddings `(n, d)` come apart.

    Attributes:
        names: of the blocks, in order.
        sizes: elements of each, d in all.
        axes: `(d, d)` float32 with orthonormal rows; the joined blocks times it are the embedding.
            None where the embedding is one block as it stands.
    """

    names: tuple[str, ...] = ("whole",)
    sizes: tuple[int, ...] = ()
    axes: NDArray[np.float32] | None = None

    def split(self, vectors: Vectors) -> list[Vectors]:
        """The blocks `(n, size)` of embeddings `(n, d)`, each scaled to length 1."""
        if self.axes is None:
            return [vectors]
        joined = vectors @ self.axes.T
        parts = [joined[:, start:end] for start, end in pairwise(accumulate(self.sizes, initial=0))]
        return [
            p / np.maximum(np.linalg.norm(p, axis=1, keepdims=True), LEAST_LENGTH) for p in parts
        ]

    def similarities(self, ones: Vectors, others: Vectors) -> NDArray[np.float32]:
        """Cosines `(b, n, m)` of each block of n embeddings with that of m others."""
        pairs = zip(self.split(ones), self.split(others), strict=True)
        return np.stack([one @ other.T for one, other in pairs])

    def similarities_among(self, vectors: Vectors) -> NDArray[np.float32]:
        """Cosines `(b, n, n)` of n embeddings with each other, block by block."""
        return np.stack([part @ part.T for part in self.split(vectors)])

    def as_dict(self) -> dict[str, Any]:
        """The blocks, ready for JSON."""
        return {
            "names": list(self.names),
            "sizes": list(self.sizes),
            "axes": None if self.axes is None else _written(self.axes),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], dimension: int) -> Self:
        """The blocks that `as_dict` wrote, of embeddings `(n, dimension)`.

        Raises:
            UnusableRule: they are of other embeddings, or damaged.
        """
        try:
            names, sizes = tuple(map(str, data["names"])), tuple(map(int, data["sizes"]))
            axes = None if data["axes"] is None else _read(data["axes"], dimension)
        except (KeyError, TypeError, ValueError, binascii.Error, zlib.error) as error:
            raise UnusableRule(f"The blocks of the embedding cannot be read ({error}).") from error
        whole = axes is None and len(names) == 1
        if not whole and (len(sizes) != len(names) or sum(sizes) != dimension or axes is None):
            raise UnusableRule(
                f"The blocks of the embedding have {sum(sizes)} elements in {len(sizes)} parts; "
                f"expected {dimension} in {len(names)}."
            )
        return cls(names, sizes, axes)


def _written(axes: NDArray[np.float32]) -> str:
    elements = np.rint(axes * SCALE).astype("<i2")
    # All low bytes, then all high ones, which are alike: so they take a third less.
    planes = elements.reshape(-1, 1).view(np.uint8).T
    return base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode()


def _read(text: str, dimension: int) -> NDArray[np.float32]:
    planes = zlib.decompress(base64.b64decode(text, validate=True))
    elements = np.frombuffer(planes, np.uint8).reshape(2, -1).T.copy().view("<i2")
    axes = elements.astype(np.float32) / np.float32(SCALE)
    return np.asarray(axes.reshape(dimension, dimension), np.float32)
