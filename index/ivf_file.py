"""An IVF index as a file: what was trained, then list after list. What a search does is for `ivf`.

A header says how the file goes on. Each list follows as a 64-bit count, the ids of its references,
their fine codes, and its blocks of 4-bit codes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import faiss
import numpy as np
from numpy.typing import NDArray

from index.blocks import PER_BLOCK, layout_of
from index.errors import SnapshotNotSaved, SnapshotUnusable
from index.fine import FineCodes

_KIND = "ivf-4bit"
_HEADER_MOST_BYTES = 4096

Ids = NDArray[np.int64]
Codes = NDArray[np.uint8]
# Of a list: ids of references (n,), fine codes (n, f), blocks (b, bytes of a block).
Part = tuple[Ids, Codes, Codes]


@dataclass(frozen=True)
class Trained:
    """What is learned from a sample: lists and 4-bit codes of rotated vectors, and fine codes.

    `scan` is an IndexIVFPQFastScan. The rotation (d, d) spreads what the elements say evenly, since
    each pair of them gets the same four bits.
    """

    scan: Any
    rotation: NDArray[np.float32]
    fine: FineCodes


def save(path: Path, trained: Trained, facts: Mapping[str, object], parts: Iterable[Part]) -> None:
    """Write what was trained, and lists; raises SnapshotNotSaved."""
    learned = faiss.serialize_index(without_lists(trained.scan))
    numbers = np.vstack([trained.rotation, trained.fine.least, trained.fine.step])
    header = {"kind": _KIND, "lists": trained.scan.nlist, "trained_bytes": len(learned), **facts}
    try:
        with path.open("wb") as file:
            file.write(json.dumps(header).encode() + b"\n")
            file.write(learned.tobytes())
            file.write(numbers.astype("<f4").tobytes())
            for part in parts:
                file.write(np.int64(len(part[0])).tobytes())
                for array in part:
                    file.write(np.ascontiguousarray(array).data)
    except OSError as error:
        raise SnapshotNotSaved(f"{path.name} could not be written") from error


@contextmanager
def opened(path: Path, dimension: int) -> Iterator[tuple[Trained, dict[str, Any], Iterator[Part]]]:
    """Give what was trained, the facts saved with it, and the lists, read as they are asked for.

    Raises SnapshotUnusable, also from within the block that reads the lists.
    """
    try:
        with path.open("rb") as file:
            trained, facts = _read(file, dimension, path.name)
            yield trained, facts, _parts(file, trained, path.name)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise SnapshotUnusable(f"{path.name} is not a saved index of the kind ivf") from error


def without_lists(scan: Any) -> Any:
    """Return an empty index that shares nothing with this one but what was trained."""
    quantizer: Any = faiss.clone_index(scan.quantizer)
    empty = faiss.IndexIVFPQFastScan(
        quantizer, scan.d, scan.nlist, scan.M, scan.nbits, scan.metric_type, scan.bbs
    )
    quantizer.this.disown()
    empty.own_fields = True
    empty.by_residual = scan.by_residual
    empty.implem = scan.implem
    empty.pq = scan.pq
    empty.is_trained = True
    return empty


def _read(file: BinaryIO, dimension: int, name: str) -> tuple[Trained, dict[str, Any]]:
    facts = json.loads(file.readline(_HEADER_MOST_BYTES))
    if not isinstance(facts, dict) or facts.pop("kind", None) != _KIND:
        raise SnapshotUnusable(f"{name} is not a saved index of the kind ivf")
    lists, learned_bytes = int(facts.pop("lists")), int(facts.pop("trained_bytes"))
    scan = faiss.deserialize_index(_array(file, np.dtype(np.uint8), learned_bytes))
    if scan.d != dimension:
        raise SnapshotUnusable(f"its vectors are {scan.d} long, expected {dimension}")
    if not isinstance(scan, faiss.IndexIVFPQFastScan) or scan.nlist != lists:
        raise SnapshotUnusable(f"{name} is not a saved index of the kind ivf")
    numbers = _array(file, np.dtype("<f4"), (dimension + 2) * dimension).reshape(-1, dimension)
    rotation, least, step = np.split(numbers, [dimension, dimension + 1])
    return Trained(scan, rotation, FineCodes(least[0], step[0])), facts


def _parts(file: BinaryIO, trained: Trained, name: str) -> Iterator[Part]:
    layout = layout_of(trained.scan.code_size)
    for _ in range(trained.scan.nlist):
        size = int(_array(file, np.dtype(np.int64), 1)[0])
        ids = _array(file, np.dtype(np.int64), size)
        fine = _array(file, np.dtype(np.uint8), size * trained.fine.code_bytes)
        count = -(-size // PER_BLOCK)
        blocks = _array(file, np.dtype(np.uint8), count * layout.block_bytes)
        yield (
            ids,
            fine.reshape(size, trained.fine.code_bytes),
            blocks.reshape(count, layout.block_bytes),
        )
    if file.read(1):
        raise SnapshotUnusable(f"{name} is longer than it says")


def _array(file: BinaryIO, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """Return the next `count` numbers; raises ValueError where the file ends before."""
    content = file.read(count * dtype.itemsize) if count >= 0 else b""
    if count < 0 or len(content) != count * dtype.itemsize:
        raise ValueError(f"expected {count} numbers, got {len(content)} bytes")
    return np.frombuffer(content, dtype=dtype)
