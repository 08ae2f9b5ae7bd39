"""What is kept for its time is forgotten by itself, and only that."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from index.errors import UnknownDecision
from index.registry.audit.holds import Hold
from service.decisions import verify as verifying
from service.retention.purges import purge_expired


@pytest.fixture
def decided(services, known, uploads, monkeypatch):
    """Decisions of so many days ago, by their age."""
    known(1, count=2)
    found = {}
    for days in (400, 100, 89, 0):
        then = datetime.now(UTC) - timedelta(days=days)
        monkeypatch.setattr(verifying, "now", lambda then=then: then)
        answer = verifying.verify(
            "W-1", uploads(1, 9)[0], encoder=services.encoder, registry=services.registry
        )
        found[days] = answer.decision_id
    return found


def purge(services, **settings):
    return purge_expired(
        replace(services.settings, **settings), services.registry, datetime.now(UTC)
    )


def states(services, decided):
    found = {}
    for days, decision_id in decided.items():
        try:
            found[days] = services.registry.decisions.get(decision_id).state
        except UnknownDecision:
            found[days] = "gone"
    return found


def test_query_images_go_after_ninety_days_and_decisions_stay(services, decided):
    assert purge(services) == {"queries": 2}
    purged = {400: "image-purged", 100: "image-purged", 89: "whole", 0: "whole"}
    assert states(services, decided) == purged
    assert purge(services) == {}
    assert services.registry.trail.verify().intact


def test_decisions_go_where_it_is_set_so_but_for_those_held(services, decided):
    until = datetime.now(UTC) + timedelta(days=1)
    services.registry.decisions.hold(decided[400], Hold("proceedings", "user:aud", until))
    assert purge(services, keep_queries=365, keep_decisions=95) == {"decisions": 1}
    assert states(services, decided) == {400: "whole", 100: "gone", 89: "whole", 0: "whole"}
    report = services.registry.trail.verify()
    assert report.intact, report.findings
    assert services.registry.decisions.verify().intact
