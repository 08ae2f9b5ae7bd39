"""A server with a model adapted to its gallery: every score is of centred embeddings."""

from dataclasses import replace

import numpy as np
import pytest

from encoder.calibration.model_update import adapt_to, write_beside
from encoder.inference.artifact import SHIPPED
from encoder.scoring.centring import centre_of
from service.app import create_app
from service.composition import build_services
from service.models.adapt import embeddings_by_writer
from service.writers.enroll import create_writer


@pytest.fixture
def adapted(settings, uploads, tmp_path):
    """Services with twelve writers enrolled, opened again with a model adapted to them."""
    before = build_services(settings)
    for seed in range(40, 52):
        create_writer(
            f"W-{seed}",
            "",
            uploads(seed, 0, 1, 2),
            encoder=before.encoder,
            registry=before.registry,
        )
    centre = centre_of(
        embeddings_by_writer(before.registry, before.encoder.model_id), before.encoder.dimension
    )
    write_beside(SHIPPED, tmp_path / "ours", adapt_to(before.encoder, centre))
    before.close()
    services = build_services(replace(settings, model=tmp_path / "ours"))
    yield services
    services.close()


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_every_answer_is_of_centred_embeddings(adapted, files, scan):
    encoder, client = adapted.encoder, create_app(adapted).test_client()
    centre = np.array(encoder.rule.centre)
    probe = encoder.describe(encoder.acquire(scan(45, 8)).canvas[np.newaxis]).vectors[0]
    claim = adapted.registry.embeddings.claim("W-45", encoder.model_id)
    assert np.linalg.norm(claim.vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    similarities = unit(claim.vectors - centre) @ unit(probe - centre)
    assert similarities != pytest.approx(claim.vectors @ probe, abs=1e-2)

    data = {"image": files(45, 8)[0]}
    verified = client.post("/v1/writers/W-45/verify", data=data).get_json()
    shown = [one["similarity"] for one in verified["references"]]
    assert shown == pytest.approx(similarities, abs=1e-4)
    point = encoder.centred_rule.calibration_for(3).points[verified["operating_point"]]
    assert (verified["threshold"], verified["non_match_threshold"]) == (
        point.match,
        point.non_match,
    )

    found = client.post("/v1/identify", data={"image": files(45, 8)[0]}).get_json()
    best = found["candidates"][0]
    assert best["writer_id"] == "W-45"
    assert best["score"] == pytest.approx(verified["score"], abs=1e-6)
    assert best["reference_id"] == int(claim.reference_ids[np.argmax(similarities)])
    assert found["threshold"] == encoder.centred_rule.identification_threshold(12, 3)

    data = {"probe": files(45, 8)[0], "reference": files(45, 0, 1, 2)}
    compared = client.post("/v1/compare", data=data).get_json()
    assert compared["score"] == pytest.approx(verified["score"], abs=1e-5)
    named = {"name": "ours", "id": encoder.model_id, "rule": encoder.rule.rule_id}
    about = client.get("/v1/about").get_json()
    assert about["model"] == verified["model"] == found["model"] == compared["model"] == named
    assert adapted.gallery.check().clean
    assert adapted.registry.decisions.verify().intact
