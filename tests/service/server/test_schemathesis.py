"""Whatever fits /openapi.json, and much that does not, is answered as that document says."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import service
from index.registry.registry import Registry
from service.auth.keys import make_key
from service.auth.scopes import SCOPES

ROOT = Path(service.__file__).parent.parent
SEED = 7
EXAMPLES = 10
LONGEST_S = 240
# As other machines meet it; no limit, since thousands of requests come from one caller.
ASKING = {
    "COUNTERSIGN_AUTH": "on",
    "COUNTERSIGN_RATE_LIMIT": "off",
    "COUNTERSIGN_VERIFY_LIMIT": "off",
}


def test_schemathesis_finds_nothing(settings, tmp_path, serving):
    with closing(Registry(settings.database_url)) as registry:
        _, key = make_key(registry, "schemathesis", SCOPES, None, "test")
    with serving(settings, tmp_path / "log", **ASKING) as server:
        done = subprocess.run(
            [
                Path(sys.executable).parent / "schemathesis",
                "run",
                f"http://127.0.0.1:{server.port}/openapi.json",
                *("--checks", "all", "--seed", str(SEED), "--max-examples", str(EXAMPLES)),
                *("--no-color", "--continue-on-failure"),
                *("--header", f"Authorization: Bearer {key}"),
            ],
            cwd=ROOT,  # Where schemathesis.toml is.
            env=os.environ
            | {
                "SCHEMATHESIS_HOOKS": "tests.service.server.signature_files",
                "PYTHONPATH": str(ROOT),
            },
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
        for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
            assert f"✅ {phase}" in done.stdout
    assert "Traceback" not in (tmp_path / "log").read_text()
