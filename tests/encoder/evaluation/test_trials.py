"""The trials of the protocol: who is compared with whom, and which claims are kept apart."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from encoder.evaluation.trials import (
    KINDS,
    MOST_PEERS,
    PLAIN,
    EmbeddedWriter,
    draw_claims,
    people_of,
    run_trials,
)
from encoder.scoring.blocks import Blocks
from encoder.scoring.score import ClaimWeights, Scoring, each_claim_score

Invent = Callable[..., list[EmbeddedWriter]]


def test_trials_score_as_claims_do(invent: Invent) -> None:
    """Of one draw, the numbers of references and probes are those of its permutation."""
    writers = invent(3)
    trials = run_trials(writers, 4, PLAIN, draws=1)
    assert trials.genuine.size == 3 * 8
    assert trials.skilled.size == 3 * 8
    assert trials.random.size == 3 * 2
    for number, writer in enumerate(writers):
        order = np.random.default_rng([0, 4, 0, number]).permutation(12)
        references = writer.genuine[order[:4]]
        for kind, probes in (("genuine", writer.genuine[order[4:]]), ("skilled", writer.forged)):
            claims = each_claim_score(probes, references, PLAIN)
            found = getattr(trials, kind)[getattr(trials, f"{kind}_writer") == number]
            assert found == pytest.approx([one.score for one in claims], abs=1e-6)


def test_plain_scores_take_off_what_references_have_in_common(invent: Invent) -> None:
    writer = invent(1)[0]
    one, two = (each_claim_score(writer.genuine[[9]], writer.genuine[:n], PLAIN)[0] for n in (1, 2))
    assert one.score == pytest.approx(float(one.similarities[0]), abs=1e-6)
    cosines, own = two.similarities, writer.genuine.vectors[0] @ writer.genuine.vectors[1]
    expected = (cosines.max() + cosines.mean()) / 2 - 0.7 * own
    assert two.score == pytest.approx(expected, abs=1e-6)


def test_claims_know_nothing_of_weights(invent: Invent) -> None:
    writers = invent(4)
    other = Scoring((ClaimWeights(1, (5.0, 3.0), 9.0, (0.0, 0.0)),), local=False)
    ours, theirs = (draw_claims(writers, 3, scoring, 2) for scoring in (PLAIN, other))
    for kind in KINDS:
        assert np.array_equal(ours.features[kind], theirs.features[kind])
        assert ours.features[kind].shape[1] == PLAIN.features
    scored = ours.scored(other.weights[0])
    assert np.array_equal(scored.skilled, run_trials(writers, 3, other, 2).skilled)
    assert np.array_equal(scored.random_writer, ours.writer["random"])


def test_claims_of_some_writers_are_theirs_alone(invent: Invent) -> None:
    claims = draw_claims(invent(4), 3, PLAIN, 2)
    chosen = np.array([False, True, False, True])
    some = claims.only(chosen)
    for kind in KINDS:
        kept = np.isin(claims.writer[kind], [1, 3])
        assert set(some.writer[kind]) == {1, 3}
        assert np.array_equal(some.features[kind], claims.features[kind][kept])
        assert np.array_equal(some.writer[kind], claims.writer[kind][kept])
    rest = claims.only(~chosen)
    assert len(rest.features["skilled"]) + len(some.features["skilled"]) == len(
        claims.features["skilled"]
    )
    nobody = claims.only(np.zeros(4, np.bool_))
    assert nobody.features["genuine"].shape == (0, 2)


def test_writers_with_too_few_signatures_make_no_claims(invent: Invent) -> None:
    few, enough = invent(2)
    few = replace(few, genuine=few.genuine[:5])
    trials = run_trials([few, enough], 5, PLAIN, 1)
    assert set(trials.genuine_writer) == set(trials.random_writer) == {1}
    nothing = draw_claims([few], 5, Scoring((), local=True, blocks=Blocks()), 1)
    assert {kind: one.shape for kind, one in nothing.features.items()} == dict.fromkeys(
        KINDS, (0, 9)
    )


def test_random_forgeries_are_of_the_same_text_where_texts_are_known(invent: Invent) -> None:
    names = [f"w{person}_n{text}" for text in range(3) for person in range(4)]
    writers = [
        replace(writer, writer_id=name, group=name.split("_")[0])
        for writer, name in zip(invent(12), names, strict=True)
    ]
    assert run_trials(writers, 5, PLAIN).random.size == 12 * 3 * 10
    # Who wrote a text that nobody else did is no random forger, and meets none.
    alone = [replace(one, writer_id=f"w{n}_n{n}") for n, one in enumerate(writers)]
    assert run_trials(alone, 5, PLAIN).random.size == 0


def test_of_very_many_peers_ten_are_drawn(invent: Invent) -> None:
    writers = invent(MOST_PEERS + 20)
    trials = run_trials(writers, 5, PLAIN, draws=1)
    assert trials.random.size == MOST_PEERS * len(writers)
    few = run_trials(writers[: MOST_PEERS + 1], 5, PLAIN, draws=1)
    assert few.random.size == MOST_PEERS * (MOST_PEERS + 1)


def test_random_forgeries_come_from_the_same_data_set(invent: Invent) -> None:
    near, far = invent(4), invent(4, seed=1, data_set="far")
    trials = run_trials([*near, *far], 5, PLAIN)
    assert trials.random.size == 8 * 3 * 10
    alone = run_trials(near, 5, PLAIN)
    assert np.array_equal(trials.random[trials.random_writer < 4], alone.random)


def test_people_are_told_apart_by_data_set(invent: Invent) -> None:
    one = [replace(writer, group="w0") for writer in invent(2)]
    assert people_of([*one, *invent(2, data_set="other")]).tolist() == [0, 0, 1, 2]
