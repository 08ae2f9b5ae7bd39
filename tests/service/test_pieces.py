"""Pieces of strokes, from the enrollment to the score: stored, read for a few, compared by."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from encoder.evaluation.open_set import Drawn
from encoder.evaluation.trials import EmbeddedWriter
from encoder.inference.encoder import Encoder
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.local_descriptors import pack
from encoder.scoring.score import SHORTLIST
from encoder.scoring.templates import Signatures
from index.errors import InvalidPieces
from index.registry.embeddings import Embeddings
from service.app import create_app
from service.cli.decisions.wording import verification_parts
from service.cli.places.here import as_json
from service.client import answers
from service.composition import build_services
from service.decisions.candidates import DEFAULT_CANDIDATES
from service.decisions.identify import nearest_writers
from service.decisions.verify import verify
from service.writers.template_codec import signatures_of
from service.writers.uploads import acquire_each, describe_each


def described(uploads, encoder) -> Signatures:
    acquired, refused = acquire_each(uploads, encoder)
    assert not refused
    return describe_each(acquired, encoder)


def drawn(signatures) -> Drawn:
    """As the evaluation takes all of someone's signatures."""
    return Drawn(EmbeddedWriter("", "", signatures, signatures[:0]), np.arange(len(signatures)))


def of_blocks_alone(rule: DecisionRule) -> DecisionRule:
    """The rule with the weights of blocks alone."""
    parts = len(rule.scoring.parts)
    blocks = [*range(3), *range(parts, parts + 3)]
    weights = tuple(
        replace(
            one,
            weights=tuple(one.weights[n] for n in blocks),
            typical=tuple(one.typical[n] for n in blocks),
        )
        for one in rule.scoring.weights
    )
    return replace(rule, scoring=replace(rule.scoring, weights=weights, local=False))


@pytest.fixture
def without_pieces(settings, monkeypatch):
    """Services whose model knows no pieces."""
    describe, rule = Encoder.describe, Encoder.rule.fget
    monkeypatch.setattr(Encoder, "rule", property(lambda own: of_blocks_alone(rule(own))))
    monkeypatch.setattr(
        Encoder, "describe", lambda own, canvases: Signatures(describe(own, canvases).vectors)
    )
    monkeypatch.setattr(Encoder, "knows_pieces", property(lambda _: False))
    services = build_services(settings)
    yield services
    services.close()


def test_verify_scores_as_if_nothing_had_been_stored_between(services, uploads, known):
    writer_id, encoder = known(1), services.encoder
    references = described(uploads(1, *range(5)), encoder)
    kept = services.registry.embeddings.claim(writer_id, encoder.model_id)
    assert kept.pieces == tuple(pack(pieces) for pieces in references.pieces)
    probe = described(uploads(1, 9), encoder)
    expected = encoder.rule.compare(probe, references)
    done = verify(writer_id, uploads(1, 9)[0], encoder=encoder, registry=services.registry)
    assert done.comparison.score == expected.score
    assert [one.local_similarity for one in done.references] == pytest.approx(
        expected.local_similarities.tolist(), abs=1e-6
    )


def test_identify_scores_a_shortlist_in_full(services, uploads, known, ask, monkeypatch):
    seeds = range(1, DEFAULT_CANDIDATES + 4)
    for seed in seeds:
        known(seed, count=3)
    encoder, registry = services.encoder, services.registry
    reading, read = Embeddings.claims, []

    def watched(self, writer_ids, model_id, *, with_pieces=False):
        read.append((len(writer_ids), with_pieces))
        return reading(self, writer_ids, model_id, with_pieces=with_pieces)

    monkeypatch.setattr(Embeddings, "claims", watched)
    found = ask(uploads(2, 9)[0])
    # Whether the query copies the best one's reference is asked afterwards.
    assert read[:2] == [(len(seeds), False), (DEFAULT_CANDIDATES, True)]
    probe = described(uploads(2, 9), encoder)
    for one in found.candidates:
        claim = registry.embeddings.claim(one.writer_id, encoder.model_id)
        full = encoder.rule.claim(probe, signatures_of(claim, encoder))
        assert one.score == pytest.approx(full.score, abs=1e-5)
        assert one.likeness == pytest.approx(full.likeness, abs=1e-5)
    likenesses = [one.likeness for one in found.candidates]
    for part in (likenesses[:SHORTLIST], likenesses[SHORTLIST:]):
        assert part == sorted(part, reverse=True)  # What orders them.
    best = registry.embeddings.claim(found.candidates[0].writer_id, encoder.model_id)
    assert found.candidates[0].writer_id == "W-2"
    assert (
        found.candidates[0].score == encoder.rule.claim(probe, signatures_of(best, encoder)).score
    )


