"""A second process that drains a registry's log into a shared index, and says how far it has come.

Arguments: database URL, address of the Milvus server, prefix of the collections. It drains one
row at a time, until it is killed.
"""

import sys
import time

import index.milvus.sync_worker
from index.milvus.address import MilvusAddress
from index.milvus.connection import MilvusConnection
from index.milvus.sync_worker import SyncWorker
from index.registry.following.lease import Lease
from index.registry.registry import Registry

MODEL = "a" * 64


def main() -> None:
    index.milvus.sync_worker.BATCH_ROWS = 1
    registry = Registry(sys.argv[1])
    address = MilvusAddress(sys.argv[2], prefix=sys.argv[3])
    server = MilvusConnection(address, f"{registry.registry_id()}_{MODEL}", 128)
    drain = SyncWorker(registry, server, MODEL)
    advance = Lease.advance

    def told(lease: Lease, *state: object) -> None:
        advance(lease, *state)
        sys.stdout.write(f"{drain.state().position.revision}\n")
        sys.stdout.flush()

    Lease.advance = told
    while True:
        drain.turn()
        time.sleep(0.01)


if __name__ == "__main__":
    main()
