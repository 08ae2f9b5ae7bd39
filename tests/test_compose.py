"""compose.yaml, Dockerfile and the systemd unit, as far as they can be checked where none runs."""

import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.api.guard import MAX_BODY_BYTES
from service.cli import main
from service.settings import FILE, SECRETS, Settings, is_loopback, read_settings

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
REPLICAS = sorted(name for name in SERVICES if name.startswith("replica-"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [*REPLICAS, "schema"])
def test_what_countersign_is_given_are_valid_settings(name: str, tmp_path: Path) -> None:
    given = {key: str(value) for key, value in SERVICES[name]["environment"].items()}
    assert all(key.startswith("COUNTERSIGN_") for key in given)
    # As the file's first lines say that it is made.
    made = re.search(r'^# +echo "(postgresql.*)" ', TEXT, re.MULTILINE)
    assert made is not None
    secret = tmp_path / "database_url"
    secret.write_text(re.sub(r"\$\([^)]*\)", "a-password", made[1]) + "\n")
    assert given["COUNTERSIGN_DATABASE_URL_FILE"] == "/run/secrets/database_url"
    given["COUNTERSIGN_DATABASE_URL_FILE"] = str(secret)
    settings = read_settings(given)  # Refuses what is unknown, malformed or not allowed together.
    for url, host in ((settings.database_url, "@postgres/"), (settings.index_url, "//milvus:")):
        assert host in url


def test_replicas_share_the_proxys_namespace_and_listen_on_loopback_ports_of_their_own() -> None:
    assert len(REPLICAS) >= 2
    ports = {SERVICES[name]["environment"]["COUNTERSIGN_PORT"] for name in REPLICAS}
    assert len(ports) == len(REPLICAS)
    for name in REPLICAS:
        assert SERVICES[name]["network_mode"] == "service:proxy"
        assert "networks" not in SERVICES[name]
        assert is_loopback(SERVICES[name]["environment"]["COUNTERSIGN_HOST"])
    proxied = re.findall(r"server 127\.0\.0\.1:(\d+);", COMPOSE["configs"]["proxy"]["content"])
    assert set(proxied) == ports


def test_nothing_but_the_proxy_can_be_reached_and_that_from_this_machine_only() -> None:
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert list(published) == ["proxy"]
    for port in published["proxy"]:
        assert is_loopback(port.split(":")[0])


def test_the_proxy_lets_through_what_a_replica_takes() -> None:
    megabytes = re.search(r"client_max_body_size (\d+)m;", COMPOSE["configs"]["proxy"]["content"])
    assert megabytes is not None
    assert int(megabytes[1]) * 2**20 >= MAX_BODY_BYTES


def test_what_is_named_is_there() -> None:
    for name, one in SERVICES.items():
        assert {"image", "build"} & one.keys(), name
        assert set(one.get("depends_on", {})) <= SERVICES.keys()
        assert set(one.get("networks", [])) <= COMPOSE["networks"].keys()
        volumes = {volume.split(":")[0] for volume in one.get("volumes", [])}
        assert volumes <= COMPOSE["volumes"].keys()
        for health in one.get("depends_on", {}).items():
            if health[1]["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[health[0]]


def test_the_image_is_made_of_files_that_are_there() -> None:
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE):
        *sources, _ = line.split()
        assert sources
        assert [one for one in sources if not (ROOT / one).exists()] == []


def test_the_document_names_settings_files_and_addresses_that_there_are() -> None:
    text = (ROOT / "docs" / "scale-out.md").read_text(encoding="utf-8")
    known = {field.name for field in fields(Settings)} | {name + FILE for name in SECRETS}
    named = set(re.findall(r"COUNTERSIGN_([A-Z_]*[A-Z])", text))
    assert named <= {name.upper() for name in known}
    files = re.findall(r"`((?:index|service|tests|docs)/[\w./-]+|[\w]+\.yaml)`", text)
    assert files
    assert [one for one in files if not (ROOT / one).exists()] == []
    for variable, value in re.findall(r"^(COUNTERSIGN_\w+)=(\S+)$", text, re.MULTILINE):
        read_settings({variable: value})


def test_the_image_sets_settings_that_there_are() -> None:
    given = dict(re.findall(r"(COUNTERSIGN_\w+)=(\S+)", DOCKERFILE))
    assert given
    read_settings(given)


def test_no_secret_stands_in_an_environment() -> None:
    assert "${" not in TEXT
    for name, one in SERVICES.items():
        for variable in one.get("environment", {}):
            assert not re.search(r"PASSWORD|SECRET|_URL", variable) or (
                variable.endswith("_FILE") or variable == "COUNTERSIGN_INDEX_URL"
            ), (name, variable)


def test_every_secret_is_a_file_that_is_made_and_kept_out_of_the_repository() -> None:
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"secrets/{name}"}
        assert f"> secrets/{name}" in TEXT
        assert [one for one in SERVICES.values() if name in one.get("secrets", [])]
    for name, one in SERVICES.items():
        assert set(one.get("secrets", [])) <= COMPOSE["secrets"].keys()
        told = str(one.get("environment", {})) + str(one.get("command", ""))
        read = set(re.findall(r"/run/secrets/(\w+)", told))
        assert read == set(one.get("secrets", [])), name
    assert "/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "secrets" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", SERVICES)
