"""compose.yaml and Dockerfile, as far as they can be checked where no container runs."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.api.guard import MAX_BODY_BYTES
from service.settings import Settings, is_loopback, read_settings

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
REPLICAS = sorted(name for name in SERVICES if name.startswith("replica-"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def filled_in(value: object) -> str:
    """Put something in the place of ${VARIABLE}, as Compose would."""
    return re.sub(r"\$\{(\w+)[^}]*\}", "a-password", str(value))


@pytest.mark.parametrize("name", [*REPLICAS, "schema"])
def test_what_countersign_is_given_are_valid_settings(name: str) -> None:
    given = {key: filled_in(value) for key, value in SERVICES[name]["environment"].items()}
    assert all(key.startswith("COUNTERSIGN_") for key in given)
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
    assert set(re.findall(r"COUNTERSIGN_([A-Z_]+)", text)) <= {
        field.name.upper() for field in fields(Settings)
    }
    files = re.findall(r"`((?:index|service|tests|docs)/[\w./-]+|[\w]+\.yaml)`", text)
    assert files
    assert [one for one in files if not (ROOT / one).exists()] == []
    for variable, value in re.findall(r"^(COUNTERSIGN_\w+)=(\S+)$", text, re.MULTILINE):
        read_settings({variable: value})


def test_the_image_sets_settings_that_there_are() -> None:
    given = dict(re.findall(r"(COUNTERSIGN_\w+)=(\S+)", DOCKERFILE))
    assert given
    read_settings(given)
