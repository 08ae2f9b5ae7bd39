"""The centre of a gallery: what all of its signatures share, taken off before they are compared.

Signatures of a scanner or a script that a network never saw lie shifted by one common offset, which
makes them all look alike. Estimating it takes genuine signatures alone: no labels, no forgeries.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from encoder.scoring.templates import Vectors

# The mean of few writers is mostly their own hands, not what they share: it is drawn towards the
# origin as though so many more writers without any offset were there.
SHRINKAGE = 5


@dataclass(frozen=True)
class Centre:
    """Where the embeddings of a gallery lie on the whole.

    Attributes:
        vector: the centre `(d,)`, to six decimals.
        writers: how many it was computed from, with `references` signatures together.
        length: how far from the origin it lies; embeddings have length 1.
        lift: the mean similarity (inner product) of two writers' mean embeddings: what is shared
            raises the similarity of any two signatures by so much. 0 where there are no two.
    """

    vector: tuple[float, ...]
    writers: int
    references: int
    length: float
    lift: float

    @property
    def mean(self) -> Vectors:
        """The mean `(1, d)` float32 of the writers' mean embeddings: the centre, not shrunk."""
        shrunk = np.asarray(self.vector, np.float32)
        return (shrunk * (1 + SHRINKAGE / max(self.writers, 1)))[np.newaxis]

    def facts(self) -> dict[str, Any]:
        """What it rests on and how far it lies, for manifests and reports; not where."""
        return {key: value for key, value in asdict(self).items() if key != "vector"}


def centre_of(galleries: Iterable[Vectors], dimension: int) -> Centre:
    """The sum of writers' mean embeddings, over their number and `SHRINKAGE`.

    Args:
        galleries: for each writer the unit embeddings `(r, d)` of the references; read once, one
            by one, and passed over where r is 0.
        dimension: d.
    """
    total, squares = np.zeros(dimension), 0.0
    writers = references = 0
    for vectors in galleries:
        if not len(vectors):
            continue
        mean = vectors.mean(axis=0, dtype=np.float64)
        total += mean
        squares += float(mean @ mean)
        writers += 1
        references += len(vectors)
    pairs = writers * (writers - 1)
    vector = np.round(total / (writers + SHRINKAGE), 6)
    return Centre(
        vector=tuple(vector.tolist()),
        writers=writers,
        references=references,
        length=round(float(np.linalg.norm(vector)), 4),
        lift=round((float(total @ total) - squares) / pairs, 4) if pairs else 0.0,
    )


def centred(vectors: Vectors, centre: Vectors | None) -> Vectors:
    """Unit vectors `(..., d)` less the centre `(d,)`, of length 1 again; without one, as they are.

    A vector that is the centre itself becomes zeros: it resembles nothing.
    """
    if centre is None:
        return vectors
    shifted = vectors - centre
    lengths = np.linalg.norm(shifted, axis=-1, keepdims=True)
    return np.asarray(shifted / np.maximum(lengths, 1e-12), np.float32)
