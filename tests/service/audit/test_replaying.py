"""Decisions read back and decided anew: equal, or what differs and why it cannot be."""

import json
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest
from sqlalchemy import create_engine, text

from encoder.imaging.region import Region
from encoder.inference.artifact import NETWORK, SHIPPED, read_artifact, write_artifact
from encoder.inference.encoder import load_encoder
from encoder.scoring.calibrations import OperatingPoint
from encoder.synthesis import encode_png
from index.registry.audit.stored import DecisionFilter
from service.audit.replaying import replay
from service.composition import build_model, with_model
from service.decisions.recording import Asked
from service.decisions.verify import verify
from service.models.active_model import keep_model
from service.models.reencode import reencode
from service.models.switching import find_model, switch
from service.writers.enroll import enroll
from service.writers.erase import erase_reference, erase_writer
from service.writers.uploads import Upload


@pytest.fixture
def verified(services, uploads, known):
    """Verify the n-th signature of a writer against the references of writer 1."""
    known(1)

    def decide(seed=1, n=9, writer="W-1", **more):
        upload = replace(uploads(seed, n)[0], **more)
        return verify(
            writer,
            upload,
            encoder=services.encoder,
            registry=services.registry,
            asked=Asked("clerk", "request-1"),
        )

    return decide


def again(services, answer):
    return replay(answer.decision_id, services=services, caller="auditor")


@pytest.mark.parametrize(("seed", "n"), [(1, 9), (1, 0), (2, 3)])
def test_a_verification_is_read_back_as_it_was_answered_and_replays_equal(
    services, verified, uploads, seed, n
):
    answer = verified(seed, n)
    stored = services.registry.decisions.get(answer.decision_id)
    assert (stored.verdict, stored.state, stored.caller) == (answer.verdict, "whole", "clerk")
    details = stored.details
    assert details["request_id"] == "request-1"
    assert details["score"] == answer.comparison.score
    assert details["contributions"] == answer.comparison.contributions
    assert details["warnings"] == [one.as_dict() for one in answer.warnings]
    references = services.registry.references.of_writer("W-1")
    assert [one["sha256"] for one in details["references"]] == [one.sha256 for one in references]
    assert [one["similarity"] for one in details["references"]] == [
        one.similarity for one in answer.references
    ]
    assert services.registry.decisions.kept_image(answer.decision_id).data == (
        uploads(seed, n)[0].data
    )
    assert again(services, answer).outcome == "equal"


def test_a_region_is_replayed_as_it_was_looked_at(services, verified):
    answer = verified(region=Region(0, 0, 400, 200))
    assert again(services, answer).outcome == "equal"


def test_an_identification_is_replayed_by_its_candidates(services, known, ask, uploads):
    for seed in (1, 2, 3):
        known(seed, count=3)
    for upload in (*uploads(1, 8), *uploads(5, 0)):
        assert again(services, ask(upload)).outcome == "equal"


def test_what_was_put_in_by_hand_shows(services, settings, verified):
    """Numbers of the record that do not come from the image: the replay finds them."""
    answer = verified()
    stored = services.registry.decisions.get(answer.decision_id)
    other = verified(2, 3)
    engine = create_engine(settings.database_url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE decision_images SET image = (SELECT image FROM decision_images i JOIN "
                "decisions d ON d.sequence = i.sequence WHERE d.decision_id = :other) "
                "WHERE sequence = :sequence"
            ),
            {"other": other.decision_id, "sequence": stored.sequence},
        )
    engine.dispose()
    done = again(services, answer)
    assert done.outcome == "different"
    assert {"verdict", "score"} <= {one.what for one in done.differences}


def test_an_erased_reference_and_an_erased_writer_are_said(services, verified):
    answer = verified()
    first = services.registry.references.of_writer("W-1")[0].reference_id
    erase_reference("W-1", first, registry=services.registry, gallery=services.gallery)
    done = again(services, answer)
    assert (done.outcome, done.reasons) == (
        "impossible",
        (f"Reference {first} was erased since.",),
    )
    erase_writer("W-1", registry=services.registry, gallery=services.gallery)
    done = again(services, answer)
    assert done.outcome == "impossible"
    assert "writer was erased" in done.reasons[0]


def test_a_reference_enrolled_since_changes_nothing(services, verified, uploads):
    answer = verified()
    enroll(
        "W-1",
        uploads(1, 20),
        encoder=services.encoder,
        registry=services.registry,
        gallery=services.gallery,
    )
    assert again(services, answer).outcome == "equal"


def test_a_purged_image_is_said(services, verified):
    answer = verified()
    services.registry.retention.purge_images(answer.recorded.decided_at.replace(year=9000))
    done = again(services, answer)
    assert done.outcome == "impossible"
    assert "not kept any more" in done.reasons[0]
    assert services.registry.decisions.get(answer.decision_id).state == "image-purged"


