"""Every column of a decision is what was answered, for both kinds and every verdict.

The model is the shipped one with a rule whose thresholds leave no doubt about the verdict: an
operating point for each of verify's, and for identify writers with one reference are always named,
those with more never.
"""

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import numpy as np
import pytest
from sqlalchemy import create_engine, select

from encoder.inference.artifact import NETWORK, SHIPPED, read_artifact, write_artifact
from encoder.scoring.calibrations import LogRatio, OperatingPoint
from index.registry.schema import DecisionRow
from service.app import create_app
from service.auth import callers
from service.composition import build_services
from service.writers.enroll import create_writer

CALLER = "Zoë at desk 7"
POINTS = {
    "all": OperatingPoint(match=-20.25, non_match=-20.5),
    "doubtful": OperatingPoint(match=20.25, non_match=-20.75),
    "none": OperatingPoint(match=20.5, non_match=20.125),
}
SKILLED = LogRatio(((2.0, 0.125),), bound=30.0)
RANDOM = LogRatio(((3.0, 0.25),), bound=40.0)
VERDICTS = {"all": "match", "doubtful": "inconclusive", "none": "non_match"}
ENROLLED = {1: 1, 2: 3, 3: 2}  # Writers, and how many references each has.


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    shipped = read_artifact()
    first = shipped.rule.calibrations[0]
    named = replace(
        first,
        points=POINTS,
        skilled=SKILLED,
        random=RANDOM,
        random_tail=replace(first.random_tail, start=-20),
    )
    never = replace(named, references=2, random_tail=replace(first.random_tail, start=20))
    rule = replace(
        shipped.rule, calibrations=(named, never), default_operating_point="doubtful"
    ).as_dict()
    manifest = json.loads((SHIPPED / "manifest.json").read_text(encoding="utf-8"))
    own = {"format", "files", "preprocessing_sha256", "sha256"}
    facts = {name: value for name, value in manifest.items() if name not in own}
    folder = tmp_path_factory.mktemp("models") / "decided"
    write_artifact(folder, {NETWORK: shipped.network}, facts | {"decision": rule})
    return folder


@pytest.fixture
def services(settings, model):
    services = build_services(replace(settings, model=model))
    yield services
    services.close()


@pytest.fixture
def enrolled(services, uploads):
    """Enroll the writers; returns their references' ids, in order."""
    ids = {}
    for seed, count in ENROLLED.items():
        _, done = create_writer(
            f"W-{seed}",
            f"Writer {seed}",
            uploads(seed, *range(count)),
            encoder=services.encoder,
            registry=services.registry,
        )
        ids[seed] = [one.reference_id for one in done.references]
    return ids


@pytest.fixture
def decide(services, settings, monkeypatch):
    """Return `decide(path, image, **form)`: the answer, and the decision's row as SQL has it."""
    monkeypatch.setattr(callers, "ANYONE", replace(callers.ANYONE, caller=CALLER))
    client = create_app(services).test_client()
    engine = create_engine(settings.database_url)

    def post(path, image, **form):
        with engine.connect() as connection:
            known = connection.execute(select(DecisionRow.sha256)).scalars().all()
        before = datetime.now(UTC)
        answer = client.post(path, data={"image": (BytesIO(image), "query.png"), **form})
        after = datetime.now(UTC)
        assert answer.status_code == 200, answer.get_json()
        with engine.connect() as connection:
            rows = connection.execute(
                select(DecisionRow.__table__).order_by(DecisionRow.sequence)
            ).mappings()
            *others, row = map(dict, rows)
        assert len(others) == len(known)
        assert before <= row["created_at"] <= after
        assert row["previous_sha256"] == (known[-1] if known else "0" * 64)
        assert row["sha256"] == hash_of(row)
        assert row["probe_sha256"] == hashlib.sha256(image).hexdigest()
        assert "Writer " not in str(row)
        assert services.registry.decisions.verify().head_sha256 == row["sha256"]
        return answer.get_json(), row

    yield post
    engine.dispose()


def hash_of(row):
    beside = {"sequence", "sha256", "salt"}
    content = {name: value for name, value in row.items() if name not in beside}
    content["created_at"] = row["created_at"].strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hmac.new(row["salt"], text.encode(), hashlib.sha256).hexdigest()


def written(row):
    """What the trail adds to an answer; `decide` has looked at each."""
    names = ("sequence", "created_at", "previous_sha256", "sha256", "probe_sha256")
    names += ("details_sha256", "salt")
    return {name: row[name] for name in names}


