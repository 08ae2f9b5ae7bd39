"""A client that another program generates from /openapi.json compiles, and verifies a signature."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import service
from index.registry.registry import Registry
from service.auth.keys import make_key

ROOT = Path(service.__file__).parent.parent
GENERATOR = "openapi-python-client==0.29.1"
ADA = 4  # The seed of a hand that is plainly told from others.
TIMEOUT_S = 200

OPERATIONS = 19  # There were so many at least, each with a module of its own.
# Compiles every module, and has its names found.
IMPORTS = """
import importlib, pkgutil
import generated

names = [one.name for one in pkgutil.walk_packages(generated.__path__, "generated.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""
PROGRAM = """
import sys
from io import BytesIO
from pathlib import Path

from generated import AuthenticatedClient
from generated.api.decisions import verify_signature
from generated.api.audit import get_decision, list_decisions
from generated.api.writers import create_writer
from generated.models import Decision, NewWriterForm, Problem, Verification, VerifyForm
from generated.types import File

address, key, *scans = sys.argv[1:]


def file(path):
    return File(payload=BytesIO(Path(path).read_bytes()), file_name=Path(path).name)


with AuthenticatedClient(base_url=address, token=key) as client:
    body = NewWriterForm(writer_id="C-1", name="Ada", images=[file(one) for one in scans[:-1]])
    made = create_writer.sync(client=client, body=body)
    assert made.reference_count == len(scans) - 1, made
    body = VerifyForm(image=file(scans[-1]))
    answer = verify_signature.sync("C-1", client=client, body=body)
    assert isinstance(answer, Verification), answer
    assert answer.quality.ink_height_px > 0
    assert answer.expected_errors is None or answer.expected_errors.references
    (head,) = list_decisions.sync(client=client, writer_id="C-1").decisions
    assert head.decision_id == answer.decision_id
    assert head.decided_at == answer.decided_at
    recorded = get_decision.sync(head.decision_id, client=client)
    assert isinstance(recorded, Decision), recorded
    assert recorded.hold is None and recorded.verdict == "match"
    body = VerifyForm(image=file(scans[0]))
    problem = verify_signature.sync_detailed("nobody", client=client, body=body)
    assert problem.status_code == 404
    assert problem.parsed.code == "unknown-writer", problem.parsed
    print(answer.verdict.value)
"""


def run(*arguments, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(one) for one in arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        **options,
    )


@pytest.fixture(scope="module")
def generator(tmp_path_factory) -> Path:
    """A virtual environment of its own with the generator, which nothing else here needs."""
    folder = tmp_path_factory.mktemp("generator")
    uv = Path(sys.executable).parent / "uv"
    if not uv.exists():
        pytest.skip("uv is not installed, which would install the generator")
    made = run(uv, "venv", "--python", sys.executable, folder / "venv")
    assert made.returncode == 0, made.stderr
    python = folder / "venv" / "bin" / "python"
    installed = run(uv, "pip", "install", "--python", python, GENERATOR)
    if installed.returncode:
        pytest.skip(f"{GENERATOR} cannot be installed here: {installed.stderr[-300:]}")
    return folder / "venv" / "bin"


@pytest.mark.slow
def test_a_generated_client_compiles_and_verifies(generator, settings, serving, scan, tmp_path):
    scans = []
    for n in (0, 1, 2, 7):
        scans.append(tmp_path / f"scan-{n}.png")
        scans[-1].write_bytes(scan(ADA, n))
    environ = os.environ | {"PATH": f"{generator}:{os.environ['PATH']}", "PYTHONPATH": ""}
    with closing(Registry(settings.database_url)) as registry:
        _, key = make_key(registry, "generated", ["enroll", "verify", "read"], None, "test")
    with serving(settings, tmp_path / "log", COUNTERSIGN_AUTH="on") as server:
        address = f"http://127.0.0.1:{server.port}"
        document = tmp_path / "openapi.json"
        document.write_bytes(server.call("GET", "/openapi.json")[1])
        made = run(
            generator / "openapi-python-client",
            *("generate", "--path", document, "--meta", "none"),
            *("--output-path", tmp_path / "generated"),
            cwd=tmp_path,
            env=environ,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        # Of media types that a generator does not know, an image is the only one.
        warnings = made.stdout.count("WARNING parsing")
        assert warnings == made.stdout.count("/image within"), made.stdout
        imported = run(
            generator / "python", "-W", "error", "-c", IMPORTS, cwd=tmp_path, env=environ
        )
        assert imported.returncode == 0, imported.stderr
        assert int(imported.stdout) > OPERATIONS
        done = run(
            generator / "python", "-c", PROGRAM, address, key, *scans, cwd=tmp_path, env=environ
        )
        assert done.returncode == 0, done.stderr
    assert done.stdout == "match\n"
