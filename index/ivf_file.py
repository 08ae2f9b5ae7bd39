"""An IVF index as a file: what was trained, then list after list. What a search does is for `ivf`.

A header says how the file goes on. Each list follows as a 64-bit count, the ids of its references,
their fine codes, and 4-bit codes in blocks of 32, whatever size they have in memory.
"""

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from index.blocks import PER_SAVED, saved_blocks
from index.errors import SnapshotNotSaved, SnapshotUnusable
from index.fine import FineCodes
from index.scan_codes import PER_CELL, ScanCodes

_KIND = "ivf-4bit-6"
_HEADER_MOST_BYTES = 4096

Ids = NDArray[np.int64]
Codes = NDArray[np.uint8]
# Of a list: ids of references (n,), fine codes (n, f), blocks of 32 (b, bytes of such a block).
Part = tuple[Ids, Codes, Codes]


@dataclass(frozen=True)
class Trained:
    """What is learned from a sample: the codes of both looks, and centroids of the lists.

    The latter (l, 2c) lie on the axes of the first look's codes.
    """

    centroids: NDArray[np.float32]
    scan: ScanCodes
    fine: FineCodes


def save(path: Path, trained: Trained, facts: Mapping[str, object], parts: Iterable[Part]) -> None:
    """Write what was trained, and lists; raises SnapshotNotSaved."""
    scan, fine = trained.scan, trained.fine
    lists, dimension = len(trained.centroids), len(scan.axes)
    header = {"kind": _KIND, "dimension": dimension, "lists": lists, "cells": scan.cells, **facts}
    try:
        with path.open("wb") as file:
            file.write(json.dumps(header).encode() + b"\n")
            for learned in (trained.centroids, scan.axes, scan.places, fine.least, fine.span):
                file.write(learned.astype("<f4").tobytes())
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
    except (OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise SnapshotUnusable(f"{path.name} is not a saved index of the kind ivf") from error


def _read(file: BinaryIO, dimension: int, name: str) -> tuple[Trained, dict[str, Any]]:
    facts = json.loads(file.readline(_HEADER_MOST_BYTES))
    if not isinstance(facts, dict) or facts.pop("kind", None) != _KIND:
        raise SnapshotUnusable(f"{name} is not a saved index of the kind ivf")
    dimension_saved, lists, cells = (facts.pop(name) for name in ("dimension", "lists", "cells"))
    if dimension_saved != dimension:
        raise SnapshotUnusable(f"its vectors are {dimension_saved} long, expected {dimension}")
    centroids = _numbers(file, lists, 2 * cells)
    scan = ScanCodes(_numbers(file, dimension, 2 * cells), _numbers(file, cells, PER_CELL, 2))
    fine = FineCodes(_numbers(file, dimension), _numbers(file, dimension))
    return Trained(centroids, scan, fine), facts


def _parts(file: BinaryIO, trained: Trained, name: str) -> Iterator[Part]:
    block_bytes = PER_SAVED * trained.scan.code_bytes
    for _ in range(len(trained.centroids)):
        size = int(_array(file, np.dtype(np.int64), 1)[0])
        ids = _array(file, np.dtype(np.int64), size)
        fine = _array(file, np.dtype(np.uint8), size * trained.fine.code_bytes)
        count = saved_blocks(size)
        blocks = _array(file, np.dtype(np.uint8), count * block_bytes)
        yield (
            ids,
            fine.reshape(size, trained.fine.code_bytes),
            blocks.reshape(count, block_bytes),
        )
    if file.read(1):
        raise SnapshotUnusable(f"{name} is longer than it says")


def _numbers(file: BinaryIO, *shape: int) -> NDArray[np.float32]:
    numbers = _array(file, np.dtype("<f4"), math.prod(shape))
    return numbers.reshape(shape).astype(np.float32)


def _array(file: BinaryIO, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """Return the next `count` numbers; raises ValueError where the file ends before."""
    left = os.fstat(file.fileno()).st_size - file.tell()
    if not 0 <= count * dtype.itemsize <= left:
        raise ValueError(f"expected {count} numbers, {left} bytes are left")
    return np.frombuffer(file.read(count * dtype.itemsize), dtype=dtype)
