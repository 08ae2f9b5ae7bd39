"""Vectors as signatures have them, any number: drawn from a spread fitted to real embeddings.

`python -m benchmarks.signature_like fit FOLDER...` fits it anew, to folders of writers with
genuine_*.png; what is kept are two covariances and a mean, of more than a thousand writers, none of
whom can be told from them. How near the drawn ones come is printed beside the real ones.
"""

import argparse
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoder.errors import EncoderError
from encoder.inference.encoder import load_encoder
from index.vectors.unit_vectors import leading

SPREAD = Path(__file__).parent / "models" / "signature_spread.npz"
REFERENCES_PER_WRITER = 5
# Some writers have much in common: names, scripts, schooling. Without such groups the nearest
# other writer of a drawn gallery is farther away than in the real one, and searching it too easy.
WRITERS_PER_GROUP = 20
GROUP_SHARE = 0.6  # Of the variance between writers.
STEADINESS = 0.4  # Standard deviation, of the logarithm, of how much a writer varies.
_WRITERS_AT_ONCE = 20_000
_SIGNATURES_PER_WRITER = 12

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Spread:
    """A mean (d,), and factors (d, d) of the covariances between and within writers."""

    mean: NDArray[np.float64]
    between: NDArray[np.float64]
    within: NDArray[np.float64]


def read_spread() -> Spread:
    """Read what was fitted."""
    with np.load(SPREAD) as fitted:
        return Spread(*(fitted[name].astype(np.float64) for name in ("mean", "between", "within")))


def draw(writers: int, seed: int, per_writer: int = REFERENCES_PER_WRITER) -> Iterator[Vectors]:
    """Give (n, d) unit vectors of writers who never were, those of one writer side by side.

    One more signature of each stands last among them, to be the probe.
    """
    spread = read_spread()
    random = np.random.default_rng(seed)
    for start in range(0, writers, _WRITERS_AT_ONCE):
        count = min(_WRITERS_AT_ONCE, writers - start)
        yield _of_writers(spread, count, per_writer + 1, random)


def gallery(size: int, seed: int, probes: int) -> tuple[Vectors, Vectors]:
    """Return a gallery (size, d), and probes (p, d), no more than it has writers."""
    vectors = np.empty((size, len(read_spread().mean)), np.float32)
    kept, end = [], 0
    for part in draw(size // REFERENCES_PER_WRITER, seed):
        by_writer = part.reshape(-1, REFERENCES_PER_WRITER + 1, vectors.shape[1])
        references = by_writer[:, :-1].reshape(-1, vectors.shape[1])
        vectors[end : end + len(references)] = references
        end += len(references)
        kept.append(by_writer[:, -1])
    writers = end // REFERENCES_PER_WRITER
    chosen = np.random.default_rng(seed + 1).choice(writers, min(probes, writers), False)
    return vectors[:end], np.concatenate(kept)[chosen]


def writers_of(reference_ids: Collection[int]) -> dict[int, str]:
    """Return whose the references of a gallery are that are numbered from 1."""
    return {one: f"W-{(one - 1) // REFERENCES_PER_WRITER}" for one in reference_ids}


def _of_writers(spread: Spread, writers: int, each: int, random: np.random.Generator) -> Vectors:
    dimension = len(spread.mean)
    groups = random.standard_normal((writers // WRITERS_PER_GROUP + 1, dimension))
    own = random.standard_normal((writers, dimension)) * np.sqrt(1 - GROUP_SHARE)
    own += np.sqrt(GROUP_SHARE) * np.repeat(groups, WRITERS_PER_GROUP, axis=0)[:writers]
    steadiness = random.lognormal(-(STEADINESS**2), STEADINESS, (writers, 1))
    noise = random.standard_normal((writers * each, dimension)) @ spread.within.T
    drawn = np.repeat(spread.mean + own @ spread.between.T, each, axis=0)
    drawn += np.repeat(steadiness, each, axis=0) * noise
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn.astype(np.float32)


def fit(vectors: Vectors, writers: NDArray[np.intp]) -> Spread:
    """Fit the spread to unit vectors (n, d) of writers numbered (n,) from 0."""
    counts = np.bincount(writers)
    sums = np.zeros((len(counts), vectors.shape[1]))
    np.add.at(sums, writers, vectors)
    means = sums / counts[:, np.newaxis]
    rest = vectors - means[writers]
    within = rest.T @ rest / (len(vectors) - len(counts))
    # The mean of few signatures varies more than what it is the mean of.
    between = np.cov(means.T) - within * np.mean(1 / counts)
    return Spread(means.mean(axis=0), _factor(between), _factor(within))


def _factor(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    values, axes = np.linalg.eigh(covariance)
    factor: NDArray[np.float64] = axes * np.sqrt(np.maximum(values, 0.0))
    return factor


def similarities(vectors: Vectors, writers: NDArray[np.intp]) -> dict[str, list[float]]:
    """Return quantiles of the similarities that make a search easy or hard."""
    table = vectors @ vectors.T
    same = writers[:, np.newaxis] == writers
    others = np.where(same, -1.0, table).max(axis=1)
    np.fill_diagonal(same, False)
    own = np.where(same, table, -1.0).max(axis=1)
    different = table[~same & ~np.eye(len(table), dtype=np.bool_)]
    found = {
        "same writer": table[same],
        "different writers": different,
        "nearest of the same": own,
        "nearest of another": others,
    }
    places = (0.05, 0.5, 0.95, 0.99)
    return {name: np.quantile(row, places).round(3).tolist() for name, row in found.items()}


def _embedded(folders: list[Path]) -> tuple[Vectors, NDArray[np.intp]]:
    """Embed up to 12 genuine signatures of each writer that has two or more."""
    encoder = load_encoder()
    found: list[Vectors] = []
    for writer in sorted(one for folder in folders for one in folder.iterdir() if one.is_dir()):
        canvases = []
        for path in sorted(writer.glob("genuine_*"))[:_SIGNATURES_PER_WRITER]:
            try:
                canvases.append(encoder.acquire(path.read_bytes()).canvas)
            except EncoderError:
                continue
        if len(canvases) > 1:
            whole = encoder.describe(np.stack(canvases)).vectors
            found.append(leading(whole, encoder.index_dimension))
    return np.concatenate(found), np.repeat(np.arange(len(found)), [len(own) for own in found])


def main() -> None:
    """Fit, write, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("fit", choices=["fit"])
    parser.add_argument("folders", nargs="+", type=Path)
    vectors, writers = _embedded(parser.parse_args().folders)
    spread = fit(vectors, writers)
    kept = {name: array.astype(np.float16) for name, array in vars(spread).items()}
    np.savez_compressed(SPREAD, **kept)
    drawn = next(draw(int(writers.max()) + 1, seed=1, per_writer=4))
    print(f"{len(vectors)} signatures of {writers.max() + 1} writers; quantiles 5, 50, 95, 99 %")
    for name, (real, like) in {
        name: (row, similarities(drawn, np.repeat(np.arange(len(drawn) // 5), 5))[name])
        for name, row in similarities(vectors, writers).items()
    }.items():
        print(f"{name:22} real {real}  drawn {like}")


if __name__ == "__main__":
    main()
