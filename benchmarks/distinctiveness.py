"""How often genuine signatures are told to be too simple, by the cohort that comes with the model.

    python -m benchmarks.distinctiveness FOLDER...

Of each folder of writers some genuine signatures are looked at. Invented writers come last.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from encoder.datasets.folder import list_writers
from encoder.errors import ImageError
from encoder.imaging.acquire import Acquisition
from encoder.inference.encoder import Encoder, load_encoder
from encoder.inference.simple_marks import TOO_SIMPLE, simple_marks
from encoder.synthesis import encode_png, synthetic_writer

# Of each folder at most so many writers, and about so many images of theirs, EACH or more.
WRITERS, IMAGES, EACH = 60, 360, 6
INVENTED, FIRST_SEED = 60, 3_000_000


def measure(writers: Iterable[Iterable[bytes]], encoder: Encoder) -> dict[str, float]:
    """Count the signatures of each writer that are told.

    Returns:
        `images`, how many there were, and the shares of them that are told by their ink's turns
        (`by_ink`), or by the cohort too (`told`).
    """
    by_ink, told = [], []
    for images in writers:
        acquired = list(_acquired(images, encoder))
        if not acquired:
            continue
        signatures = encoder.describe(np.stack([one.canvas for one in acquired]))
        ink = np.array([_says(one) for one in acquired])
        by_cohort = np.array([bool(one) for one in simple_marks(acquired, signatures, encoder)])
        by_ink += ink.tolist()
        told += (ink | by_cohort).tolist()
    return {
        "images": len(told),
        "by_ink": float(np.mean(by_ink)),
        "told": float(np.mean(told)),
    }


def _says(acquisition: Acquisition) -> bool:
    return any(one.code == TOO_SIMPLE for one in acquisition.quality.warnings)


def _acquired(images: Iterable[bytes], encoder: Encoder) -> Iterator[Acquisition]:
    for data in images:
        try:
            yield encoder.acquire(data)
        except ImageError:
            continue


def of_folder(folder: Path) -> Iterator[Iterator[bytes]]:
    """Some genuine signatures of some writers, evenly chosen."""
    names = list_writers(folder)
    chosen = names[:: -(-len(names) // WRITERS)]
    each = max(EACH, IMAGES // len(chosen))
    for name in chosen:
        paths = sorted((folder / name).glob("genuine_*"))[:each]
        yield (path.read_bytes() for path in paths)


def invented() -> Iterator[Iterator[bytes]]:
    """Signatures of invented writers."""
    for seed in range(FIRST_SEED, FIRST_SEED + INVENTED):
        writer = synthetic_writer(seed)
        yield (encode_png(writer.genuine(number)) for number in range(EACH))


def main() -> None:
    """Print a table of data sets, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="folders of writers")
    parser.add_argument("--model", type=Path, help="a model folder; the shipped one by default")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    chosen = parser.parse_args()
    encoder = load_encoder(chosen.model)
    found = {folder.name: measure(of_folder(folder), encoder) for folder in chosen.folders}
    found["invented"] = measure(invented(), encoder)
    if chosen.json:
        print(json.dumps(found, indent=1))
        return
    print("| signatures | images | told by their ink, % | told in all, % |")
    print("|---|---|---|---|")
    for name, row in found.items():
        shares = " | ".join(f"{100 * row[one]:.1f}" for one in ("by_ink", "told"))
        print(f"| {name} | {row['images']} | {shares} |")


if __name__ == "__main__":
    main()
