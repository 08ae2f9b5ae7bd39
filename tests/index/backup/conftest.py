"""A registry with something of everything, and empty places to restore it into."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from index.backup.make import BackupMade, make_backup
from index.backup.restore import Restored, restore_backup
from index.backup.tombstones import ErasureList, read_erasure_list
from index.registry.audit_log import DecisionRecord
from index.registry.registry import Registry
from tests.index.conftest import MODEL

DECISION = DecisionRecord(
    kind="verify",
    verdict="match",
    writer_id="W0",
    operating_point="fmr_skilled=5%",
    score=0.7,
    log_lr=1.2,
    threshold=0.5,
    non_match_threshold=0.1,
    model_id=MODEL,
    reference_ids=(1,),
    candidates=None,
    probe_sha256="2" * 64,
    caller="test",
)


def silent(_what: str, _done: int, _total: int) -> None:
    """Show no progress."""


@pytest.fixture
def filled(registry, new_references) -> Registry:
    """Five writers with three references each, one of them erased, and three decisions."""
    registry.models.begin(MODEL, "test")
    for person in range(5):
        registry.writers.create(f"W{person}", f"Writer {person}", MODEL, new_references(3, person))
    registry.writers.erase("W4")
    for _ in range(3):
        registry.decisions.record(DECISION)
    return registry


@pytest.fixture
def back_up(database_url, tmp_path) -> Callable[..., tuple[Path, BackupMade]]:
    """Back the registry up into a new file."""

    def make() -> tuple[Path, BackupMade]:
        path = tmp_path / f"{uuid4().hex}.zip"
        return path, make_backup(database_url, path, "0.1.0", silent)

    return make


@pytest.fixture
def empty_url(database, request, tmp_path) -> Iterator[Callable[[], str]]:
    """Return `empty_url()`: a new empty database of the kind that the test runs on."""
    made: list[str] = []
    server = request.getfixturevalue("postgresql_server") if database == "postgresql" else ""

    def on_server(statement: str) -> None:
        engine = create_engine(f"{server}postgres", isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def make() -> str:
        name = f"empty_{uuid4().hex}"
        if not server:
            folder = tmp_path / name
            folder.mkdir()
            return f"sqlite:///{folder / 'registry.db'}"
        on_server(f"CREATE DATABASE {name}")
        made.append(name)
        return f"{server}{name}"

    yield make
    for name in made:
        on_server(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def restore() -> Iterator[Callable[..., tuple[Restored, Registry]]]:
    """Restore a backup into a place; return what is told, and the registry that is there now."""
    opened: list[Registry] = []

    def bring_back(path: Path, url: str, *erasures: ErasureList) -> tuple[Restored, Registry]:
        told = restore_backup(path, url, erasures, "test", silent, folder=path.parent)
        opened.append(Registry(url))
        return told, opened[-1]

    yield bring_back
    for one in opened:
        one.close()


@pytest.fixture
def erasure_list() -> Callable[[Registry], ErasureList]:
    """The erasures of a registry, once through a file."""

    def make(registry: Registry) -> ErasureList:
        listed = ErasureList(
            registry.registry_id(), datetime.now(UTC), tuple(registry.erasures.tombstones())
        )
        return read_erasure_list(listed.as_json().encode())

    return make
