"""An IVF index as a file: what was trained, fine codes, and lists. `index` says how it is searched.

A header says how the file goes on. From the next page on lie the fine codes, those of one list
after those of another, and room for some more: mapped into memory they are searched, and added to,
where they are, and are there once for the processes of a host. Each list follows as a 64-bit
count, the ids of its references, and 4-bit codes in blocks of 32, whatever size they have in
memory.
"""

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from index.errors import SnapshotNotSaved, SnapshotUnusable
from index.ivf.coarse_codes import PER_CELL, CoarseCodes
from index.ivf.fine_codes import FineCodes
from index.ivf.id_map import with_room
from index.ivf.packed_blocks import PER_SAVED, saved_blocks
from index.vectors.private_file import private_opener

_KIND = "ivf-4bit-7"
MOST_LISTS = 8192
_PAGE = 4096  # Bytes; what is mapped begins with one.
_COPIED_AT_ONCE = 1 << 20

Ids = NDArray[np.int64]
Codes = NDArray[np.uint8]
# Of a list: ids of references (n,), and blocks of 32 (b, bytes of such a block).
Content = tuple[Ids, Codes]


@dataclass(frozen=True)
class Trained:
    """What is learned from a sample: the codes of both looks, and centroids of the lists.

    The latter (l, 2c) lie on the axes of the first look's codes.
    """

    centroids: NDArray[np.float32]
    coarse: CoarseCodes
    fine: FineCodes


@dataclass(frozen=True)
class Saved:
    """What a file holds; its lists are read as they are asked for.

    The fine codes (r, f) are the file, mapped: what is written to them stays in this process. Those
    of all lists come one after another, and then there is room for more.
    """

    trained: Trained
    facts: dict[str, Any]
    codes: Codes
    lists: Iterator[Content]


def save(
    path: Path,
    trained: Trained,
    facts: Mapping[str, object],
    lists: Iterable[tuple[Content, Codes]],
) -> None:
    """Write what was trained, and lists with their fine codes (n, f).

    Raises:
        SnapshotNotSaved: it could not be written to disk.
    """
    coarse, fine = trained.coarse, trained.fine
    sizes = {"dimension": len(coarse.axes), "lists": len(trained.centroids), "cells": coarse.cells}
    count = 0
    try:
        path.unlink(missing_ok=True)  # Not written over: a process may have it mapped.
        with (
            open(path, "wb", opener=private_opener) as file,  # Path.open has no opener.
            tempfile.TemporaryFile(dir=path.parent) as rest,
        ):
            file.seek(_PAGE)
            for learned in (trained.centroids, coarse.axes, coarse.places, fine.least, fine.span):
                file.write(learned.astype("<f4").tobytes())
            start = file.seek(_next_page(file.tell()))
            for (ids, blocks), codes in lists:
                count += len(ids)
                file.write(np.ascontiguousarray(codes).data)
                for array in (np.array([len(ids)], np.int64), ids, blocks):
                    rest.write(np.ascontiguousarray(array).data)
            rows = with_room(count)
            file.seek(start + rows * fine.code_bytes)
            rest.seek(0)
            shutil.copyfileobj(rest, file, _COPIED_AT_ONCE)
            header = {"kind": _KIND, **sizes, "rows": rows, **facts}
            file.seek(0)
            file.write(json.dumps(header).encode().ljust(_PAGE))
    except OSError as error:
        raise SnapshotNotSaved(f"{path.name} could not be written") from error


@contextmanager
def opened(path: Path, dimension: int) -> Iterator[Saved]:
    """Give what the file holds.

    Raises:
        SnapshotUnusable: it is no such file, or is damaged; also from within the block.
    """
    try:
        with path.open("rb") as file:
            yield _read(file, dimension, path.name)
    except (OSError, ValueError, KeyError, OverflowError, RecursionError) as error:
        raise SnapshotUnusable(f"{path.name} is not a saved index of the kind ivf") from error


def _read(file: BinaryIO, dimension: int, name: str) -> Saved:
    facts = json.loads(file.read(_PAGE))
    if not isinstance(facts, dict) or facts.pop("kind", None) != _KIND:
        raise SnapshotUnusable(f"{name} is not a saved index of the kind ivf")
    sizes = [facts.pop(size) for size in ("dimension", "lists", "cells", "rows")]
    if not all(type(size) is int and size > 0 for size in sizes):
        raise ValueError(f"expected four sizes, got {sizes}")
    dimension_saved, lists, cells, rows = sizes
    if dimension_saved != dimension:
        raise SnapshotUnusable(f"its vectors are {dimension_saved} long, expected {dimension}")
    if lists > MOST_LISTS:
        raise ValueError(f"expected at most {MOST_LISTS} lists, got {lists}")
    centroids = _numbers(file, lists, 2 * cells)
    coarse = CoarseCodes(_numbers(file, dimension, 2 * cells), _numbers(file, cells, PER_CELL, 2))
    fine = FineCodes(_numbers(file, dimension), _numbers(file, dimension))
    trained = Trained(centroids, coarse, fine)
    file.seek(_next_page(file.tell()))
    codes = _mapped(file, rows, fine.code_bytes)
    return Saved(trained, facts, codes, _lists(file, trained, rows, name))


def _mapped(file: BinaryIO, rows: int, width: int) -> Codes:
    """Return the next (rows, width) bytes of the file, and go on behind them."""
    start, end = file.tell(), file.tell() + rows * width
    if rows * width > os.fstat(file.fileno()).st_size - start:
        raise ValueError(f"expected {rows} rows of {width} bytes")
    # "c": what is written to it goes to a copy of the page, in this process alone.
    codes = np.memmap(file, np.uint8, "c", start, (rows, width))
    file.seek(end)
    return codes


def _lists(file: BinaryIO, trained: Trained, rows: int, name: str) -> Iterator[Content]:
    block_bytes = PER_SAVED * trained.coarse.code_bytes
    held = 0
    for _ in range(len(trained.centroids)):
        size = int(_array(file, np.dtype(np.int64), 1)[0])
        ids = _array(file, np.dtype(np.int64), size)
        count = saved_blocks(size)
        blocks = _array(file, np.dtype(np.uint8), count * block_bytes)
        yield ids, blocks.reshape(count, block_bytes)
        held += size
    if with_room(held) != rows or file.read(1):
        raise SnapshotUnusable(f"{name} does not hold what it says")


def _next_page(position: int) -> int:
    return -(-position // _PAGE) * _PAGE


def _numbers(file: BinaryIO, *shape: int) -> NDArray[np.float32]:
    numbers = _array(file, np.dtype("<f4"), math.prod(shape))
    return numbers.reshape(shape).astype(np.float32)


def _array(file: BinaryIO, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """Return the next `count` numbers.

    Raises:
        ValueError: the file ends before.
    """
    left = os.fstat(file.fileno()).st_size - file.tell()
    if not 0 <= count * dtype.itemsize <= left:
        raise ValueError(f"expected {count} numbers, {left} bytes are left")
    return np.frombuffer(file.read(count * dtype.itemsize), dtype=dtype)
