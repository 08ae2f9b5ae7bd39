"""The lists of a FAISS fast-scan index in memory: ids, and 4-bit codes packed in blocks.

FAISS packs the codes of many vectors into a block, so that one instruction looks many of them up. A
list is changed by packing anew the blocks that change; who may do so when is for
`inverted_lists`. How many go into a block is for the processor; on disk it is 32, so that a file
may go from one to another.
"""

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

# A block's sums stay in registers while it is looked at, where there is room: the 16 of AVX2 have
# it for 64 codes, the 32 of AVX-512 for 128. With AVX2 a look at a third of a million took 1.6
# times as long by 128 as by 64; on a processor where all found room, 64 took a tenth longer.
PER_BLOCK = 128 if "AVX512" in faiss.get_compile_options() else 64
PER_SAVED = 32  # The least that FAISS has; larger ones are made of these.
_LANES = 16  # Bytes that one instruction looks up.

Ids = NDArray[np.int64]
Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class Layout:
    """Where a block keeps each half byte of its vectors' codes, as FAISS has it."""

    code_bytes: int
    per_block: int
    source: NDArray[np.intp]  # Of each half byte of a block: its place among those of the codes.
    place: NDArray[np.intp]  # (vectors, half bytes of a code): its place in the block.

    @property
    def block_bytes(self) -> int:
        """How many bytes a block has."""
        return self.code_bytes * self.per_block

    def pack(self, codes: Codes) -> Codes:
        """Return codes (n, c) as full blocks (b, bytes of a block); what is left over is zero."""
        count = -(-len(codes) // self.per_block)
        padded = np.zeros((count * self.per_block, self.code_bytes), np.uint8)
        padded[: len(codes)] = codes
        halves = _halves(padded).reshape(count, 2 * self.block_bytes)
        return _whole(halves[:, self.source])

    def unpack(self, blocks: Codes, rows: NDArray[np.intp]) -> Codes:
        """Return the codes (n, c) of some rows (n,) of blocks (b, bytes of a block)."""
        place = self.place[rows % self.per_block]
        held = blocks[(rows // self.per_block)[:, np.newaxis], place // 2]
        return _whole(np.where(place % 2, held >> 4, held & 15).astype(np.uint8))

    def replaced(
        self, blocks: Codes, size: int, rows: NDArray[np.intp], codes: Codes
    ) -> tuple[NDArray[np.intp], Codes]:
        """Return the numbers (t,) and the new content of the blocks that change.

        They do where rows (n,) of a list get other codes (n, c), or where it ends, at `size` now:
        what lay behind its end is zeroed.
        """
        end = size // self.per_block
        touched = np.unique(np.append(rows // self.per_block, [end] if end < len(blocks) else []))
        touched = touched.astype(np.intp)
        inside = (touched[:, np.newaxis] * self.per_block + np.arange(self.per_block)).ravel()
        new = self.unpack(blocks, inside)
        new[np.searchsorted(inside, rows)] = codes
        new[inside >= size] = 0
        return touched, self.pack(new)

    def saved(self, blocks: Codes) -> Codes:
        """Return a copy of blocks (b, bytes of a block) as the blocks of 32 they are made of."""
        parts = self.per_block // PER_SAVED
        own = blocks.reshape(len(blocks), self.code_bytes, parts, PER_SAVED)
        apart = np.array(own.transpose(0, 2, 1, 3), order="C")
        return apart.reshape(len(blocks) * parts, PER_SAVED * self.code_bytes)

    def restored(self, saved: Codes) -> Codes:
        """Return as many blocks as it takes for blocks of 32; what is left over is zero."""
        parts = self.per_block // PER_SAVED
        count = -(-len(saved) // parts)
        full = np.zeros((count * parts, PER_SAVED * self.code_bytes), np.uint8)
        full[: len(saved)] = saved
        own = full.reshape(count, parts, self.code_bytes, PER_SAVED)
        return own.transpose(0, 2, 1, 3).reshape(count, self.block_bytes)


def layout_of(code_bytes: int, per_block: int) -> Layout:
    """Return how FAISS lays out codes of so many bytes, two half bytes to a pair of tables.

    Its own packer knows blocks of 32 only, so this is written down here, and tested against what
    FAISS makes when it adds.
    """
    row = np.arange(per_block)[:, np.newaxis]
    half = np.arange(2 * code_bytes)[np.newaxis]
    lane = row % _LANES
    byte = (half // 2) * per_block + (row // 32) * 32 + (half % 2) * _LANES
    byte += np.where(lane < _LANES // 2, 2 * lane, 2 * lane - _LANES + 1)
    place = 2 * byte + row // _LANES % 2
    return Layout(code_bytes, per_block, np.argsort(place.ravel()), place)


def saved_blocks(size: int) -> int:
    """Return how many blocks of 32 a list of so many vectors has."""
    return -(-size // PER_SAVED)


def views(index: Any, number: int, layout: Layout) -> tuple[Ids, Codes]:
    """Return ids (n,) and blocks (b, bytes of a block) of a list as FAISS keeps them, no copy.

    Valid until the list changes.
    """
    size = index.invlists.list_size(number)
    if not size:
        return np.empty(0, np.int64), np.empty((0, layout.block_bytes), np.uint8)
    ids = faiss.rev_swig_ptr(index.invlists.get_ids(number), size)
    count = -(-size // layout.per_block)
    blocks = faiss.rev_swig_ptr(index.invlists.get_codes(number), count * layout.block_bytes)
    return ids, blocks.reshape(count, -1)


def resized(index: Any, number: int, size: int, layout: Layout) -> tuple[Ids, Codes]:
    """Give a list room for `size` vectors and return its views; what it loses is zeroed first."""
    ids, blocks = views(index, number, layout)
    ids[size:] = -1
    blocks[-(-size // layout.per_block) :] = 0
    index.invlists.resize(number, size)
    return views(index, number, layout)


def _halves(whole: Codes) -> Codes:
    """Return (n, 2c) half bytes of (n, c) bytes, the lower one first."""
    return np.stack([whole & 15, whole >> 4], axis=-1).reshape(len(whole), 2 * whole.shape[1])


def _whole(halves: Codes) -> Codes:
    whole: Codes = halves[:, ::2] | (halves[:, 1::2] << np.uint8(4))
    return whole
