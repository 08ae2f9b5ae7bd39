"""A model that tells the index to keep less of each embedding: scores stay exact."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from encoder.inference.artifact import SHIPPED, replace_facts
from service.composition import build_services
from service.decisions.identify import identify
from service.writers.enroll import create_writer
from service.writers.template_codec import signatures_of


@pytest.fixture
def short_services(settings, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(SHIPPED, folder)
    replace_facts(folder, {"index_dimension": 48})
    services = build_services(replace(settings, model=folder))
    yield services
    services.close()


def test_identification_scores_with_all_elements(short_services, uploads):
    services = short_services
    for seed in range(4):
        create_writer(
            f"W-{seed}",
            "",
            uploads(seed, *range(5)),
            encoder=services.encoder,
            registry=services.registry,
        )
    assert services.gallery.stats()["dimension"] == 48
    assert services.encoder.dimension > 48
    parts = {
        "encoder": services.encoder,
        "registry": services.registry,
        "gallery": services.gallery,
    }
    for seed in range(4):
        upload = uploads(seed, 8)[0]
        found = identify(upload, **parts)
        probe = services.encoder.describe(services.encoder.acquire(upload.data).canvas[np.newaxis])
        assert len(found.candidates) == 4
        assert found.candidates[0].writer_id == f"W-{seed}"
        for candidate in found.candidates:
            claim = services.registry.embeddings.claim(
                candidate.writer_id, services.encoder.model_id
            )
            assert claim.vectors.shape[1] == services.encoder.dimension
            references = signatures_of(claim, services.encoder)
            assert candidate.score == services.encoder.rule.claim(probe, references).score
    assert services.gallery.check().clean
