"""The comparison of two models searches as an identification does."""

import numpy as np

from encoder.scoring.local_descriptors import pack
from index.registry.references import NewReference
from service.composition import recall_target
from service.models.model_comparison import ComparedModel, compare_models
from service.writers.uploads import acquire_each, describe_each


def test_a_probes_writer_is_found_behind_anothers_many_references(services, uploads):
    """The probe's writer varies, and scores the highest of all once the search comes so far."""
    encoder, registry = services.encoder, services.registry
    [acquired], _ = acquire_each(uploads(1, 0), encoder)
    [own_pieces] = describe_each([acquired], encoder).pieces
    pieces = pack(own_pieces)

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

    # Nearer than the writer's own, and more than are fetched at first: but all are the same.
    enroll("same", *[vector(0.9, 0.0, 0.436)] * 100)
    [probe, *_] = enroll("own", vector(1.0), vector(0.85, 0.53), vector(0.85, -0.53))
    settings = services.settings
    model = ComparedModel(encoder, registry, settings.index_ivf_from, recall_target(settings))
    [counted] = compare_models(model, model, registry, np.array([probe.reference_id]))
    assert counted.first == {(True, True): 1}
