"""What is counted and timed, by which words; and nothing of a person among them."""

from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import func, select, update

from encoder.inference.unseen_errors import unseen_errors
from index.errors import IndexUnavailable, RegistryUnavailable
from index.registry.schema import DecisionRow
from service.decisions.recording import Asked
from service.decisions.verify import verify
from service.observability import metrics as module
from service.observability.metrics import Metrics


@pytest.fixture
def samples(client):
    """Ask for the metrics: samples by name, each as its labels and its value."""

    def ask() -> dict[str, list[tuple[dict[str, str], float]]]:
        answer = client.get("/metrics")
        assert answer.status_code == 200
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(answer.get_data(as_text=True)):
            for one in family.samples:
                found.setdefault(one.name, []).append((dict(one.labels), one.value))
        return found

    return ask


def value(found, name, **labels):
    (only,) = [number for told, number in found[name] if told == labels]
    return only


def test_requests_are_counted_by_pattern_method_and_status(client, samples):
    for _ in range(3):
        client.get("/v1/writers/nobody")
    client.get("/v1/about")
    client.get("/no/such/page/of/ada")
    client.open("/v1/about", method="INVENTED")
    found = samples()
    count, route = "countersign_http_requests_total", "/v1/writers/<writer_id>"
    assert value(found, count, route=route, method="GET", status="404") == 3
    assert value(found, count, route="/v1/about", method="GET", status="200") == 1
    assert value(found, count, route="(no route)", method="GET", status="404") == 1
    assert value(found, count, route="(no route)", method="other", status="405") == 1
    duration = "countersign_http_request_duration_seconds"
    assert value(found, f"{duration}_count", route=route, method="GET") == 3
    assert 0 < value(found, f"{duration}_sum", route=route, method="GET") < 30


def test_stages_verdicts_warnings_and_scores_of_verifications(client, known, files, samples):
    known(1)
    answers = [
        client.post("/v1/writers/W-1/verify", data={"image": files(seed, 6)[0]}).get_json()
        for seed in (1, 2)
    ]
    client.post("/v1/writers/W-1/verify", data={"image": files(1, 0)[0]})  # A copy: `replay`.
    found = samples()
    for stage in ("read", "acquire", "embed", "compare", "record"):
        labels = {"question": "verify", "stage": stage}
        assert value(found, "countersign_stage_duration_seconds_count", **labels) == 3
        assert value(found, "countersign_stage_duration_seconds_sum", **labels) > 0
    for verdict in {one["verdict"] for one in answers} - {"inconclusive"}:
        expected = [one["verdict"] for one in answers].count(verdict)
        labels = {"question": "verify", "verdict": verdict}
        assert value(found, "countersign_decisions_total", **labels) == expected
    assert value(found, "countersign_warnings_total", question="verify", code="replay") == 1
    (month,) = {labels["month"] for labels, _ in found[f"{module.SCORE}_bucket"]}
    assert value(found, f"{module.SCORE}_count", month=month) == 3
    below = sum(one["score"] <= 0 for one in answers)
    assert value(found, f"{module.SCORE}_bucket", month=month, le="0.0") >= below


def test_identifications_and_comparisons_are_told_apart(client, known, files, samples):
    known(1)
    client.post("/v1/identify", data={"image": files(1, 6)[0]})
    client.post("/v1/compare", data={"probe": files(1, 6)[0], "reference": files(1, 0)})
    found = samples()
    stages = {
        (one["question"], one["stage"])
        for one, _ in found["countersign_stage_duration_seconds_count"]
    }
    assert stages >= {("identify", "search"), ("identify", "record"), ("compare", "compare")}
    questions = {one["question"] for one, _ in found["countersign_decisions_total"]}
    assert questions == {"identify", "compare"}
    assert module.SCORE + "_count" not in found


def test_refusals_are_counted_by_their_reason(client, known, files, samples):
    known(1, count=1)
    blank = (BytesIO(b"no image at all"), "x.png")
    client.post("/v1/writers/W-1/verify", data={"image": blank})
    client.post("/v1/writers/nobody/verify", data={"image": files(1, 1)[0]})
    images = [(BytesIO(b"nor this"), "y.png"), *files(1, 2)]
    client.post("/v1/compare", data={"probe": files(1, 3)[0], "reference": images})
    client.get("/v1/writers", headers={"Host": "evil.example"})
    found = samples()
    problems = {(one["code"], one["status"]): n for one, n in found["countersign_problems_total"]}
    assert problems["unknown-writer", "404"] == 1
    assert problems["images-refused", "422"] == 1
    assert problems["foreign-host", "421"] == 1
    refused = {one["code"]: n for one, n in found["countersign_refused_images_total"]}
    assert sum(refused.values()) == 2
    assert sum(n for (code, _), n in problems.items() if code in refused) == 1


