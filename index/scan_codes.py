"""4-bit codes for a quick look at many: pairs of the axes on which embeddings differ most.

A code is not the nearest to its vector. What is lost along the vector itself counts more than what
is lost across it, since that is what an inner product with something near it would miss
(score-aware quantisation: Guo et al., "Accelerating Large-Scale Inference with Anisotropic Vector
Quantization", ICML 2020). So 96 of 128 axes find the nearest as well as all of them would without.
"""

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from index.openmp import one_thread

PER_CELL = 16  # What four bits can tell apart.
_ALONG = 4.0  # How much more the loss along the vector counts.
_ROUNDS = 2
_AT_ONCE = 4096

Vectors = NDArray[np.float32]
Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class ScanCodes:
    """Axes (d, 2c), two for each of c cells, and the 16 places (c, 16, 2) of each cell."""

    axes: Vectors
    places: Vectors

    @property
    def cells(self) -> int:
        """How many cells c there are: half bytes of a code."""
        return len(self.places)

    @property
    def code_bytes(self) -> int:
        """How many bytes a code has."""
        return -(-self.cells // 2)

    def encode(self, vectors: Vectors) -> Codes:
        """Return the codes (n, code_bytes) of unit vectors (n, d), two cells to a byte."""
        numbers = np.zeros((len(vectors), 2 * self.code_bytes), np.uint8)
        for start in range(0, len(vectors), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            numbers[part, : self.cells] = self._numbers(vectors[part] @ self.axes).T
        return numbers[:, ::2] | numbers[:, 1::2] << np.uint8(4)

    def losses(self, vectors: Vectors, codes: Codes) -> Vectors:
        """Return what codes (n, code_bytes) lose of unit vectors (n, d); `encode` keeps it low."""
        numbers = np.stack([codes & 15, codes >> 4], axis=-1).reshape(len(codes), -1)
        projected = vectors @ self.axes
        cells = np.arange(self.cells)
        seen = self.places[cells, numbers[:, : self.cells]].reshape(len(codes), -1)
        along = 1.0 - np.einsum("ij,ij->i", projected, seen)
        lost: Vectors = ((projected - seen) ** 2).sum(axis=1) + _ALONG * along**2
        return lost

    def scanner(self, centroids: Vectors, per_block: int) -> Any:
        """Return an empty FAISS index of these codes, in lists around centroids (l, 2c).

        It is searched by vectors on the axes.
        """
        lists, width = centroids.shape
        quantizer: Any = faiss.IndexFlatIP(width)
        quantizer.add(centroids)
        empty = faiss.IndexIVFPQFastScan(
            quantizer, width, lists, self.cells, 4, faiss.METRIC_INNER_PRODUCT, per_block
        )
        quantizer.this.disown()
        empty.own_fields = True
        empty.by_residual = False  # So that one table serves all lists.
        empty.pq = self._quantizer()
        empty.is_trained = True
        return empty

    def _quantizer(self) -> Any:
        quantizer: Any = faiss.ProductQuantizer(self.axes.shape[1], self.cells, 4)
        faiss.copy_array_to_vector(self.places.ravel(), quantizer.centroids)
        return quantizer

    def _numbers(self, projected: Vectors) -> NDArray[np.intp]:
        """Return the place (c, n) in each cell for vectors on the axes (n, 2c)."""
        cells = projected.reshape(len(projected), self.cells, 2).transpose(1, 0, 2)
        products = cells @ self.places.transpose(0, 2, 1)
        own = (cells**2).sum(axis=2)
        across = (self.places**2).sum(axis=2)[:, np.newaxis] - 2 * products
        along = own[:, :, np.newaxis] - products
        numbers: NDArray[np.intp] = across.argmin(axis=2)
        rows = np.arange(len(projected))
        lost = np.take_along_axis(along, numbers[:, :, np.newaxis], axis=2)[:, :, 0]
        total = 1.0 - own.sum(axis=0) + lost.sum(axis=0)  # What is on no axis is lost too.
        for _ in range(_ROUNDS):
            for cell in range(self.cells):
                total -= along[cell, rows, numbers[cell]]
                cost = across[cell] + _ALONG * (total[:, np.newaxis] + along[cell]) ** 2
                numbers[cell] = cost.argmin(axis=1)
                total += along[cell, rows, numbers[cell]]
        return numbers


def fit(vectors: Vectors) -> ScanCodes:
    """Fit codes to a sample (n, d) of unit vectors: a bit and a half for each element of 128."""
    one_thread()
    dimension = vectors.shape[1]
    cells = max(1, 3 * dimension // 8)
    axes = np.zeros((dimension, 2 * cells), np.float32)
    found = np.linalg.eigh(vectors.T @ vectors)[1][:, ::-1][:, : 2 * cells]
    axes[:, : found.shape[1]] = found
    # A strong one beside a weak one, so that no cell has much more to tell than another.
    order = np.stack([np.arange(cells), 2 * cells - 1 - np.arange(cells)], axis=1).ravel()
    axes = np.ascontiguousarray(axes[:, order])
    quantizer: Any = faiss.ProductQuantizer(2 * cells, cells, 4)
    quantizer.cp.min_points_per_centroid = 1  # No warnings.
    projected = vectors @ axes
    quantizer.train(np.resize(projected, (max(len(projected), PER_CELL), 2 * cells)))
    places = faiss.vector_to_array(quantizer.centroids).reshape(cells, PER_CELL, 2)
    return ScanCodes(axes, places)
