"""4-bit codes for a quick look at many: what is left of a vector beside the centroid of its list.

Axes on which embeddings differ most go two by two into cells, and a code says at which of 16 places
of each cell the rest lies. It is not the code nearest to the rest. What is lost along the vector
itself counts more than what is lost across it, since that is what an inner product with something
near it would miss (score-aware quantisation: Guo et al., "Accelerating Large-Scale Inference with
Anisotropic Vector Quantization", ICML 2020). So 80 of 128 axes are enough.
"""

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from index.vectors.faiss_threads import use_one_faiss_thread

PER_CELL = 16  # What four bits can tell apart.
_ALONG = 2.0  # How much more the loss along the vector counts.
_ROUNDS = 2
_AT_ONCE = 4096

Vectors = NDArray[np.float32]
Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class CoarseCodes:
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

    def encode(self, vectors: Vectors, centroids: Vectors) -> Codes:
        """Return the codes (n, code_bytes) of unit vectors (n, d), two cells to a byte.

        Each is of what its vector has beside a centroid (n, 2c) of its own.
        """
        numbers = np.zeros((len(vectors), 2 * self.code_bytes), np.uint8)
        for start in range(0, len(vectors), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            own = self._numbers(vectors[part] @ self.axes, centroids[part])
            numbers[part, : self.cells] = own.T
        return numbers[:, ::2] | numbers[:, 1::2] << np.uint8(4)

    def losses(self, vectors: Vectors, centroids: Vectors, codes: Codes) -> Vectors:
        """Return what codes (n, code_bytes) lose of unit vectors (n, d); `encode` keeps it low."""
        numbers = np.stack([codes & 15, codes >> 4], axis=-1).reshape(len(codes), -1)
        projected = vectors @ self.axes
        cells = np.arange(self.cells)
        rest = self.places[cells, numbers[:, : self.cells]].reshape(len(codes), -1)
        seen = centroids + rest
        along = 1.0 - np.einsum("ij,ij->i", projected, seen)
        lost: Vectors = ((projected - seen) ** 2).sum(axis=1) + _ALONG * along**2
        return lost

    def scanner(self, centroids: Vectors, per_block: int) -> Any:
        """Return an empty FAISS index of these codes, in lists around centroids (l, 2c).

        It is searched by vectors on the axes. One table serves all lists: the inner product with a
        centroid is added to what the table says.
        """
        lists, width = centroids.shape
        quantizer: Any = faiss.IndexFlatIP(width)
        quantizer.add(centroids)
        empty = faiss.IndexIVFPQFastScan(
            quantizer, width, lists, self.cells, 4, faiss.METRIC_INNER_PRODUCT, per_block
        )
        quantizer.this.disown()
        empty.own_fields = True
        empty.by_residual = True
        empty.pq = self._quantizer()
        empty.is_trained = True
        return empty

    def _quantizer(self) -> Any:
        quantizer: Any = faiss.ProductQuantizer(self.axes.shape[1], self.cells, 4)
        faiss.copy_array_to_vector(self.places.ravel(), quantizer.centroids)
        return quantizer

    def _numbers(self, projected: Vectors, centroids: Vectors) -> NDArray[np.intp]:
        """Return the place (c, n) in each cell for vectors on the axes (n, 2c)."""
        vectors, rest = self._by_cell(projected), self._by_cell(projected - centroids)
        places = self.places.transpose(0, 2, 1)
        across = (self.places**2).sum(axis=2)[:, np.newaxis] - 2 * (rest @ places)
        along = (vectors * rest).sum(axis=2)[:, :, np.newaxis] - vectors @ places
        numbers: NDArray[np.intp] = across.argmin(axis=2)
        rows = np.arange(len(projected))
        lost = np.take_along_axis(along, numbers[:, :, np.newaxis], axis=2)[:, :, 0]
        total = 1.0 - (projected**2).sum(axis=1) + lost.sum(axis=0)  # And what is on no axis.
        for _ in range(_ROUNDS):
            for cell in range(self.cells):
                total -= along[cell, rows, numbers[cell]]
                cost = across[cell] + _ALONG * (total[:, np.newaxis] + along[cell]) ** 2
                numbers[cell] = cost.argmin(axis=1)
                total += along[cell, rows, numbers[cell]]
        return numbers

    def _by_cell(self, projected: Vectors) -> Vectors:
        """Return vectors (n, 2c) as (c, n, 2)."""
        return projected.reshape(len(projected), self.cells, 2).transpose(1, 0, 2)


def axes_of(vectors: Vectors) -> Vectors:
    """Return axes (d, 2c) for a sample (n, d) of unit vectors: 80 where vectors are 128 long."""
    dimension = vectors.shape[1]
    cells = max(1, 5 * dimension // 16)
    axes = np.zeros((dimension, 2 * cells), np.float32)
    found = np.linalg.eigh(vectors.T @ vectors)[1][:, ::-1][:, : 2 * cells]
    axes[:, : found.shape[1]] = found
    # A strong one beside a weak one, so that no cell has much more to tell than another.
    order = np.stack([np.arange(cells), 2 * cells - 1 - np.arange(cells)], axis=1).ravel()
    return np.ascontiguousarray(axes[:, order])


def fit(axes: Vectors, rest: Vectors) -> CoarseCodes:
    """Fit codes to what a sample has beside its centroids, (n, 2c) on the axes (d, 2c)."""
    use_one_faiss_thread()
    width = axes.shape[1]
    quantizer: Any = faiss.ProductQuantizer(width, width // 2, 4)
    quantizer.cp.min_points_per_centroid = 1  # No warnings.
    quantizer.train(np.resize(rest, (max(len(rest), PER_CELL), width)))
    places = faiss.vector_to_array(quantizer.centroids).reshape(-1, PER_CELL, 2)
    return CoarseCodes(axes, places)
