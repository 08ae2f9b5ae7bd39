"""Settings are read in one place, and say what is wrong with them."""

import ast
from pathlib import Path

import pytest

import service
from service.errors import SettingsError
from service.settings import Settings, is_loopback, read_settings


def test_defaults_serve_this_machine_only():
    settings = read_settings({})
    assert settings == Settings()
    assert settings.host == "127.0.0.1"
    assert settings.on_loopback
    assert settings.database_url == "sqlite:///var/countersign/registry.db"


def test_the_data_dir_moves_the_registry_too(tmp_path):
    settings = read_settings({"COUNTERSIGN_DATA_DIR": str(tmp_path)})
    assert settings.database_url == f"sqlite:///{tmp_path}/registry.db"
    assert settings.snapshot_dir == tmp_path / "snapshots"


def test_a_database_url_stays_as_it_is_given(tmp_path):
    url = "postgresql+psycopg://clerk:secret@db/countersign"
    settings = read_settings(
        {"COUNTERSIGN_DATA_DIR": str(tmp_path), "COUNTERSIGN_DATABASE_URL": url}
    )
    assert settings.database_url == url


def test_an_empty_variable_is_as_good_as_none():
    assert read_settings({"COUNTERSIGN_PORT": " "}).port == Settings().port


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "http", "a whole number from 1 to 65535"),
        ("PORT", "0", "a whole number from 1 to 65535"),
        ("PORT", "65536", "a whole number from 1 to 65535"),
        ("PORT", "9" * 5000, "a whole number from 1 to 65535"),
        ("THREADS", "-1", "a whole number from 1 to 64"),
        ("WORKERS", "1.5", "a whole number from 1 to 64"),
        ("INDEX_NEAREST", "5", "1 or 10"),
        ("AUTH", "keys", "expected 'on', or 'off'"),
        ("HOST", "example.org", "an IP address or 'localhost'"),
        ("INDEX_URL", "milvus:", "expected 'faiss:'"),
        ("MODEL", "/nowhere/at/all", "is not a folder"),
        ("CALIBRATE", "always", "one of propose, auto, off"),
        ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("DATABASE_URL", "mysql://host/name", "sqlite:////srv/registry.db"),
        ("DATABASE_URL", "registry.db", "an SQLAlchemy URL"),
        ("DATABASE_URL", "sqlite://", "names no file"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(name, value, expected):
    with pytest.raises(SettingsError) as refused:
        read_settings({f"COUNTERSIGN_{name}": value})
    assert f"COUNTERSIGN_{name}" in str(refused.value)
    assert expected in str(refused.value)


def test_a_file_is_no_data_dir(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SettingsError, match="is a file"):
        read_settings({"COUNTERSIGN_DATA_DIR": str(file)})


def test_a_password_is_not_repeated():
    with pytest.raises(SettingsError) as refused:
        read_settings({"COUNTERSIGN_DATABASE_URL": "mysql://clerk:secret@db/name"})
    assert "secret" not in str(refused.value)


def test_a_misspelt_setting_is_refused_with_its_right_name():
    with pytest.raises(SettingsError, match=r"Did you mean COUNTERSIGN_DATABASE_URL\?"):
        read_settings({"COUNTERSIGN_DATABSE_URL": "sqlite:///x.db"})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.20"])
def test_without_authentication_only_this_machine_may_call(host):
    with pytest.raises(SettingsError, match="loopback address only"):
        read_settings({"COUNTERSIGN_HOST": host, "COUNTERSIGN_AUTH": "off"})


@pytest.mark.parametrize(
    ("host", "auth"),
    [("127.0.0.1", "off"), ("localhost", "off"), ("::1", "off"), ("0.0.0.0", "on"), ("::", "on")],
)
def test_who_calls_is_asked_wherever_other_machines_can_call(host, auth):
    assert read_settings({"COUNTERSIGN_HOST": host}).auth == auth
    assert read_settings({}, {"host": host}).auth == auth
    assert read_settings({"COUNTERSIGN_HOST": host, "COUNTERSIGN_AUTH": "ON"}).auth == "on"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_loopback_addresses_are_known(host):
    assert is_loopback(host)
    assert read_settings({"COUNTERSIGN_HOST": host}).on_loopback


def test_options_go_before_the_environment_and_are_validated_too():
    environ = {"COUNTERSIGN_HOST": "127.0.0.1", "COUNTERSIGN_PORT": "8001"}
    settings = read_settings(environ, {"host": "[::1]"})
    assert (settings.host, settings.port) == ("::1", 8001)
    with pytest.raises(SettingsError, match="IP address"):
        read_settings(environ, {"host": ""})


def test_nothing_else_reads_the_environment():
    folder = Path(service.__file__).parent
    readers = [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in {"environ", "getenv"}
        and ast.unparse(node) != "request.environ"  # What a server tells of one request.
    ]
    assert set(readers) == {"settings.py"}
