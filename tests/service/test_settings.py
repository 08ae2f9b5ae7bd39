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
        ("KEEP_QUERIES", "0", "a whole number from 1 to 36500"),
        ("KEEP_DECISIONS", "90d", "a whole number from 1 to 36500"),
        ("REVIEW_SAMPLE", "1", "a share of accepted signatures such as 1%"),
        ("REVIEW_SAMPLE", "101%", "from 0% to 100%"),
        ("REVIEW_SAMPLE", "nan%", "from 0% to 100%"),
        ("REVIEW_BLIND", "yes", "expected 'on' or 'off'"),
        ("REVIEW_CLAIM", "0", "a whole number from 1 to 1440"),
        ("REJECT", "nobody", "'software'"),
        ("REJECTERS", "0", "a whole number from 1 to 9"),
        ("AUDIT_KEY", "/nowhere/at/all", "countersign audit key create"),
        ("AUDIT_ANCHOR", "ftp://host/file", "http or https"),
        ("AUDIT_ANCHOR", "anchors.jsonl", "nothing signs them"),
        ("AUDIT_ANCHOR_EVERY", "0", "a whole number from 1 to 10080"),
        ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("LOG_FORMAT", "xml", "one of text, json"),
        ("TLS_CERT", "/nowhere/at/all.pem", "is no file"),
        ("TLS_KEY", "/nowhere/at/all.pem", "is no file"),
        ("TRUSTED_PROXIES", "proxy.example.org", "addresses and networks"),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "addresses and networks"),
        ("TRUSTED_PROXIES", "0.0.0.0/0", "every address there is"),
        ("TRUSTED_PROXIES", "10.0.0.1,::/0", "every address there is"),
        (
            "SERVER",
            "countersign.example",
            "address of a server",
        ),
        ("SERVER", "https://ada:geheim@host", "an address with a user came"),
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


def test_a_key_and_a_password_are_in_no_message_and_no_repr():
    settings = read_settings({"COUNTERSIGN_KEY": "cs_ab_geheim", "COUNTERSIGN_SERVER": "http://h"})
    assert settings.key == "cs_ab_geheim"
    assert "geheim" not in repr(settings)
    with pytest.raises(SettingsError) as refused:
        read_settings({"COUNTERSIGN_SERVER": "https://ada:geheim@host"})
    assert "geheim" not in str(refused.value)


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


def test_a_key_beside_the_database_is_refused(tmp_path):
    key = tmp_path / "audit.pem"
    key.write_text("x")
    with pytest.raises(SettingsError, match="outside the data folder"):
        read_settings({"COUNTERSIGN_DATA_DIR": str(tmp_path), "COUNTERSIGN_AUDIT_KEY": str(key)})


@pytest.mark.parametrize(("said", "share"), [("0%", 0.0), ("1%", 0.01), ("2.5%", 0.025)])
def test_a_share_is_read_in_per_cent(said, share):
    assert read_settings({"COUNTERSIGN_REVIEW_SAMPLE": said}).review_share == share


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
    # The client is for other programs too, and finds its key by itself there.
    assert set(readers) == {"settings.py", "client/connection.py"}


def test_proxies_are_addresses_and_networks():
    given = " 10.0.0.5, 192.168.7.0/24,2001:db8::/32 "
    settings = read_settings({"COUNTERSIGN_TRUSTED_PROXIES": given})
    assert [str(one) for one in settings.trusted_proxies] == [
        "10.0.0.5/32",
        "192.168.7.0/24",
        "2001:db8::/32",
    ]


@pytest.mark.parametrize("name", ["DATABASE_URL", "INDEX_URL", "LIMITS_URL", "OIDC_CLIENT_SECRET"])
def test_a_secret_may_come_from_a_file(tmp_path, name):
    values = {
        "DATABASE_URL": "postgresql+psycopg://clerk:secret@db/countersign",
        "INDEX_URL": "milvus+http://user:secret@host:19530",
        "LIMITS_URL": "redis://:secret@counts:6379/0",
        "OIDC_CLIENT_SECRET": "secret",
    }
    file = tmp_path / "secret"
    file.write_text(values[name] + "\n")
    settings = read_settings({f"COUNTERSIGN_{name}_FILE": str(file)})
    assert getattr(settings, name.lower()) == values[name]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "No such file"),
        (b"", "holds nothing"),
        (b" \n\n", "holds nothing"),
        (b"secret-one\nsecret-two\n", "holds more than that"),
        (b"secret" * 20_000, "holds more than that"),
        (b"secret\xff", "is not text"),
        (b"mysql://clerk:secret@db/name", "sqlite:////srv/registry.db"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused_without_repeating_it(tmp_path, content, expected):
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        read_settings({"COUNTERSIGN_DATABASE_URL_FILE": str(file)})
    assert expected in str(refused.value)
    assert "COUNTERSIGN_DATABASE_URL" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_secret_comes_in_one_way(tmp_path):
    file = tmp_path / "secret"
    file.write_text("sqlite:///x.db")
    with pytest.raises(SettingsError, match="both set"):
        read_settings(
            {
                "COUNTERSIGN_DATABASE_URL": "sqlite:///y.db",
                "COUNTERSIGN_DATABASE_URL_FILE": str(file),
            }
        )


def test_what_is_no_secret_comes_from_no_file(tmp_path):
    with pytest.raises(SettingsError, match="COUNTERSIGN_PORT_FILE is not a setting"):
        read_settings({"COUNTERSIGN_PORT_FILE": str(tmp_path)})
