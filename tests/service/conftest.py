"""Real services on a new registry: SQLite through Alembic, FAISS, and the shipped model."""

from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from encoder.synthesis import encode_png, synthetic_writer
from index.registry.schema_version import upgrade
from service.app import create_app
from service.composition import build_services, prepare_folders
from service.decisions.identify import Identification, identify
from service.models.live_services import Services
from service.settings import Settings, read_settings
from service.writers.enroll import create_writer
from service.writers.uploads import Upload

Scan = Callable[[int, int], bytes]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = read_settings({"COUNTERSIGN_DATA_DIR": str(tmp_path / "data")})
    prepare_folders(settings)
    upgrade(settings.database_url)
    return settings


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    services = build_services(settings)
    yield services
    services.close()


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return create_app(services).test_client()


def _scan(seed: int, n: int) -> bytes:
    return encode_png(synthetic_writer(seed).genuine(n))


@pytest.fixture(scope="session")
def scan() -> Scan:
    """PNG bytes of the n-th genuine signature of an invented writer."""
    return _scan


@pytest.fixture(scope="session")
def uploads() -> Callable[..., list[Upload]]:
    """Uploads of the n-th genuine signatures of an invented writer."""

    def make(seed: int, *numbers: int) -> list[Upload]:
        return [Upload(f"{seed}-{n}.png", _scan(seed, n)) for n in numbers]

    return make


@pytest.fixture(scope="session")
def files() -> Callable[..., list[tuple[BytesIO, str]]]:
    """Form files, as the test client sends them, of an invented writer's signatures."""

    def make(seed: int, *numbers: int) -> list[tuple[BytesIO, str]]:
        return [(BytesIO(_scan(seed, n)), f"{seed}-{n}.png") for n in numbers]

    return make


@pytest.fixture
def known(services: Services, uploads: Callable[..., list[Upload]]) -> Callable[..., str]:
    """Enroll an invented writer with `count` references, and return the id they got."""

    def make(seed: int, count: int = 5) -> str:
        create_writer(
            f"W-{seed}",
            f"Writer {seed}",
            uploads(seed, *range(count)),
            encoder=services.encoder,
            registry=services.registry,
        )
        return f"W-{seed}"

    return make


@pytest.fixture
def ask(services: Services) -> Callable[..., Identification]:
    """Ask whose signature an upload shows."""
    return partial(
        identify,
        encoder=services.encoder,
        registry=services.registry,
        gallery=services.gallery,
    )