def test_whoever_comes_first_comes_first_however_many_are_asked_for(services, uploads, known, ask):
    for seed in range(1, DEFAULT_CANDIDATES + 3):
        known(seed, count=2)
    usual = ask(uploads(3, 9)[0]).candidates
    assert len(usual) == DEFAULT_CANDIDATES
    assert ask(uploads(3, 9)[0], top=1).candidates == usual[:1]
    everyone = ask(uploads(3, 9)[0], top=50).candidates
    assert len(everyone) == DEFAULT_CANDIDATES + 2
    assert everyone[:SHORTLIST] == usual[:SHORTLIST]


def test_a_search_for_one_candidate_finds_a_whole_shortlist(services, uploads, known):
    for seed in range(1, SHORTLIST + 3):
        known(seed, count=1)
    probe = described(uploads(3, 9), services.encoder)
    parts = {"registry": services.registry, "index": services.gallery}
    assert len(nearest_writers(probe.vectors[0], SHORTLIST, **parts)) >= SHORTLIST


@pytest.mark.parametrize(
    ("change", "words"),
    [("NULL", "some are missing"), ("x'0102'", "multiple of 26 bytes")],
)
def test_a_reference_whose_pieces_are_lost_is_never_compared_without(
    *, services, client, uploads, files, known, change, words
):
    writer_id, encoder = known(1, count=2), services.encoder
    with closing(sqlite3.connect(services.settings.data_dir / "registry.db")) as file, file:
        file.execute(
            f"UPDATE embeddings SET pieces = {change} "
            "WHERE reference_id = (SELECT min(reference_id) FROM embeddings)"
        )
    claim = services.registry.embeddings.claim(writer_id, encoder.model_id)
    with pytest.raises(InvalidPieces, match=words):
        signatures_of(claim, encoder)
    for path in (f"/v1/writers/{writer_id}/verify", "/v1/identify"):
        answer = client.post(path, data={"image": files(1, 9)[0]})
        assert (answer.status_code, answer.get_json()["code"]) == (500, "internal-error")
    assert services.registry.decisions.verify().length == 0


def test_a_model_without_pieces_is_compared_on_the_whole(without_pieces, files):
    services, client = without_pieces, create_app(without_pieces).test_client()
    for seed in (1, 2):
        data = {"writer_id": f"W-{seed}", "images": files(seed, 0, 1, 2)}
        assert client.post("/v1/writers", data=data).status_code == 201
    assert services.registry.embeddings.claim("W-1", services.encoder.model_id).pieces is None
    verified = client.post("/v1/writers/W-1/verify", data={"image": files(1, 9)[0]}).get_json()
    assert [one["local_similarity"] for one in verified["references"]] == [None] * 3
    found = client.post("/v1/identify", data={"image": files(1, 9)[0]}).get_json()
    assert found["candidates"][0]["writer_id"] == "W-1"
    assert found["candidates"][0]["score"] == pytest.approx(verified["score"], abs=1e-6)
    data = {"probe": files(1, 9)[0], "reference": files(1, 0, 1, 2)}
    compared = client.post("/v1/compare", data=data).get_json()
    assert [one["local_similarity"] for one in compared["references"]] == [None] * 3
    assert compared["score"] == pytest.approx(verified["score"], abs=1e-5)


def columns(services, upload) -> list[str]:
    answer = verify("W-1", upload, encoder=services.encoder, registry=services.registry)
    shown = answers.Verification.of(as_json(answer.as_dict()))
    [drawn] = [x for x in verification_parts(shown, "W-1") if hasattr(x, "columns")]
    return [str(column.header) for column in drawn.columns]


def test_the_command_line_shows_strokes_where_the_model_knows_them(services, uploads, known):
    known(1, count=2)
    assert columns(services, uploads(1, 9)[0]) == ["reference", "similarity", "strokes"]


def test_the_command_line_shows_no_empty_column(without_pieces, files, uploads):
    client = create_app(without_pieces).test_client()
    client.post("/v1/writers", data={"writer_id": "W-1", "images": files(1, 0, 1)})
    assert columns(without_pieces, uploads(1, 9)[0]) == ["reference", "similarity"]
