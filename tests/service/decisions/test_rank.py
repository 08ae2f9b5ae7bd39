"""Ranking writers by a probe, as an identification and the comparison of models both do."""

from functools import partial

import numpy as np
import pytest

from service.api.requests import IdentifyForm
from service.cli.decisions.identify import identify as identify_command
from service.decisions.candidates import DEFAULT_CANDIDATES, MOST_CANDIDATES
from service.decisions.identify import neighbours_fetched, rank
from service.writers.erase import erase_reference
from service.writers.template_codec import signatures_of


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
