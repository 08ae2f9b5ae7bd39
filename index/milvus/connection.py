"""One process's connection to a Milvus server, or to milvus-lite's file, and its collections.

What is in a collection is for `index`; which one counts, and who may write, for `sync_worker`.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import grpc
from pymilvus import DataType, MilvusClient, MilvusException

from index.errors import IndexUnavailable
from index.milvus.address import MilvusAddress

# A batch is three requests, and all end before the lease does.
REQUEST_TIMEOUT_S = 5.0
# Making a collection loads it; a server that has much to do takes its time.
ADMIN_TIMEOUT_S = 60.0

ID, VECTOR = "reference_id", "vector"


class MilvusConnection:
    """The collections of one registry and model on one server; thread-safe; built after a fork.

    A collection is named after registry, model and dimension, so it can belong to no other, and
    after the making: a new one is filled beside the one that answers.
    """

    def __init__(self, address: MilvusAddress, origin: str, dimension: int) -> None:
        """Connect; `origin` is made of letters, digits and underscores.

        Raises:
            IndexUnavailable: the server cannot be used.
        """
        # Its errors are raised again as ours; with a traceback each, they would flood the log.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        self.address = address
        self.dimension = dimension
        # The lease is the address's: who comes by another name of the host has other collections.
        name = hashlib.sha256(address.identity.encode()).hexdigest()[:8]
        self._stem = f"{address.prefix}_{origin}_d{dimension}_{name}_"
        if address.is_file:
            # Embeddings are personal data; the folder is the owner's alone.
            Path(address.uri).mkdir(mode=0o700, parents=True, exist_ok=True)
        with milvus_errors():
            self.client = MilvusClient(
                address.uri,
                token=address.token,
                db_name=address.database,
                timeout=REQUEST_TIMEOUT_S,
                dedicated=True,
            )

    def create(self) -> str:
        """Make an empty collection, ready to be searched, and return its name."""
        name = self._stem + uuid4().hex[:12]
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=True)
        schema.add_field(ID, DataType.INT64, is_primary=True)
        schema.add_field(VECTOR, DataType.FLOAT_VECTOR, dim=self.dimension)
        with milvus_errors():
            index = self.client.prepare_index_params()
            index.add_index(VECTOR, index_type=self.address.index_type, metric_type="IP")
            # Strong: who reads sees every write that was acknowledged before, whoever wrote. It
            # waits for the server's clock, so a search for a caller names a time instead.
            self.client.create_collection(
                name,
                schema=schema,
                index_params=index,
                consistency_level="Strong",
                num_shards=1,
                timeout=ADMIN_TIMEOUT_S,
            )
        return name

    def timestamp(self) -> int:
        """Return a time of the server's clock, later than that of every write acknowledged before.

        0 where the server tells none: milvus-lite, which shows every write at once.

        Raises:
            IndexUnavailable: the server cannot be used.
        """
        with milvus_errors():
            # The client has no public way to ask; it answers 0 where the server knows no such call.
            handler = self.client._get_connection()
            return int(handler.alloc_timestamp(timeout=REQUEST_TIMEOUT_S))

    def has(self, collection: str) -> bool:
        """Whether the collection is there, and this registry's, model's and dimension's."""
        with milvus_errors():
            return collection.startswith(self._stem) and bool(
                self.client.has_collection(collection, timeout=REQUEST_TIMEOUT_S)
            )

    def drop_others(self, kept: str | None) -> None:
        """Drop every collection of this registry and model but one: a lost process left them."""
        with milvus_errors():
            for name in self.client.list_collections(timeout=REQUEST_TIMEOUT_S):
                if name.startswith(self._stem) and name != kept:
                    self.client.drop_collection(name, timeout=ADMIN_TIMEOUT_S)

    def close(self) -> None:
        """Let go of the connection; a file of milvus-lite stays this process's until it ends."""
        with suppress(MilvusException):
            self.client.close()


@contextmanager
def milvus_errors() -> Iterator[None]:
    """Raise what goes wrong between here and the server as IndexUnavailable."""
    try:
        yield
    except (MilvusException, grpc.RpcError, OSError) as error:
        reason = error.message if isinstance(error, MilvusException) else str(error)
        raise IndexUnavailable(f"The Milvus server cannot be used: {reason}") from error
