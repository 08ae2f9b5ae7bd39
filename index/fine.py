"""Codes that put candidates in order: 8 bits for leading elements, 4 for the rest; no lists.

The leading elements of an embedding say most (`vectors.leading`), so that is where the bits go.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HIGH, _LOW = 255, 15  # The most that 8 and 4 bits hold.
# What the sample did not have may lie a little outside of what it had.
_MARGIN = 0.1

Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class FineCodes:
    """The least value (d,) of each element, and the step (d,) from one number to the next."""

    least: NDArray[np.float32]
    step: NDArray[np.float32]

    @property
    def dimension(self) -> int:
        """The length d of the vectors."""
        return len(self.least)

    @property
    def code_bytes(self) -> int:
        """How many bytes a code has."""
        return self.dimension - _halved(self.dimension) // 2

    def encode(self, vectors: NDArray[np.float32]) -> Codes:
        """Return the codes (n, c) of vectors (n, d); what lies outside is drawn to the border."""
        most = np.where(np.arange(self.dimension) < self._whole, _HIGH, _LOW)
        numbers = np.clip(np.rint((vectors - self.least) / self.step), 0, most).astype(np.uint8)
        rest = numbers[:, self._whole :]
        return np.concatenate(
            [numbers[:, : self._whole], rest[:, ::2] | rest[:, 1::2] << 4], axis=1
        )

    def similarities(self, probe: NDArray[np.float32], codes: Codes) -> NDArray[np.float32]:
        """Return the inner products (n,) of a probe (d,) with the vectors behind codes (n, c).

        A row's result depends on that row alone.
        """
        whole, weights = self._whole, probe * self.step
        low, high = weights[whole::2], weights[whole + 1 :: 2] / 16
        # A byte that holds two numbers counts once as a whole, and its lower one once more.
        numbers = np.empty((len(codes), self.dimension), np.float32)
        numbers[:, : self.code_bytes] = codes
        numbers[:, self.code_bytes :] = codes[:, whole:] & _LOW
        found: NDArray[np.float32] = np.einsum(
            "ij,j->i", numbers, np.concatenate([weights[:whole], high, low - high])
        )
        return found + np.dot(probe, self.least)  # type: ignore[no-any-return]

    def steps_apart(self, one: Codes, other: Codes) -> NDArray[np.int16]:
        """Return by how many steps (n,) the codes (n, c) differ, in the element where most."""
        apart = [
            _most(one[:, : self._whole], other[:, : self._whole]),
            _most(one[:, self._whole :] & 15, other[:, self._whole :] & 15),
            _most(one[:, self._whole :] >> 4, other[:, self._whole :] >> 4),
        ]
        return np.max(apart, axis=0)  # type: ignore[no-any-return]

    @property
    def _whole(self) -> int:
        return self.dimension - _halved(self.dimension)


def fit(vectors: NDArray[np.float32]) -> FineCodes:
    """Fit codes to a sample (n, d) of unit vectors."""
    least, most = vectors.min(axis=0), vectors.max(axis=0)
    room = np.maximum(_MARGIN * (most - least), 1e-3)
    dimension = vectors.shape[1]
    steps = np.where(np.arange(dimension) < dimension - _halved(dimension), _HIGH, _LOW)
    step = (most - least + 2 * room) / steps
    return FineCodes((least - room).astype(np.float32), step.astype(np.float32))


def _halved(dimension: int) -> int:
    """Return how many elements get 4 bits: half of them, an even number."""
    return dimension // 4 * 2


def _most(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.int16]:
    apart: NDArray[np.int16] = np.abs(one.astype(np.int16) - other.astype(np.int16))
    return apart.max(axis=1, initial=0)  # type: ignore[no-any-return]
