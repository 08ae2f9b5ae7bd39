"""How often genuine signatures are told to be too simple, by the cohort that comes with the model.

    python -m benchmarks.distinctiveness FOLDER...

Of each folder of writers some genuine signatures are looked at by themselves, and as claims: one of
them against others of the same writer, up to five. Invented writers come last.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoder.datasets.folder import list_writers
from encoder.errors import ImageError
from encoder.imaging.acquire import Acquisition
from encoder.inference.encoder import Encoder, load_encoder
from encoder.inference.simple_marks import TOO_SIMPLE, simple_marks, simplicity
from encoder.scoring.copies import distinct
from encoder.synthesis import encode_png, synthetic_writer

REFERENCES = 5
WRITERS, IMAGES = 60, 360  # Of each folder: at most so many, and about so many of theirs.
INVENTED, FIRST_SEED = 60, 3_000_000


def measure(writers: Iterable[Iterable[bytes]], encoder: Encoder) -> dict[str, float]:
    """Count the signatures of each writer that are told, alone and as claims.

    Returns:
        `images` and `claims`, how many there were; shares of images told by their ink's turns
        (`by_ink`), or by the cohort too (`told`), of claims told, and of claims whose likelihood
        ratios are held down (`held_down`).
    """
    by_ink, told, claims, held = [], [], [], []
    for images in writers:
        acquired = list(_acquired(images, encoder))
        if not acquired:
            continue
        signatures = encoder.describe(np.stack([one.canvas for one in acquired]))
        ink = np.array([_says(one) for one in acquired])
        alone = simple_marks(acquired, signatures, encoder)
        by_ink += ink.tolist()
        told += (ink | np.array([bool(one) for one in alone])).tolist()
        for number in range(len(acquired)):
            others = _others(len(acquired), number)
            if not others.size:
                continue
            references = signatures[others]
            which = distinct(references)
            found = simplicity(acquired[number], signatures[[number]], references, which, encoder)
            claims.append(found.by_its_ink or bool(found.cautions))
            held.append(found.ceiling is not None)
    return {
        "images": len(told),
        "by_ink": float(np.mean(by_ink)),
        "told": float(np.mean(told)),
        "claims": len(claims),
        "claims_told": float(np.mean(claims)),
        "held_down": float(np.mean(held)),
    }


def _others(count: int, number: int) -> NDArray[np.int64]:
    """Numbers of up to five signatures of a writer after this one, around the end."""
    return (number + 1 + np.arange(min(REFERENCES, count - 1))) % count


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
    each = max(REFERENCES + 1, IMAGES // len(chosen))
    for name in chosen:
        paths = sorted((folder / name).glob("genuine_*"))[:each]
        yield (path.read_bytes() for path in paths)


def invented() -> Iterator[Iterator[bytes]]:
    """Signatures of invented writers."""
    for seed in range(FIRST_SEED, FIRST_SEED + INVENTED):
        writer = synthetic_writer(seed)
        yield (encode_png(writer.genuine(number)) for number in range(REFERENCES + 1))


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
    print(
        "| signatures | images | told by their ink, % | told in all, % | claims | claims told, % | "
        "held down, % |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, row in found.items():
        shares = [f"{100 * row[one]:.1f}" for one in ("by_ink", "told", "claims_told", "held_down")]
        cells = [row["images"], *shares[:2], row["claims"], *shares[2:]]
        print(f"| {name} | {' | '.join(str(cell) for cell in cells)} |")


if __name__ == "__main__":
    main()
