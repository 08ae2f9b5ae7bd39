"""The code blocks of docs/client.md run against a real server, in their order."""

import os
import re
import subprocess
import sys
from pathlib import Path

import service
from service.client import Client

ROOT = Path(service.__file__).parent.parent
DOCUMENT = ROOT / "docs" / "client.md"
ADA = 4  # The seed of a hand that is plainly told from others.


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)


def run(block: str, port: int, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", block.replace("127.0.0.1:8000", f"127.0.0.1:{port}")],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_block_does_what_is_said_of_it(settings, serving, scan, tmp_path):
    for name, n in (("ada-1", 0), ("ada-2", 1), ("ada-3", 2), ("cheque", 7)):
        (tmp_path / f"{name}.png").write_bytes(scan(ADA, n))
    with serving(settings, tmp_path / "log") as server:
        said = [run(block, server.port, tmp_path) for block in blocks()]
    quickstart, lists, recorded, gathered, problems = said
    assert re.fullmatch(r"match -?\d\.\d+ [0-9a-f]{32}\n", quickstart)
    assert lists == "C-1001 3\n"
    assert (tmp_path / "reference.png").read_bytes() == scan(ADA, 0)
    assert recorded == "UTC anonymous equal\n"
    # What copies a reference is a sign of fraud, and no match.
    assert gathered == "cheque.png match\nada-1.png inconclusive\n"
    assert problems.startswith("unknown-writer Writer 'nobody' is not enrolled")
    assert "urn:uuid:" in problems


def test_every_method_is_in_the_table() -> None:
    table = DOCUMENT.read_text(encoding="utf-8").partition("## What there is")[2]
    named = set(re.findall(r"`([a-z_]+)`", table.partition("\n\n`writer`")[0]))
    methods = {name for name in vars(Client) if not name.startswith("_")}
    assert named == methods - {"close", "send", "each", "stream"}