@pytest.mark.parametrize("point", POINTS)
def test_a_verification_is_recorded_as_it_was_answered(services, enrolled, scan, decide, point):
    decide("/v1/writers/W-1/verify", scan(1, 8))  # So that there is a chain to go on with.
    answer, row = decide("/v1/writers/W-2/verify", scan(2, 8), operating_point=point)
    assert answer["verdict"] == VERDICTS[point]
    assert row == {
        **written(row),
        "decision_id": answer["decision_id"],
        "kind": "verify",
        "verdict": VERDICTS[point],
        "writer_id": "W-2",
        "operating_point": point,
        "score": answer["score"],
        "log_lr": answer["log_lr"],
        "threshold": POINTS[point].match,
        "non_match_threshold": POINTS[point].non_match,
        "model_id": services.encoder.model_id,
        "reference_ids": enrolled[2],
        "candidates": None,
        "caller": CALLER,
        "chain_version": 3,
    }
    assert answer["operating_point"] == point
    assert answer["threshold"] == row["threshold"]
    assert answer["non_match_threshold"] == row["non_match_threshold"]
    assert answer["model"]["id"] == row["model_id"]
    assert [one["reference_id"] for one in answer["references"]] == row["reference_ids"]
    # The references are told in the order in which they are stored.
    encoder = services.encoder
    probe = encoder.describe(encoder.acquire(scan(2, 8)).canvas[np.newaxis]).vectors[0]
    stored = services.registry.embeddings.claim("W-2", encoder.model_id).vectors
    similarities = [one["similarity"] for one in answer["references"]]
    assert similarities == pytest.approx(stored @ probe, abs=1e-5)
    assert len(set(similarities)) == len(similarities)
    assert answer["log_lr"] == pytest.approx(2 * answer["score"] + 0.125)
    assert answer["log_lr_random"] == pytest.approx(3 * answer["score"] + 0.25)
    assert (answer["log_lr_bound"], answer["log_lr_random_bound"]) == (30, 40)


def test_the_default_operating_point_is_recorded_by_its_name(enrolled, scan, decide):
    answer, row = decide("/v1/writers/W-1/verify", scan(1, 8))
    assert row["operating_point"] == answer["operating_point"] == "doubtful"
    assert (row["verdict"], row["reference_ids"]) == ("inconclusive", enrolled[1])


@pytest.mark.parametrize(("seed", "verdict"), [(1, "identified"), (2, "not_enrolled")])
def test_an_identification_is_recorded_as_it_was_answered(
    services, enrolled, scan, decide, seed, verdict
):
    decide("/v1/writers/W-1/verify", scan(1, 8))
    # A copy of the writer's last reference.
    image = scan(seed, ENROLLED[seed] - 1)
    answer, row = decide("/v1/identify", image, top="2")
    first, second = answer["candidates"]
    assert answer["verdict"] == verdict
    assert answer["gallery_size"] == len(ENROLLED)
    assert first["score"] > second["score"]
    assert (first["writer_id"], first["name"]) == (f"W-{seed}", f"Writer {seed}")
    assert first["reference_id"] == enrolled[seed][-1]
    other = int(second["writer_id"].removeprefix("W-"))
    assert second["name"] == f"Writer {other}"
    assert second["reference_id"] in enrolled[other]
    threshold = services.encoder.rule.identification_threshold(3, ENROLLED[seed])
    assert row == {
        **written(row),
        "decision_id": answer["decision_id"],
        "kind": "identify",
        "verdict": verdict,
        "writer_id": f"W-{seed}" if verdict == "identified" else None,
        "operating_point": None,
        "score": first["score"],
        "log_lr": None,
        "threshold": threshold,
        "non_match_threshold": None,
        "model_id": services.encoder.model_id,
        "reference_ids": [first["reference_id"], second["reference_id"]],
        "candidates": [
            {name: one[name] for name in ("writer_id", "score", "reference_id")}
            for one in (first, second)
        ],
        "caller": CALLER,
        "chain_version": 3,
    }
    assert answer["threshold"] == threshold
    assert answer["model"]["id"] == row["model_id"]
    for one in (first, second):
        verified, _ = decide(f"/v1/writers/{one['writer_id']}/verify", image)
        assert one["score"] == pytest.approx(verified["score"], abs=1e-6)


def test_an_identification_in_an_empty_gallery_is_recorded(services, scan, decide):
    answer, row = decide("/v1/identify", scan(1, 0))
    assert (answer["verdict"], answer["candidates"]) == ("not_enrolled", [])
    assert answer["gallery_size"] == 0
    assert row == {
        **written(row),
        "sequence": 1,
        "decision_id": answer["decision_id"],
        "kind": "identify",
        "verdict": "not_enrolled",
        "writer_id": None,
        "operating_point": None,
        "score": None,
        "log_lr": None,
        "threshold": answer["threshold"],
        "non_match_threshold": None,
        "model_id": services.encoder.model_id,
        "reference_ids": [],
        "candidates": [],
        "caller": CALLER,
        "chain_version": 3,
    }
    assert answer["threshold"] == services.encoder.rule.identification_threshold(0, 0)
