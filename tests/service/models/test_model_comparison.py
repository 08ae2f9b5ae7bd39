"""The comparison of two models searches as an identification does."""

from dataclasses import replace

import numpy as np

from encoder.scoring.local_descriptors import pack
from index.registry.references import NewReference
from service.composition import recall_target
from service.models.model_comparison import ComparedModel, compare_models
from service.writers.uploads import acquire_each, describe_each


def test_a_probes_writer_is_found_behind_anothers_many_references(services, uploads):
    """The probe's writer is the likeliest of all once the search comes so far."""
    encoder, registry = services.encoder, services.registry
    [acquired], _ = acquire_each(uploads(1, 0), encoder)
    [own_pieces] = describe_each([acquired], encoder).pieces
    pieces, other = pack(own_pieces), pack(own_pieces[:3])

    def vector(*elements):
        padded = np.zeros(encoder.dimension, np.float32)
        padded[: len(elements)] = elements
        return padded / np.linalg.norm(padded)

    def enroll(writer_id, *vectors):
        new = [
            NewReference(b"x", "image/png", b"x", f"{writer_id}-{n}", {}, one, pieces=pieces)
            for n, one in enumerate(vectors)
        ]
        _, references = registry.writers.create(writer_id, "", encoder.model_id, new)
        return references

    # Nearer on the whole than the writer's own, and more than are fetched at first; but alike in
    # no stroke.
    near = NewReference(b"x", "image/png", b"x", "near", {}, vector(0.9, 0.0, 0.436), pieces=other)
    copies = [replace(near, sha256=f"near-{n}") for n in range(100)]
    registry.writers.create("same", "", encoder.model_id, copies)
    [probe, *_] = enroll("own", vector(1.0), vector(0.85, 0.53), vector(0.85, -0.53))
    settings = services.settings
    model = ComparedModel(encoder, registry, settings.index_ivf_from, recall_target(settings))
    [counted] = compare_models(model, model, registry, np.array([probe.reference_id]))
    assert counted.first == {(True, True): 1}
