"""What an index of lists still finds when others come than those it was trained on.

Signature-like vectors, as many again as the gallery has, of writers who differ from those there in
one way or another. `python -m benchmarks.index_drift`.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.index_engines import Ivf
from benchmarks.signature_like import REFERENCES_PER_WRITER, gallery
from index.ivf.index import IvfIndex
from index.ivf.recall_probes import NEAREST
from index.vectors.vector_index import RecallTarget
from service.decisions.identify import neighbours_fetched

FETCHED = neighbours_fetched()  # As many near references as an identification asks for.

Vectors = NDArray[np.float32]
_PROBES = 2000


def _unit(vectors: NDArray[np.floating[Any]]) -> Vectors:
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def ways(there: Vectors) -> dict[str, Callable[[Vectors], Vectors]]:
    """Return how those who come may differ from those who are there (n, d)."""
    mean = there.mean(axis=0)
    axes = np.linalg.eigh(there.T @ there)[1][:, ::-1]
    halved = axes * np.where(np.arange(len(mean)) < 10, 0.5, 1.0)
    return {
        "not at all": lambda vectors: vectors,
        "more alike": lambda vectors: _unit(mean + 0.6 * (vectors - mean)),
        "with a weak direction in common": lambda vectors: _unit(vectors + 0.3 * axes[:, 100]),
        "with a strong direction in common": lambda vectors: _unit(vectors + 0.5 * axes[:, 5]),
        "less along the ten strongest directions": lambda vectors: _unit(vectors @ halved @ axes.T),
        "in other directions": lambda vectors: _unit(np.roll(vectors @ axes, 50, axis=1) @ axes.T),
    }


def found(index: IvfIndex, held: Vectors, probes: Vectors) -> float:
    """Return the share of the ten nearest of (n, d), numbered from 1, that searches find."""
    nearest = faiss.knn(probes, held, NEAREST, metric=faiss.METRIC_INNER_PRODUCT)[1]
    owners = nearest // REFERENCES_PER_WRITER
    fetched = [
        (own.reference_ids - 1) // REFERENCES_PER_WRITER for own in index.search(probes, FETCHED)
    ]
    shares = [np.isin(row, own).mean() for row, own in zip(owners, fetched, strict=True)]
    return float(np.mean(shares))


def trained(there: Vectors) -> IvfIndex:
    """Return an index as a gallery would make it of (n, d), numbered from 1."""
    engine = Ivf()
    engine.targets = (RecallTarget(FETCHED),)
    engine.build(np.arange(1, len(there) + 1), there)
    return engine.index


def measure(size: int) -> list[dict[str, Any]]:
    """Return a row for each way to differ, the first for the gallery before any came."""
    there, probes = gallery(size, seed=1, probes=_PROBES)
    others, their_probes = gallery(size, seed=2, probes=_PROBES)
    index = trained(there)
    loss, imbalance = index.tuned.loss, index.tuned.imbalance
    rows: list[dict[str, Any]] = [{"others": "none", "found": found(index, there, probes)}]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        index.save(path)
        for name, way in ways(there).items():
            index = IvfIndex.load(path, there.shape[1])
            come = way(others)
            index.add(np.arange(size + 1, 2 * size + 1), come)
            seen = index.has_drifted()
            now = index.fit()
            held = np.concatenate([there, come])
            row = {"others": name, "found": found(index, held, probes)}
            row |= {"of_theirs": found(index, held, way(their_probes)), "seen": seen}
            rows.append(row | {"loss": now[0] / loss, "imbalance": now[1] / imbalance})
    return rows


def main() -> None:
    """Print the rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--size", type=int, default=100_000)
    for row in measure(parser.parse_args().size):
        print(json.dumps(row))


if __name__ == "__main__":
    main()