def test_nothing_of_a_person_is_in_them(client, files):
    data = {"writer_id": "C-4711", "name": "Ada Lovelace", "images": files(1, 0)}
    client.post("/v1/writers", data=data)
    client.post("/v1/writers/C-4711/verify", data={"image": files(1, 1)[0]})
    client.get("/v1/writers/C-4711")
    client.get("/C-4711/Lovelace?name=Ada", headers={"X-Request-ID": "C-4711"})
    text = client.get("/metrics").get_data(as_text=True)
    assert "/v1/writers/<writer_id>/verify" in text
    for private in ("C-4711", "Ada", "Lovelace", "1-0.png", "127.0.0.1"):
        assert private not in text


def test_what_the_model_expects_is_told_beside_the_scores(services, samples):
    found = samples()
    rule = services.encoder.rule
    point = rule.calibration_for(5).points[rule.default_operating_point]
    assert value(found, "countersign_model_threshold", verdict="match") == point.match
    assert value(found, "countersign_model_threshold", verdict="non_match") == point.non_match
    errors = unseen_errors(services.encoder.manifest, 5, rule.default_operating_point)
    expected = "countersign_model_expected_error_rate"
    assert value(found, expected, rate="fnmr", over="mean") == errors.fnmr.mean
    assert value(found, expected, rate="refused_genuine", over="worst") == (
        errors.refused_genuine.worst
    )


def test_the_installation_is_told_of(services, known, samples):
    known(1, count=2)
    found = samples()
    assert value(found, "countersign_gallery_writers") == 1
    assert value(found, "countersign_gallery_references") == 2
    assert value(found, "countersign_index_size", worker="0") == 0  # Nobody has searched yet.
    assert value(found, "countersign_index_lag", worker="0") == (
        services.registry.changes.revision() - services.gallery.stats()["revision"]
    )
    assert value(found, "countersign_index_usable", worker="0") == 1
    assert value(found, "countersign_registry_usable") == 1
    assert (
        0
        < value(found, "countersign_disk_free_bytes")
        < value(found, "countersign_disk_size_bytes")
    )
    assert value(found, "countersign_workers") == 1
    ((build, _),) = found["countersign_build_info"]
    assert build.keys() == {"version", "python"}
    ((model, _),) = found["countersign_model_info"]
    assert model["rule_id"] == services.encoder.rule.rule_id


def test_they_are_told_when_registry_and_index_cannot_be_asked(
    services, samples, monkeypatch, client
):
    client.get("/v1/about")

    def unreachable(*_args):
        raise RegistryUnavailable("gone")

    def unusable():
        raise IndexUnavailable("gone")

    monkeypatch.setattr(services.registry.models, "gallery_size", unreachable)
    monkeypatch.setattr(services.registry.calibrations, "in_use", unreachable)
    monkeypatch.setattr(services.gallery, "stats", unusable)
    found = samples()
    assert value(found, "countersign_registry_usable") == 0
    assert value(found, "countersign_index_usable", worker="0") == 0
    assert "countersign_gallery_writers" not in found
    labels = {"route": "/v1/about", "method": "GET", "status": "200"}
    assert value(found, "countersign_http_requests_total", **labels) == 1


def test_of_scores_a_year_is_told():
    metrics = Metrics()
    for month in [f"{year}-{number:02}" for year in (2025, 2026) for number in range(1, 13)]:
        metrics._scores.labels(month).observe(1.0)
    text = metrics.text().decode()
    assert 'month="2025-12"' not in text
    assert 'month="2026-01"' in text
    assert 'month="2026-12"' in text


def test_the_queue_of_reviews_has_a_length_and_an_age(services, known, uploads, samples):
    assert value(samples(), "countersign_reviews_waiting") == 0
    assert value(samples(), "countersign_reviews_oldest_seconds") == 0
    known(1, count=2)
    human = Asked("user:ada", reject_alone=False)
    for _ in range(2):
        verify(
            "W-1",
            uploads(2, 0)[0],
            encoder=services.encoder,
            registry=services.registry,
            asked=human,
        )
    with services.registry._database.write() as connection:
        moved = datetime.now(UTC) - timedelta(hours=2)
        first = select(func.min(DecisionRow.sequence)).scalar_subquery()
        connection.execute(
            update(DecisionRow).where(DecisionRow.sequence == first).values(created_at=moved)
        )
    found = samples()
    assert value(found, "countersign_reviews_waiting") == 2
    assert 7200 <= value(found, "countersign_reviews_oldest_seconds") < 7300
