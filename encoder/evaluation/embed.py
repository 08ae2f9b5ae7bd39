"""Embeds whole data sets, whatever runs the network."""

from collections.abc import Callable

import numpy as np

from encoder.datasets.folder import Canvases, DataSet
from encoder.evaluation.trials import EmbeddedWriter
from encoder.scoring.templates import Signatures

Describe = Callable[[Canvases], Signatures]


def embed_data_set(describe: Describe, data: DataSet) -> list[EmbeddedWriter]:
    """Embed all signatures of a data set; `describe` takes `(n, h, w)` uint8 canvases."""
    canvases = np.concatenate([part for w in data.writers for part in (w.genuine, w.forged)])
    described = describe(canvases)
    writers, start = [], 0
    for writer in data.writers:
        middle = start + len(writer.genuine)
        end = middle + len(writer.forged)
        genuine, forged = described[start:middle], described[middle:end]
        writers.append(EmbeddedWriter(writer.writer_id, writer.group, genuine, forged, data.name))
        start = end
    return writers
