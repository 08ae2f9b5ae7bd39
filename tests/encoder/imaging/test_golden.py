"""Golden images are seen today as they were when the `PREPROCESSING_ID` of today was given.

Models and stored embeddings are tied to `PREPROCESSING_ID`, not to the source text. So it has to
change when what the network sees changes, and may stay through every other edit. `golden/` holds
invented signatures of every kind and, in `expected.npz`, the canvas, the pieces and the embedding
that the shipped model makes of each. Libraries and processors may round differently: a little
difference is let pass.

Whoever changes pixels or pieces on purpose takes three steps:

1. Raise `PREPROCESSING_ID`, where `acquire` is, to a text that it never was before.
2. Export the models anew, trained on what is seen now: `countersign train`, `countersign export`.
   The shipped one is such a model too. Those of the former id are refused from now on.
3. Make the golden file anew, at the root of the checkout, and commit all of it together:

    .venv/bin/python tests/encoder/imaging/test_golden.py

The third step alone is enough after another network was shipped, and after `draw_golden.py` has
added an image. It never accepts other pixels under the same id. An image that is refused now while
all others are seen as before tells of `quality`, which no id depends on: draw another in its place.
"""

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from encoder.errors import ImageError
from encoder.imaging.acquire import PREPROCESSING_ID, Acquisition
from encoder.inference.encoder import Encoder, load_encoder
from encoder.scoring.local_descriptors import SHAPE_SIZE, Pieces

FOLDER = Path(__file__).parent / "golden"
EXPECTED = FOLDER / "expected.npz"
IMAGES = sorted(path for path in FOLDER.iterdir() if path.suffix not in {".py", ".npz", ""})

# One grey level in a hundred off by one moves a canvas by up to 0.02 levels on the mean; other
# versions of the libraries, down to the oldest allowed, by nothing at all. The scale of the ink off
# by half a percent moves two levels.
MEAN_OFF = 0.1  # Levels of a canvas, of 255, on the mean of its pixels.
PIXEL_OFF = 32  # Levels from which a pixel counts as another.
PIXELS_OFF = 0.001  # Share of such pixels.
EMBEDDING_OFF = 5e-4  # Of any element of an embedding, whose length is 1.
PIECES_OFF = 0.02  # Share of pieces chosen elsewhere, or with a number off by more than rounding.

CHANGED = "pixels changed: raise PREPROCESSING_ID and export the models anew"


@dataclass(frozen=True)
class Seen:
    """What one model makes of the golden images.

    Attributes:
        names: of the n images.
        canvases: `(n, height, width)` uint8.
        vectors: `(n, d)` float32.
        pieces: `(k, 26)` int8 of each.
    """

    preprocessing_id: str
    model_id: str
    names: tuple[str, ...]
    canvases: NDArray[np.uint8]
    vectors: NDArray[np.float32]
    pieces: tuple[Pieces, ...]


def seen_by(encoder: Encoder) -> Seen:
    canvases = np.stack([encoder.acquire(path.read_bytes()).canvas for path in IMAGES])
    described = encoder.describe(canvases)
    return Seen(
        preprocessing_id=PREPROCESSING_ID,
        model_id=encoder.model_id,
        names=tuple(path.name for path in IMAGES),
        canvases=canvases,
        vectors=described.vectors,
        pieces=described.pieces or (),
    )


def read_expected() -> Seen:
    with np.load(EXPECTED) as file:
        return Seen(
            preprocessing_id=str(file["preprocessing_id"]),
            model_id=str(file["model_id"]),
            names=tuple(file["names"].tolist()),
            canvases=file["canvases"],
            vectors=file["vectors"].astype(np.float32),
            pieces=tuple(np.split(file["pieces"], np.cumsum(file["counts"])[:-1])),
        )


def write_expected(seen: Seen) -> None:
    np.savez_compressed(
        EXPECTED,
        preprocessing_id=np.array(seen.preprocessing_id),
        model_id=np.array(seen.model_id),
        names=np.array(seen.names),
        canvases=seen.canvases,
        vectors=seen.vectors.astype(np.float16),  # Within EMBEDDING_OFF / 4.
        pieces=np.concatenate(seen.pieces),
        counts=np.array([len(pieces) for pieces in seen.pieces]),
    )


def canvas_difference(expected: NDArray[np.uint8], found: NDArray[np.uint8]) -> str | None:
    """How far two canvases are apart, in words; None where rounding may be all of it."""
    if found.shape != expected.shape:
        return f"canvas of {found.shape}, expected {expected.shape}"
    off = np.abs(found.astype(int) - expected)
    others = np.mean(off > PIXEL_OFF)
    if off.mean() <= MEAN_OFF and others <= PIXELS_OFF:
        return None
    return (
        f"canvas off by {off.mean():.3f} levels on the mean (at most {MEAN_OFF}), "
        f"{others:.2%} of its pixels by more than {PIXEL_OFF} (at most {PIXELS_OFF:.1%})"
    )