def test_everything_is_watched_and_has_its_limits(name: str) -> None:
    one = SERVICES[name]
    limits = one["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory", "pids"}
    assert "test" in one["healthcheck"] or name == "schema"


@pytest.mark.parametrize("name", [*REPLICAS, "schema"])
def test_replicas_have_no_rights(name: str) -> None:
    one = SERVICES[name]
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]


def test_the_proxy_is_believed_and_lets_through_nothing_that_callers_say_of_themselves() -> None:
    proxy = COMPOSE["configs"]["proxy"]["content"]
    for header in ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"):
        assert f"proxy_set_header {header} " in proxy
    assert "proxy_add_x_forwarded_for" not in proxy
    settings = SERVICES[REPLICAS[0]]["environment"]
    assert settings["COUNTERSIGN_TRUSTED_PROXIES"] == "127.0.0.1"


def instructions(name: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE)
    return re.findall(rf"^{name} (.+)$", joined, re.MULTILINE)


def test_the_image_can_be_watched_and_runs_as_nobody_in_particular() -> None:
    (watched,) = instructions("HEALTHCHECK")
    assert watched.endswith('CMD ["countersign", "ready"]')
    assert instructions("EXPOSE") == [str(Settings().port)]
    (volume,) = instructions("VOLUME")
    assert f"COUNTERSIGN_DATA_DIR={volume} " in instructions("ENV")[0]
    assert f"--owner countersign --mode 700 {volume}" in DOCKERFILE
    # By number: a cluster that wants no root asks for one.
    assert instructions("USER") == ["10001"]
    assert "useradd --create-home --uid 10001 countersign" in DOCKERFILE
    assert DOCKERFILE.index("\nUSER ") > DOCKERFILE.rindex("\nRUN ")


def test_the_image_holds_what_is_locked_and_no_tensorflow() -> None:
    (lock,) = re.findall(r"--require-hashes -r (\S+)", DOCKERFILE)
    locked = (ROOT / lock).read_text(encoding="utf-8")
    packages = re.findall(r"^([a-z0-9][\w.-]*)==", locked, re.MULTILINE)
    assert len(packages) > 20
    assert not {"tensorflow", "keras", "tf2onnx", "pytest"} & set(packages)


COMMANDS = [
    one["healthcheck"]["test"] for one in SERVICES.values() if "test" in one.get("healthcheck", {})
]


@pytest.mark.parametrize("words", [one[1:] for one in COMMANDS if one[1] == "countersign"])
def test_what_watches_a_replica_is_a_command(words: list[str]) -> None:
    assert words[1] in main.commands


UNIT = (ROOT / "deploy/countersign.service").read_text(encoding="utf-8")
SYSTEMD_ANALYZE = shutil.which("systemd-analyze")


def test_the_unit_runs_commands_that_there_are_with_settings_that_there_are() -> None:
    ran = re.findall(
        r"^ExecStart(?:Pre)?=/opt/countersign/bin/countersign (.+)$", UNIT, re.MULTILINE
    )
    assert ran == ["db upgrade", "serve"]
    for words in ran:
        assert words.split()[0] in main.commands
    variables = set(re.findall(r"COUNTERSIGN_([A-Z_]*[A-Z])", UNIT))
    known = {field.name for field in fields(Settings)} | {name + FILE for name in SECRETS}
    assert {name.lower() for name in variables} <= known


@pytest.mark.skipif(SYSTEMD_ANALYZE is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit_and_finds_little_exposed(tmp_path: Path) -> None:
    unit = tmp_path / "countersign.service"
    unit.write_text(UNIT.replace("/opt/countersign/bin/countersign", sys.executable))
    for arguments in (
        ["verify", "--man=no"],
        ["security", "--offline=true", "--threshold=20"],  # 2.0 of 10.
    ):
        done = subprocess.run(
            [str(SYSTEMD_ANALYZE), *arguments, str(unit)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert str(unit) not in done.stderr, done.stderr
