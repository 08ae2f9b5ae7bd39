"""Embeds whole data sets, whatever runs the network."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from encoder.protocol import EmbeddedWriter
from encoder.writers_folder import Canvases, DataSet

Embed = Callable[[Canvases], NDArray[np.float32]]


def embed_data_set(embed: Embed, data: DataSet) -> list[EmbeddedWriter]:
    """Embed all signatures of a data set; `embed` takes `(n, h, w)` uint8 canvases."""
    canvases = np.concatenate([part for w in data.writers for part in (w.genuine, w.forged)])
    vectors = embed(canvases)
    writers, start = [], 0
    for writer in data.writers:
        middle = start + len(writer.genuine)
        end = middle + len(writer.forged)
        genuine, forged = vectors[start:middle], vectors[middle:end]
        writers.append(EmbeddedWriter(writer.writer_id, writer.group, genuine, forged, data.name))
        start = end
    return writers
