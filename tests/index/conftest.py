"""A migrated registry in a file of its own for each test, and random unit vectors to enroll."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pytest
from numpy.typing import NDArray

import index
from index.ivf.build import untuned
from index.ivf.index import IvfIndex
from index.milvus.address import MilvusAddress
from index.registry.references import NewReference
from index.registry.registry import Registry
from index.registry.schema_version import upgrade
from index.sync.local_gallery import LocalGallery
from index.vectors.flat_index import FlatIndex
from index.vectors.unit_vectors import unit_vectors
from index.vectors.vector_index import Neighbours, RecallTarget, VectorIndex

# A new backend is added here, and must pass every test of `test_vector_index`.
BACKENDS = ("flat", "ivf", "milvus")
# How far a similarity may be off: rounding, or codes of 8 and 4 bits of a hundred numbers.
TOLERANCES = {"flat": 1e-6, "ivf": 5e-2, "milvus": 1e-6}
# These run on both databases; the server's start is skipped, saying so, where there is none.
ON_POSTGRESQL_TOO = {
    "test_audit_chain",
    "test_audit_log",
    "test_backups",
    "test_change_log",
    "test_access_rows",
    "test_erasures",
    "test_expired",
    "test_galleries",
    "test_gallery_calibrations",
    "test_kept_answers",
    "test_leading",
    "test_lease",
    "test_local_gallery",
    "test_models",
    "test_processes",
    "test_rebuild_policy",
    "test_recent_changes",
    "test_references",
    "test_rows",
    "test_shared_gallery",
    "test_sync_worker",
    "test_trail",
    "test_writers",
}
if TYPE_CHECKING:
    from index.milvus.connection import MilvusConnection
    from index.milvus.shared_gallery import SharedGallery

if gone := ON_POSTGRESQL_TOO - {one.stem for one in Path(__file__).parent.rglob("test_*.py")}:
    raise pytest.UsageError(f"Renamed, so that they no longer run on PostgreSQL: {gone}")
DIMENSION = 128
MODEL = "a" * 64


@pytest.fixture(params=BACKENDS)
def backend(request) -> type[VectorIndex]:
    if request.param == "milvus":
        from index.milvus.index import MilvusIndex  # noqa: PLC0415  # As below.

        return MilvusIndex
    return {"flat": FlatIndex, "ivf": IvfIndex}[request.param]


@pytest.fixture
def tolerance(backend) -> float:
    return TOLERANCES[backend.kind]


@pytest.fixture
def empty(backend, unit, request) -> VectorIndex:
    if backend is IvfIndex:
        return untuned(unit(2000, seed=77), list_count=16)
    if backend.kind == "milvus":
        server = request.getfixturevalue("milvus_server")
        return backend(server, server.create())
    return backend(DIMENSION)


@pytest.fixture
def milvus_address(milvus_lite) -> MilvusAddress:
    """Room of the test's own on the server."""
    return MilvusAddress(milvus_lite, prefix=f"t{uuid4().hex}")


@pytest.fixture
def milvus_server(milvus_address) -> "Iterator[MilvusConnection]":
    from index.milvus.connection import MilvusConnection  # noqa: PLC0415  # Seconds to load.

    server = MilvusConnection(milvus_address, "test", DIMENSION)
    yield server
    server.drop_others(None)
    server.close()


@pytest.fixture
def unit() -> Callable[..., NDArray[np.float32]]:
    """Return `unit(n, seed)`: n random unit vectors (n, 128) float32, the same for one seed."""

    def make(n: int, seed: int = 0, dimension: int = DIMENSION) -> NDArray[np.float32]:
        vectors = np.random.default_rng(seed).standard_normal((n, dimension))
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    return make


@pytest.fixture
def new_references(unit) -> Callable[..., list[NewReference]]:
    """Return `new_references(n, seed)`: references with small byte strings for images."""

    def make(n: int, seed: int = 0) -> list[NewReference]:
        made = []
        for number, vector in enumerate(unit(n, seed)):
            image = f"image {seed} {number} ".encode() * 20
            made.append(
                NewReference(
                    image=image,
                    media_type="image/tiff",
                    cleaned_png=f"cleaned {seed} {number} ".encode() * 20,
                    sha256=hashlib.sha256(image).hexdigest(),
                    quality={"ink_height_px": 40, "warnings": []},
                    vector=vector,
                    filename=f"{seed}-{number}.tif",
                    pieces=f"pieces {seed} {number} ".encode() * 20,
                )
            )
        return made

    return make


