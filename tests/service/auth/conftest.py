"""A server that wants to know who calls, in this process."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from apiflask import APIFlask

from index.registry.schema_version import upgrade
from service.api.access import limits
from service.app import create_app
from service.auth.keys import make_key
from service.composition import build_services, prepare_folders
from service.models.live_services import Services
from service.settings import read_settings

PLENTY = "100000/minute"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Services with AUTH=on, one registry for the tests of a module."""
    folder: Path = tmp_path_factory.mktemp("auth")
    settings = read_settings({"COUNTERSIGN_DATA_DIR": str(folder), "COUNTERSIGN_AUTH": "on"})
    prepare_folders(settings)
    upgrade(settings.database_url)
    services = build_services(settings)
    yield services
    services.close()


@pytest.fixture
def app(services: Services, monkeypatch: pytest.MonkeyPatch) -> APIFlask:
    """An application whose limits no test meets by chance."""
    monkeypatch.setattr(limits, "SIGN_IN_LIMIT", PLENTY)
    settings = replace(services.settings, rate_limit=PLENTY, verify_limit=PLENTY)
    return create_app(replace(services, settings=settings))


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def key(services: Services) -> Callable[..., dict[str, str]]:
    """The headers of a caller with a new key: `key("verify", "read")`."""

    def make(*scopes: str) -> dict[str, str]:
        _, text = make_key(services.registry, "test", scopes, None, "test")
        return {"Authorization": f"Bearer {text}"}

    return make
