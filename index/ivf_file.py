"""An IVF index as a file: what was trained, then list after list; and a list's arrays in memory.

A header says how the file goes on. The lists follow as 64-bit count, ids and codes.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import faiss
import numpy as np
from numpy.typing import NDArray

from index.errors import SnapshotNotSaved, SnapshotUnusable

_HEADER_MOST_BYTES = 4096

List = tuple[NDArray[np.int64], NDArray[np.uint8]]  # Ids (n,) and codes (n, c).


def list_views(index: Any, number: int) -> List:
    """Return the ids (n,) and codes (n, c) of a list as FAISS keeps them, without a copy.

    Valid until the list changes.
    """
    size, width = index.invlists.list_size(number), index.code_size
    if not size:
        return np.empty(0, np.int64), np.empty((0, width), np.uint8)
    ids = faiss.rev_swig_ptr(index.invlists.get_ids(number), size)
    codes = faiss.rev_swig_ptr(index.invlists.get_codes(number), size * width)
    return ids, codes.reshape(size, width)


def save(path: Path, index: Any, facts: Mapping[str, object], lists: Iterable[List]) -> None:
    """Write what was trained of an index, and its lists; raises SnapshotNotSaved."""
    trained = faiss.serialize_index(_without_lists(index))
    header = {"kind": "ivf", "lists": index.nlist, "trained_bytes": len(trained), **facts}
    try:
        with path.open("wb") as file:
            file.write(json.dumps(header).encode() + b"\n")
            file.write(trained.tobytes())
            for ids, codes in lists:
                file.write(np.int64(len(ids)).tobytes())
                file.write(ids.data)
                file.write(codes.data)
    except OSError as error:
        raise SnapshotNotSaved(f"{path.name} could not be written") from error


def load(
    path: Path, dimension: int
) -> tuple[Any, dict[str, Any], NDArray[np.int64], NDArray[np.int32]]:
    """Return the index, the facts saved with it, and the ids (n,) with their lists (n,).

    Raises SnapshotUnusable.
    """
    try:
        with path.open("rb") as file:
            return _read(file, dimension, path.name)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise SnapshotUnusable(f"{path.name} is not a saved index of the kind ivf") from error


def _read(
    file: BinaryIO, dimension: int, name: str
) -> tuple[Any, dict[str, Any], NDArray[np.int64], NDArray[np.int32]]:
    facts = json.loads(file.readline(_HEADER_MOST_BYTES))
    if not isinstance(facts, dict) or facts.pop("kind", None) != "ivf":
        raise SnapshotUnusable(f"{name} is not a saved index of the kind ivf")
    lists, trained_bytes = int(facts.pop("lists")), int(facts.pop("trained_bytes"))
    index = faiss.deserialize_index(_array(file, np.dtype(np.uint8), trained_bytes))
    if index.d != dimension:
        raise SnapshotUnusable(f"its vectors are {index.d} long, expected {dimension}")
    if not isinstance(index, faiss.IndexIVFScalarQuantizer) or index.nlist != lists:
        raise SnapshotUnusable(f"{name} is not a saved index of the kind ivf")
    all_ids = [_read_list(file, index, number) for number in range(lists)]
    if file.read(1):
        raise SnapshotUnusable(f"{name} is longer than it says")
    sizes = [len(ids) for ids in all_ids]
    ids = np.concatenate(all_ids)
    ordered = np.sort(ids)  # numpy's unique takes ten times as long.
    if np.any(ordered[1:] == ordered[:-1]):
        raise SnapshotUnusable(f"{name} holds a reference twice")
    index.ntotal = len(ids)
    return index, facts, ids, np.repeat(np.arange(lists, dtype=np.int32), sizes)


def _read_list(file: BinaryIO, index: Any, number: int) -> NDArray[np.int64]:
    size = int(_array(file, np.dtype(np.int64), 1)[0])
    ids = _array(file, np.dtype(np.int64), size)
    codes = _array(file, np.dtype(np.uint8), size * index.code_size)
    if size:
        index.invlists.add_entries(number, size, faiss.swig_ptr(ids), faiss.swig_ptr(codes))
    return ids


def _array(file: BinaryIO, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """Return the next `count` numbers; raises ValueError where the file ends before."""
    content = file.read(count * dtype.itemsize) if count >= 0 else b""
    if count < 0 or len(content) != count * dtype.itemsize:
        raise ValueError(f"expected {count} numbers, got {len(content)} bytes")
    return np.frombuffer(content, dtype=dtype)


def _without_lists(index: Any) -> Any:
    """Return an empty index that shares nothing with this one but what was trained."""
    empty = faiss.IndexIVFScalarQuantizer(
        index.quantizer,
        index.d,
        index.nlist,
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
        index.by_residual,
    )
    empty.sq = index.sq
    empty.is_trained = True
    return empty
