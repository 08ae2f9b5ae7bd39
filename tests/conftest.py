"""What tests of several packages work with: servers, each a process of our own on loopback, and
an environment in which the wheel is installed."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from index.registry.schema_version import upgrade

ROOT = Path(__file__).parent.parent

# Importing pymilvus closes every log handler. TensorFlow's would close the stderr that it was made
# with, which is pytest's, but leaves alone the process's own.
with suppress(ImportError):  # It comes with the `train` extra.
    from absl.logging import get_absl_handler

    get_absl_handler().python_handler.stream = sys.__stderr__


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for_port(port: int, timeout_s: float = 60) -> None:
    give_up_at = time.monotonic() + timeout_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.05)
        else:
            return


@pytest.fixture(scope="session")
def milvus_lite(tmp_path_factory) -> Iterator[str]:
    """A process of milvus-lite on a free port of loopback, as several clients can reach it."""
    port = free_port()
    folder = tmp_path_factory.mktemp("milvus")
    arguments = ["server", "--data-dir", str(folder / "shared.db"), "--port", str(port)]
    process = subprocess.Popen([sys.executable, "-m", "milvus_lite", *arguments])
    try:
        wait_for_port(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A PostgreSQL server of our own on a free port of loopback; its URL ends before the name."""
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    programs = [shutil.which("initdb"), *sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    found = [Path(one) for one in programs if one]
    if not found:
        pytest.skip("no PostgreSQL server is installed")
    # It refuses to run as root.
    user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    run = partial(subprocess.run, check=True, stdout=subprocess.DEVNULL, cwd="/", **user)
    folder = Path(tempfile.mkdtemp())
    if user:
        shutil.chown(folder, **user)
    port = free_port()
    programs_folder = found[0].resolve().parent
    data = folder / "data"
    options = f"-p {port} -h 127.0.0.1 -k '' -c fsync=off -c max_connections=200"
    control = [programs_folder / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    access = ["-U", "test", "-A", "trust", "-E", "UTF8"]
    run([programs_folder / "initdb", "-D", data, "--no-sync", *access])
    run([*control, "-o", options, "start"])
    try:
        yield f"postgresql+psycopg://test@127.0.0.1:{port}/"
    finally:
        run([*control, "-m", "immediate", "stop"])
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server) -> str:
    """A database that Alembic has just made; copied for each test."""
    execute(postgresql_server, "CREATE DATABASE migrated")
    upgrade(f"{postgresql_server}migrated")
    return "migrated"


@pytest.fixture
def postgresql_url(postgresql_server, postgresql_template) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    execute(postgresql_server, f"CREATE DATABASE {name} TEMPLATE {postgresql_template}")
    yield f"{postgresql_server}{name}"
    execute(postgresql_server, f"DROP DATABASE {name} WITH (FORCE)")


def execute(server: str, statement: str) -> None:
    engine = create_engine(f"{server}postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Hold a reader open in another process: its locks are not this one's to lose."""
    program = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('BEGIN'); c.execute('SELECT count(*) FROM writers').fetchone();"
        "print('reading', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n"
        yield
    finally:
        process.communicate("")


@pytest.fixture
def reading() -> Callable[[Path], AbstractContextManager[None]]:
    """Hold a reader of an SQLite registry open: `with reading(database_file):`."""
    return _reading


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="session")
def elsewhere(wheel, tmp_path_factory) -> Path:
    """A folder outside the checkout, in which `venv` has the wheel and what it needs.

    Packages are links into uv's cache, which a package index is asked to fill only where it lacks
    one.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "venv", symlinks=True)
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", str(wheel)]
    command += ["--python", str(folder / "venv/bin/python")]
    for source in (["--offline"], []):
        done = subprocess.run([*command, *source], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return folder
    if re.search(r"(?i)dns error|connect|timed out|offline", done.stderr):
        pytest.skip("no package index can be reached")
    raise RuntimeError(done.stderr)


def without_checkout() -> dict[str, str]:
    """The environment without what leads to the checkout, or sets anything."""
    left_out = ("PYTHON", "COUNTERSIGN_", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
