"""A second process that enrolls batches and says on stdout what was acknowledged.

Arguments: database URL, name of the process, number of batches (0: until it is killed).
"""

import hashlib
import itertools
import sys

import numpy as np

from index.registry.references import NewReference
from index.registry.registry import Registry

MODEL = "a" * 64
BATCH = 5


def reference(writer_id: str, number: int) -> NewReference:
    image = f"{writer_id} {number}".encode() * 50
    digest = hashlib.sha256(image).hexdigest()
    vector = np.random.default_rng(int(digest[:12], 16)).standard_normal(128)
    vector = (vector / np.linalg.norm(vector)).astype(np.float32)
    return NewReference(image, "image/png", b"cleaned", digest, {}, vector)


def main() -> None:
    registry = Registry(sys.argv[1])
    batches = int(sys.argv[3])
    for batch in range(batches) if batches else itertools.count():
        writer_id = f"{sys.argv[2]}-{batch}"
        references = [reference(writer_id, number) for number in range(BATCH)]
        _, added = registry.writers.create(writer_id, "", MODEL, references)
        sys.stdout.write(" ".join([writer_id, *(str(one.reference_id) for one in added)]) + "\n")
        sys.stdout.flush()
    registry.close()


if __name__ == "__main__":
    main()
