"""Keeps how signatures match that were compared before.

It is most of the work of trials and searches, whose draws only choose among them.
"""

import numpy as np

from encoder.scoring.local_descriptors import Pieces
from encoder.scoring.local_matching import MEASURES, local_matches
from encoder.scoring.templates import Numbers, Signatures, Vectors


class LocalMatchCache:
    """Local matches by pairs of groups of signatures; each is computed once, when asked for.

    Held by whoever runs trials or searches of the same signatures more than once. Signatures are
    known by their pieces.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._tables: dict[tuple[int, int], Vectors] = {}
        # An id is taken again once its object is gone: these stay as long as their ids are keys.
        self._held: dict[int, tuple[Pieces, ...]] = {}

    def between(
        self, ones: Signatures, others: Signatures, numbers: Numbers = slice(None)
    ) -> Vectors | None:
        """How some of the ones, by number, match all of the others: `(3, n, m)`.

        None where the model knows no pieces.
        """
        if ones.pieces is None or others.pieces is None:
            return None
        known = self._table(ones.pieces, others.pieces)
        asked = np.unique(np.arange(known.shape[1])[numbers])
        missing = asked[np.isnan(known[0, asked]).any(axis=1)]
        if missing.size:
            some = [ones.pieces[number] for number in missing]
            known[:, missing] = local_matches(some, others.pieces)
        return np.asarray(known[:, numbers])

    def _table(self, ones: tuple[Pieces, ...], others: tuple[Pieces, ...]) -> Vectors:
        """`(3, len(ones), len(others))`, NaN where nothing is known."""
        key = id(ones), id(others)
        if key not in self._tables:
            self._held |= {id(ones): ones, id(others): others}
            self._tables[key] = np.full((MEASURES, len(ones), len(others)), np.nan, np.float32)
        return self._tables[key]
