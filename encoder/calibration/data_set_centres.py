"""Takes the centre of each data set off its writers' embeddings, as a gallery's would be."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from encoder.evaluation.protocols import drawn
from encoder.evaluation.trials import EmbeddedWriter
from encoder.scoring.centring import centre_of, centred
from encoder.scoring.templates import Vectors


def centre_data_sets(writers: Sequence[EmbeddedWriter]) -> list[EmbeddedWriter]:
    """The writers' embeddings less the centre of their own data set, unit vectors again."""
    vectors: dict[str, list[Vectors]] = {}
    for number, writer in enumerate(writers):
        chosen = writer.genuine[drawn(len(writer.genuine), number)]
        vectors.setdefault(writer.data_set, []).append(chosen.vectors)
    centres = {
        name: np.asarray(centre_of(galleries, galleries[0].shape[1]).vector, np.float32)
        for name, galleries in vectors.items()
    }
    return [centre_writer(writer, centres[writer.data_set]) for writer in writers]


def centre_writer(writer: EmbeddedWriter, centre: Vectors | None) -> EmbeddedWriter:
    """The writer with the centre `(d,)` taken off every embedding; unchanged without one."""
    if centre is None:
        return writer
    genuine, forged = (
        part.with_vectors(centred(part.vectors, centre)) for part in (writer.genuine, writer.forged)
    )
    return replace(writer, genuine=genuine, forged=forged)
