"""Codes that put candidates in order: six bits for each element, by FAISS; no lists."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from index.vectors.faiss_threads import use_one_faiss_thread

_BITS = faiss.ScalarQuantizer.QT_6bit
_STEPS = 63
# What the sample did not have may lie a little outside of what it had.
_MARGIN = 0.1

Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class FineCodes:
    """The least value (d,) of each element, and the span (d,) from there to the greatest."""

    least: NDArray[np.float32]
    span: NDArray[np.float32]

    @property
    def code_bytes(self) -> int:
        """How many bytes a code has."""
        return int(self._quantizer.code_size)

    def encode(self, vectors: NDArray[np.float32]) -> Codes:
        """Return the codes (n, c) of vectors (n, d); what lies outside is drawn to the border."""
        use_one_faiss_thread()
        codes: Codes = self._quantizer.compute_codes(vectors)
        return codes

    def decode(self, codes: Codes) -> NDArray[np.float32]:
        """Return about the vectors (n, d) that codes (n, c) are of."""
        use_one_faiss_thread()
        vectors: NDArray[np.float32] = self._quantizer.decode(codes)
        return vectors

    def steps_apart(self, one: Codes, other: Codes) -> NDArray[np.int16]:
        """Return by how many steps (n,) the codes (n, c) differ, in the element where most."""
        apart = np.abs(self.decode(one) - self.decode(other))
        steps: NDArray[np.int16] = np.rint(apart * (_STEPS / self.span)).max(axis=1, initial=0)
        return steps.astype(np.int16)

    def searcher(self) -> Any:
        """Return an empty FAISS index of these codes; `show` it some."""
        index: Any = faiss.IndexScalarQuantizer(len(self.least), _BITS, faiss.METRIC_INNER_PRODUCT)
        index.sq = self._quantizer
        index.is_trained = True
        return index

    @cached_property
    def _quantizer(self) -> Any:
        quantizer: Any = faiss.ScalarQuantizer(len(self.least), _BITS)
        faiss.copy_array_to_vector(np.concatenate([self.least, self.span]), quantizer.trained)
        return quantizer


def show(searcher: Any, codes: Codes) -> None:
    """Let an index search codes (n, c) where they lie, instead of what it searched before.

    They are not copied: keep them.
    """
    vector: Any = faiss.MaybeOwnedVectorUInt8
    nobody = vector().owner
    searcher.codes = vector.create_view(faiss.swig_ptr(codes), codes.size, nobody)
    searcher.ntotal = len(codes)


def fit(vectors: NDArray[np.float32]) -> FineCodes:
    """Fit codes to a sample (n, d) of unit vectors."""
    least, most = vectors.min(axis=0), vectors.max(axis=0)
    room = np.maximum(_MARGIN * (most - least), 1e-3)
    span = most - least + 2 * room
    return FineCodes((least - room).astype(np.float32), span.astype(np.float32))
