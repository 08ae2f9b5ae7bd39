"""What has had its time is deleted by itself: each kind at its age, and put on record."""

import os
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from index.errors import RegistryUnavailable
from index.registry.schema import IdempotencyKeyRow
from service.composition import with_model
from service.decisions.verify import verify
from service.models.live_services import LiveServices, Services
from service.retention import purges
from service.retention.purges import PURGES, purge_expired
from service.server.retaining import Retaining

DAY_S = 86_400


def old_file(folder: Path, name: str, days: float) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(b"a backup")
    os.utime(path, times=(time.time() - days * DAY_S,) * 2)
    return path


def test_backups_before_upgrades_go_after_a_month_and_what_was_left_of_one_after_a_day(
    services: Services,
) -> None:
    folder = services.settings.backup_dir
    gone = [
        old_file(folder, "before-upgrade-of-0009-1.zip", 31),
        old_file(folder, ".before-upgrade-of-0009-2.zip.partial-77", 2),
        old_file(folder, ".before-upgrade-of-0009-2.zip.partial-77-db", 2),
    ]
    stay = [
        old_file(folder, "before-upgrade-of-0009-3.zip", 29),
        old_file(folder, ".before-upgrade-of-0009-4.zip.partial-78", 0.5),
        old_file(folder, "my-own.zip", 400),
    ]
    done = purge_expired(services.settings, services.registry, datetime.now(UTC))
    assert done == {"backups": 3}
    assert [path.exists() for path in gone] == [False] * 3
    assert [path.exists() for path in stay] == [True] * 3
    entry = services.registry.audit.latest("purge.done")
    assert entry is not None
    assert entry.details == {"backups": 3}


def test_decisions_are_kept_for_ever_unless_a_setting_says_otherwise(
    services: Services, known, uploads
) -> None:
    writer_id = known(4, 2)
    for n in range(3):
        verify(
            writer_id, uploads(4, 5 + n)[0], encoder=services.encoder, registry=services.registry
        )
    later = datetime.now(UTC) + timedelta(days=36_000)
    assert purge_expired(services.settings, services.registry, later) == {"queries": 3}
    assert services.registry.decisions.verify().length == 3
    settings = replace(services.settings, keep_decisions=30)
    soon = datetime.now(UTC) + timedelta(days=29)
    assert purge_expired(settings, services.registry, soon) == {}
    assert purge_expired(settings, services.registry, later) == {"decisions": 3}
    report = services.registry.trail.verify()
    assert (report.intact, report.decisions, report.purged) == (True, 0, 3)


def test_what_cannot_be_deleted_keeps_nothing_else_from_being(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> int:
        raise RegistryUnavailable("It is locked.")

    monkeypatch.setattr(purges, "PURGES", {**PURGES, "decisions": fail, "idempotency_keys": fail})
    old_file(services.settings.backup_dir, "before-upgrade-of-0009-1.zip", 31)
    done = purge_expired(services.settings, services.registry, datetime.now(UTC))
    assert done == {"backups": 1}
    assert "It is locked." in caplog.text


def test_a_server_deletes_by_itself(services: Services) -> None:
    row = {
        "caller": "key:1",
        "idempotency_key": "one",
        "request_sha256": "0" * 64,
        "created_at": datetime.now(UTC) - timedelta(days=2),
    }
    with services.registry._database.write() as connection:
        connection.execute(insert(IdempotencyKeyRow), row)
    retaining = Retaining(LiveServices(services, with_model), pause_s=0.05)
    retaining.start()
    give_up_at = time.monotonic() + 10
    while services.registry.audit.latest("purge.done") is None:
        assert time.monotonic() < give_up_at
        time.sleep(0.05)
    retaining.close()
    entry = services.registry.audit.latest("purge.done")
    assert entry is not None
    assert entry.details == {"idempotency_keys": 1}
    assert retaining.turn() == {}