def pytest_generate_tests(metafunc):
    if "database" in metafunc.fixturenames:
        both = metafunc.module.__name__.rpartition(".")[2] in ON_POSTGRESQL_TOO
        # What looks into the database's file can only mean SQLite's.
        both = both and "database_file" not in metafunc.fixturenames
        names = ["sqlite", "postgresql"] if both else ["sqlite"]
        metafunc.parametrize("database", names, indirect=True)


@pytest.fixture
def database(request) -> str:
    """Which database the test runs on."""
    return request.param


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory) -> Path:
    """A database that Alembic has just made; copied for each test, since that is quicker."""
    path = tmp_path_factory.mktemp("migrated") / "registry.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def database_file(migrated_file, tmp_path) -> Path:
    return shutil.copy(migrated_file, tmp_path / "registry.db")


@pytest.fixture
def database_url(database, request) -> str:
    if database == "sqlite":
        return f"sqlite:///{request.getfixturevalue('database_file')}"
    return request.getfixturevalue("postgresql_url")


@pytest.fixture
def registry(database_url) -> Iterator[Registry]:
    opened = Registry(database_url)
    opened.models.register(MODEL, "test model", DIMENSION)
    yield opened
    opened.close()


@pytest.fixture
def open_gallery(registry, tmp_path) -> Iterator[Callable[..., LocalGallery]]:
    """Return `open_gallery(...)`: a gallery that is closed after the test; `.report` is kept."""
    opened = []

    def make(
        own_registry: Registry = registry,
        model_id: str = MODEL,
        folder: str = "snapshots",
        ivf_from: int = 200_000,
        nearest: int = 10,
        fetched: int = 80,
    ) -> LocalGallery:
        target = RecallTarget(fetched, nearest)
        gallery = LocalGallery(
            own_registry, model_id, DIMENSION, tmp_path / folder, ivf_from, target
        )
        gallery.report = gallery.open()
        opened.append(gallery)
        return gallery

    yield make
    for gallery in opened:
        gallery.close()


@pytest.fixture
def second(database_url) -> Iterator[Registry]:
    """Another process's registry, on the same database."""
    other = Registry(database_url)
    yield other
    other.close()


@pytest.fixture
def share(registry, milvus_address, monkeypatch) -> "Iterator[Callable[..., SharedGallery]]":
    """Return `share(registry)`: a gallery on the test's server; `.report` says how it opened."""
    from index.milvus.connection import MilvusConnection  # noqa: PLC0415  # As above.
    from index.milvus.shared_gallery import SharedGallery  # noqa: PLC0415

    # Tests share the machine with much else; who waits too long is told so where that is tested.
    monkeypatch.setattr("index.milvus.shared_gallery.REVISION_WAIT_S", 60)
    opened, models = [], set()

    def make(
        own_registry: Registry = registry, model_id: str = MODEL, **_of_others: object
    ) -> SharedGallery:
        gallery = SharedGallery(own_registry, model_id, DIMENSION, milvus_address)
        opened.append(gallery)
        models.add(model_id)
        gallery.report = gallery.open()
        return gallery

    yield make
    for gallery in opened:
        gallery.close()
    for model_id in models:
        server = MilvusConnection(milvus_address, f"{registry.registry_id()}_{model_id}", DIMENSION)
        server.drop_others(None)
        server.close()


@pytest.fixture
def listed() -> Callable[[list[Neighbours]], list[list[tuple[int, float]]]]:
    """Return `listed(found)`: for each probe the ids and similarities found, to be compared."""

    def pairs(found: list[Neighbours]) -> list[list[tuple[int, float]]]:
        both = ((one.reference_ids.tolist(), one.similarities.tolist()) for one in found)
        return [list(zip(*one, strict=True)) for one in both]

    return pairs


@pytest.fixture
def run_together() -> Callable[..., None]:
    """Return `run_together(*functions)`: each in a thread; the first error of any is raised."""

    def run(*functions: Callable[[], None]) -> None:
        with ThreadPoolExecutor(len(functions)) as pool:
            running = [pool.submit(function) for function in functions]
            for one in running:
                one.result()

    return run


@pytest.fixture
def child_environment() -> dict[str, str]:
    """The environment in which a second Python finds these packages."""
    return {**os.environ, "PYTHONPATH": str(Path(index.__file__).parents[1])}


@pytest.fixture
def clustered(unit):
    """Vectors of 400 writers, 10 each, as near one another as references are."""
    spread = np.repeat(unit(400, seed=1), 10, axis=0) + 1.3 * unit(4000, seed=2)
    return unit_vectors(spread / np.linalg.norm(spread, axis=1, keepdims=True), 128)
