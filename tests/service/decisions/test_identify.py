"""Identifying: the nearest writers are found, ranked and named."""

from functools import partial

import numpy as np
import pytest

from index.registry.references import NewReference
from service.api.requests import IdentifyForm
from service.cli.decisions.identify import identify as identify_command
from service.decisions.candidates import DEFAULT_CANDIDATES, MOST_CANDIDATES
from service.decisions.identify import nearest_writers, neighbours_fetched, rank
from service.writers.erase import erase_reference
from service.writers.template_codec import signatures_of


def test_a_second_scan_of_a_reference_identifies_its_writer(services, uploads, known, ask):
    for seed in (1, 2, 3):
        known(seed, count=3)
    [reference, *_] = services.registry.references.of_writer("W-2")
    found = ask(uploads(2, 0)[0], top=2)
    assert found.candidates[0].writer_id == "W-2"
    assert found.candidates[0].name == "Writer 2"
    assert found.candidates[0].reference_id == reference.reference_id
    assert len(found.candidates) == 2
    assert found.candidates[0].score > found.candidates[1].score
    assert found.gallery_size == 3
    assert (found.verdict == "identified") == (found.candidates[0].score >= found.threshold)


def test_nobody_is_identified_in_an_empty_gallery(uploads, ask):
    found = ask(uploads(1, 0)[0])
    assert (found.verdict, found.candidates, found.gallery_size) == ("not_enrolled", (), 0)


def test_the_search_goes_on_past_one_writers_many_references(services):
    rng = np.random.default_rng(5)
    dimension = services.encoder.dimension
    probe = np.zeros(dimension, np.float32)
    probe[0] = 1

    def references(count, nearness):
        for n in range(count):
            noise = rng.normal(size=dimension)
            vector = nearness * probe + noise / np.linalg.norm(noise)
            vector = (vector / np.linalg.norm(vector)).astype(np.float32)
            yield NewReference(b"x", "image/png", b"x", f"{nearness}-{n}", {}, vector)

    for writer_id, count, nearness in (("near", 300, 9), ("far", 1, 1), ("farther", 1, 0.5)):
        services.registry.writers.create(
            writer_id, "", services.encoder.model_id, list(references(count, nearness))
        )
    registry, gallery = services.registry, services.gallery
    assert nearest_writers(probe, 1, registry=registry, index=gallery) == ["near"]
    assert nearest_writers(probe, 2, registry=registry, index=gallery)[:2] == ["near", "far"]
    assert nearest_writers(probe, 9, registry=registry, index=gallery) == [
        "near",
        "far",
        "farther",
    ]


@pytest.fixture
def ranked(services):
    """Rank writers by a probe in the services' gallery."""
    return partial(
        rank, encoder=services.encoder, registry=services.registry, index=services.gallery
    )


def reference_of(services, writer_id, place):
    """The id of one of a writer's references, and the signature that is stored of it."""
    claim = services.registry.embeddings.claim(writer_id, services.encoder.model_id)
    stored = signatures_of(claim, services.encoder)
    return int(claim.reference_ids[place]), stored[np.array([place])]


def test_a_reference_left_out_counts_as_never_enrolled(services, known, ranked):
    for seed, count in ((1, 4), (2, 3), (3, 2), (4, 1)):
        known(seed, count=count)
    reference_id, probe = reference_of(services, "W-1", 1)
    enrolled = ranked(probe, 3)
    left_out = ranked(probe, 3, left_out=[reference_id])
    assert [one.reference_count for one in enrolled if one.writer_id == "W-1"] == [4]
    assert [one.reference_count for one in left_out if one.writer_id == "W-1"] == [3]
    assert enrolled[0].reference_id == reference_id
    assert enrolled != left_out
    erase_reference("W-1", reference_id, registry=services.registry, gallery=services.gallery)
    assert ranked(probe, 3) == left_out


def test_a_writer_whose_only_reference_is_left_out_is_not_named(services, known, ranked):
    for seed in (1, 2):
        known(seed, count=1)
    reference_id, probe = reference_of(services, "W-1", 0)
    assert [one.writer_id for one in ranked(probe)] == ["W-1", "W-2"]
    assert [one.writer_id for one in ranked(probe, left_out=[reference_id])] == ["W-2"]
    near = nearest_writers(
        probe.vectors[0],
        2,
        registry=services.registry,
        index=services.gallery,
        left_out=[reference_id],
    )
    assert near == ["W-2"]


def test_a_search_fetches_enough_for_as_many_candidates_as_are_shown():
    assert neighbours_fetched() == neighbours_fetched(DEFAULT_CANDIDATES) == 80
    assert neighbours_fetched(1) == 80  # Whoever is first does not hang on how many are shown.
    assert neighbours_fetched(MOST_CANDIDATES) == 800


def test_how_many_candidates_are_shown_is_said_in_one_place(ask, known, uploads):
    [top] = [one for one in identify_command.params if one.name == "top"]
    field = IdentifyForm().fields["top"]
    assert top.default == field.load_default == DEFAULT_CANDIDATES
    assert top.type.max == field.validate.max == MOST_CANDIDATES
    for seed in range(DEFAULT_CANDIDATES + 1):
        known(seed, count=1)
    assert len(ask(uploads(1, 9)[0]).candidates) == DEFAULT_CANDIDATES
