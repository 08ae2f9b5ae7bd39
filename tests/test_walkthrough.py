"""A bank's way with the product, on an address that is no loopback one, from the wheel alone."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import without_checkout

ADDRESS = "10.77.0.1"
# A network of its own: nothing outside reaches the server, and no port is taken.
NAMESPACE = ("unshare", "--map-root-user", "--net", "sh", "-c")
NETWORK = f"ip link set lo up && ip address add {ADDRESS}/24 dev lo"
PROGRAM = Path(__file__).with_name("walkthrough.py")


@pytest.fixture
def namespace() -> tuple[str, ...]:
    """A command that runs another one where ADDRESS is this host's."""
    for needed in ("unshare", "ip"):
        if shutil.which(needed) is None:
            pytest.skip(f"`{needed}` is missing (Debian: util-linux, iproute2)")
    tried = subprocess.run([*NAMESPACE, NETWORK], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no network namespace can be made here: {tried.stderr.strip()}")
    return (*NAMESPACE, f'{NETWORK} && exec "$@"', "sh")


def test_a_bank_walks_the_whole_way(elsewhere, namespace, tmp_path) -> None:
    walked = subprocess.run(
        [*namespace, elsewhere / "venv/bin/python", "-P", PROGRAM, ADDRESS],
        cwd=tmp_path,
        env=without_checkout(),
        capture_output=True,
        text=True,
        check=False,
    )
    log = tmp_path / "log"
    told = log.read_text(encoding="utf-8") if log.exists() else ""
    assert walked.returncode == 0, f"{walked.stdout}{walked.stderr}{told}"
