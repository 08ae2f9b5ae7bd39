"""Reads a folder of writers for training and evaluation.

A folder holds `<writer>/genuine_*.png` and `<writer>/forged_*.png` (other image formats too).
Prepared canvases are held in memory as uint8; pairs of them never are.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from encoder.datasets.splits import group_of
from encoder.errors import ImageError, TrainingDataError
from encoder.imaging.acquire import acquire

Canvases = NDArray[np.uint8]  # (n, height, width), share of ink 0..255
IMAGE_SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".avif"),
    *(".heic", ".heif", ".pdf"),  # Read with an extra, and refused by name without it.
}


@dataclass(frozen=True)
class WriterSamples:
    """One writer's prepared signatures.

    Attributes:
        writer_id: the folder's name.
        group: writers of one group share a person or a text and stay in one split; for
            `w012_n03` that is `w012`, otherwise the writer.
        text: what was written where several writers wrote the same (`n03`), otherwise "".
        genuine, forged: `(n, height, width)` uint8 canvases.
    """

    writer_id: str
    group: str
    text: str
    genuine: Canvases
    forged: Canvases


@dataclass(frozen=True)
class DataSet:
    """A folder of writers, read: `name` is the folder's; `refused` counts unusable images."""

    name: str
    writers: tuple[WriterSamples, ...]
    refused: int = 0

    def only(self, writer_ids: Sequence[str]) -> "DataSet":
        """The same data set with these writers alone."""
        wanted = set(writer_ids)
        return DataSet(self.name, tuple(w for w in self.writers if w.writer_id in wanted))


def read_folder(
    folder: Path, canvas_size: tuple[int, int], writer_ids: Sequence[str] | None = None
) -> DataSet:
    """Read and prepare all signatures below `folder`, or those of `writer_ids` alone.

    Raises:
        TrainingDataError: there is no such folder, or it holds no `<writer>/genuine_*` images.
    """
    names = list_writers(folder) if writer_ids is None else list(writer_ids)
    cv2.setNumThreads(1)  # The pool below is the parallelism; nested threads only get in its way.
    with ThreadPoolExecutor() as pool:
        jobs = pool.map(lambda name: _read_writer(folder / name, canvas_size), names)
        read = list(track(jobs, f"Reading {folder.name}", total=len(names), transient=True))
    return DataSet(folder.name, tuple(w for w, _ in read), sum(refused for _, refused in read))


def list_writers(folder: Path) -> list[str]:
    """The writers' folders below `folder`, sorted by name.

    Raises:
        TrainingDataError: as `read_folder`.
    """
    if not folder.is_dir():
        raise TrainingDataError(f"There is no folder {folder}.")
    names = sorted(p.name for p in folder.iterdir() if p.is_dir() and any(p.glob("genuine_*")))
    if not names:
        raise TrainingDataError(
            f"{folder} holds no writers; expected <writer>/genuine_*.png and forged_*.png."
        )
    return names


def _read_writer(folder: Path, canvas_size: tuple[int, int]) -> tuple[WriterSamples, int]:
    genuine, refused = _read_images(sorted(folder.glob("genuine_*")), canvas_size)
    forged, refused_too = _read_images(sorted(folder.glob("forged_*")), canvas_size)
    group, text = group_of(folder.name)
    return WriterSamples(folder.name, group, text, genuine, forged), refused + refused_too


def _read_images(paths: Sequence[Path], canvas_size: tuple[int, int]) -> tuple[Canvases, int]:
    canvases = []
    images = [path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES]
    for path in images:
        try:
            canvases.append(acquire(path.read_bytes(), canvas_size).canvas)
        except ImageError:
            continue  # Counted by the caller as a failure to acquire.
    stacked = np.stack(canvases) if canvases else np.zeros((0, *canvas_size), np.uint8)
    return stacked, len(images) - len(canvases)
