"""Makes data sets of writers whom `synthesis` invents, for training, on all cores."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from encoder.datasets.folder import Canvases, DataSet, WriterSamples
from encoder.errors import FailureToAcquire
from encoder.imaging.acquire import acquire
from encoder.synthesis import encode_png, synthetic_writer

NAME = "synthetic"
GENUINE_EACH = 8
FORGED_EACH = 4


def synthetic_data_set(writers: int, canvas_size: tuple[int, int], first_seed: int) -> DataSet:
    """Writers number `first_seed` and on, each with 8 genuine signatures and 4 forgeries."""
    make = partial(_samples, canvas_size=canvas_size)
    seeds = range(first_seed, first_seed + writers)
    # Fresh interpreters: one forked from a process that has run TensorFlow would hang.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        made = pool.map(make, seeds, chunksize=8)
        samples = track(made, "Writing synthetic signatures", total=writers, transient=True)
        return DataSet(NAME, tuple(samples))


def _samples(seed: int, canvas_size: tuple[int, int]) -> WriterSamples:
    writer = synthetic_writer(seed)
    genuine = _canvases([writer.genuine(n) for n in range(GENUINE_EACH)], canvas_size)
    forged = _canvases([writer.forgery(n) for n in range(FORGED_EACH)], canvas_size)
    name = f"s{seed}"
    return WriterSamples(name, name, "", genuine, forged)


def _canvases(scans: list[NDArray[np.uint8]], canvas_size: tuple[int, int]) -> Canvases:
    canvases = []
    for scan in scans:
        try:
            canvases.append(acquire(encode_png(scan), canvas_size).canvas)
        except FailureToAcquire:
            continue  # As with real scans: what cannot be read does not train.
    return np.stack(canvases) if canvases else np.zeros((0, *canvas_size), np.uint8)