def embedding_difference(expected: NDArray[np.float32], found: NDArray[np.float32]) -> str | None:
    """How far two embeddings are apart, in words; None where rounding may be all of it."""
    if found.shape != expected.shape:
        return f"embedding of {found.shape}, expected {expected.shape}"
    off = float(np.abs(found - expected).max())
    if off <= EMBEDDING_OFF:
        return None
    return f"embedding off by up to {off:.2g} (at most {EMBEDDING_OFF})"


def pieces_difference(expected: Pieces, found: Pieces) -> str | None:
    """How far the pieces of two signatures are apart, in words; None where it is rounding."""
    if found.shape != expected.shape:
        return f"pieces {found.shape}, expected {expected.shape}"
    off = np.abs(found.astype(int) - expected)
    others = float(np.mean((off[:, :SHAPE_SIZE] > 1).any(1) | (off[:, SHAPE_SIZE:] > 0).any(1)))
    if others <= PIECES_OFF:
        return None
    return f"{others:.1%} of {len(found)} pieces are others (at most {PIECES_OFF:.0%})"


def canvas_differences(expected: Seen, encoder: Encoder) -> list[str]:
    """Of each golden image that is seen otherwise, its name and by how much."""
    lines = []
    for name, canvas in zip(expected.names, expected.canvases, strict=True):
        difference: str | None
        try:
            found = encoder.acquire((FOLDER / name).read_bytes()).canvas
            difference = canvas_difference(canvas, found)
        except ImageError as error:
            difference = f"refused now. {error}"
        lines += [f"{name}: {difference}"] if difference else []
    return lines


def description_differences(expected: Seen, encoder: Encoder) -> list[str]:
    """Of each golden canvas that is described otherwise, its name and by how much.

    The network is given the canvases expected, so that no pixel's rounding adds to its own.
    """
    found = encoder.describe(expected.canvases)
    lines = []
    for n, name in enumerate(expected.names):
        differences = (
            embedding_difference(expected.vectors[n], found.vectors[n]),
            pieces_difference(expected.pieces[n], (found.pieces or ())[n]),
        )
        lines += [f"{name}: {difference}" for difference in differences if difference]
    return lines


def verdict(differences: list[str]) -> str:
    return "\n  ".join([f"{CHANGED} (three steps: {Path(__file__).name}).", *differences])


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


@pytest.fixture(scope="module")
def expected() -> Seen:
    return read_expected()


def test_the_golden_file_is_of_todays_id_model_and_images(encoder: Encoder, expected: Seen) -> None:
    again = f"make the golden file anew ({Path(__file__).name} says how)"
    assert expected.preprocessing_id == PREPROCESSING_ID, again
    assert expected.model_id == encoder.model_id, again
    assert expected.names == tuple(path.name for path in IMAGES), again


def test_canvases_are_as_they_were_under_this_id(encoder: Encoder, expected: Seen) -> None:
    differences = canvas_differences(expected, encoder)
    assert not differences, verdict(differences)


def test_embeddings_and_pieces_are_as_they_were_under_this_id(
    encoder: Encoder, expected: Seen
) -> None:
    differences = description_differences(expected, encoder)
    assert not differences, verdict(differences)


def test_other_pixels_are_never_accepted_under_the_same_id(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoder: Encoder, expected: Seen
) -> None:
    before = EXPECTED.read_bytes()
    copy = tmp_path / EXPECTED.name
    copy.write_bytes(before)
    monkeypatch.setattr(sys.modules[__name__], "EXPECTED", copy)
    acquire = Encoder.acquire

    def shifted(self: Encoder, data: bytes) -> Acquisition:
        acquisition = acquire(self, data)
        return replace(acquisition, canvas=np.roll(acquisition.canvas, 1, axis=1))

    monkeypatch.setattr(Encoder, "acquire", shifted)
    monkeypatch.delenv("CI", raising=False)
    assert len(canvas_differences(expected, encoder)) == len(expected.names)
    with pytest.raises(SystemExit, match=CHANGED):
        main()
    assert copy.read_bytes() == before


def test_the_golden_file_is_not_made_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SystemExit, match="never in CI"):
        main()


def main() -> None:
    """Write `expected.npz` anew, unless that would hide other pixels under the same id."""
    if "CI" in os.environ:
        raise SystemExit("The golden file is made by a person who looks at it, never in CI.")
    encoder = load_encoder()
    if EXPECTED.exists():
        old = read_expected()
        if old.preprocessing_id == PREPROCESSING_ID:
            differences = canvas_differences(old, encoder)
            if old.model_id == encoder.model_id:
                differences += description_differences(old, encoder)
            if differences:
                raise SystemExit(verdict(differences))
    write_expected(seen_by(encoder))
    sys.stdout.write(f"{EXPECTED.name}: {len(IMAGES)} images, {EXPECTED.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