def test_decisions_are_listed_by_what_is_asked(services, verified, known, ask, uploads):
    known(2, count=2)
    first = verified()
    second = verified(2, 3)
    third = ask(uploads(2, 9)[0])
    decisions = services.registry.decisions

    def listed(**wanted):
        page = decisions.page(DecisionFilter(**wanted), None, 10)
        return [one.decision_id for one in page.decisions]

    every = [third.decision_id, second.decision_id, first.decision_id]
    assert listed() == every
    assert listed(kind="identify") == every[:1]
    assert listed(verdict=first.verdict, kind="verify") == every[2:]
    assert listed(caller="clerk") == every[1:]
    assert listed(writer_id="W-1") == every  # A candidate of the identification too.
    assert listed(since=first.recorded.decided_at) == every
    assert listed(until=second.recorded.decided_at) == every[2:]
    assert listed(reviewed=True) == []
    page = decisions.page(DecisionFilter(), None, 2)
    assert [one.decision_id for one in page.decisions] == every[:2]
    rest = decisions.page(DecisionFilter(), page.next_cursor, 2)
    assert [one.decision_id for one in rest.decisions] == every[2:]
    assert rest.next_cursor is None


def test_an_upload_without_a_name_is_replayed(services, verified, uploads):
    verified()
    answer = verify(
        "W-1",
        Upload(None, uploads(1, 7)[0].data),
        encoder=services.encoder,
        registry=services.registry,
    )
    assert again(services, answer).outcome == "equal"


def test_two_hundred_decisions_replay_equal_also_after_a_switch_of_the_model(
    services, uploads, known, ask, other_model
):
    """Whole and askew signatures, the writers' own and others', claims and searches."""
    for seed in range(1, 6):
        known(seed, count=1 + seed % 3)
    answers = []
    for number in range(200):
        seed, claimed = 1 + number % 5, 1 + (number // 5) % 5
        probe = turned(uploads(seed, 10 + number // 40)[0], 8 * (number % 3 - 1))
        if number % 8 == 7:
            answers.append(ask(probe))
        else:
            answers.append(
                verify(
                    f"W-{claimed}",
                    probe,
                    encoder=services.encoder,
                    registry=services.registry,
                )
            )
    codes = {one.code for answer in answers for one in answer.warnings}
    assert "straightened" in codes
    assert {answer.verdict for answer in answers} >= {"match", "inconclusive", "non_match"}
    for answer in answers:
        done = again(services, answer)
        assert done.outcome == "equal", done
    other = load_encoder(other_model)
    keep_model(read_artifact(other_model), services.registry)
    for _ in reencode(encoder=other, registry=services.registry):
        pass
    target = find_model("other", services.registry)
    build = partial(build_model, services.settings, services.registry)
    for _ in switch(target, registry=services.registry, build_model=build, caller="test"):
        pass
    switched = with_model(services, other.model_id)
    assert switched.encoder.model_id != services.encoder.model_id
    for answer in answers[::20]:
        assert again(switched, answer).outcome == "equal"
    # Without the model's files, the answer says so.
    with services.registry._database.write() as connection:
        connection.execute(text("DELETE FROM model_files"))
    elsewhere = replace(switched, settings=replace(switched.settings, model=other_model))
    done = again(elsewhere, answers[0])
    assert done.outcome == "impossible"
    assert services.encoder.model_id[:12] in done.reasons[0]
    switched.gallery.close()


def test_a_rule_fitted_anew_since_changes_nothing(services, verified):
    answer = verified()
    first = services.encoder.rule.calibrations[0]
    points = {name: OperatingPoint(50, 40) for name in first.points}
    rule = replace(services.encoder.rule, calibrations=(replace(first, points=points),))
    assert rule.rule_id != services.encoder.rule.rule_id
    later = replace(services, encoder=services.encoder.with_rule(rule))
    assert again(later, answer).outcome == "equal"
    refused = verify("W-1", uploads_of(answer, services), encoder=later.encoder,
                     registry=services.registry)  # fmt: skip
    assert refused.verdict != answer.verdict
    assert again(services, refused).outcome == "equal"


def uploads_of(answer, services):
    return Upload(None, services.registry.decisions.kept_image(answer.decision_id).data)


def turned(upload, degrees):
    gray = cv2.imdecode(np.frombuffer(upload.data, np.uint8), cv2.IMREAD_GRAYSCALE)
    page = cv2.copyMakeBorder(gray, 150, 150, 150, 150, cv2.BORDER_CONSTANT, value=255)
    height, width = page.shape
    turning = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return Upload(None, encode_png(cv2.warpAffine(page, turning, (width, height), borderValue=255)))


@pytest.fixture(scope="session")
def other_model(tmp_path_factory):
    """The shipped network under another identity: a comment is appended to its file."""
    manifest = json.loads((SHIPPED / "manifest.json").read_text(encoding="utf-8"))
    own = {"format", "files", "preprocessing_sha256", "sha256"}
    facts = {name: value for name, value in manifest.items() if name not in own}
    folder = tmp_path_factory.mktemp("models") / "other"
    network = (SHIPPED / NETWORK).read_bytes() + b"\x32\x01x"  # ONNX's field for comments.
    write_artifact(folder, {NETWORK: network}, facts | {"name": "other"})
    return folder
