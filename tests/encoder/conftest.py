"""Synthetic writers, so that no real person's signature is in a test."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from encoder.evaluation.trials import EmbeddedWriter
from encoder.scoring.templates import Signatures
from encoder.synthesis import encode_png, synthetic_writer

WRITERS = 20
GENUINE = 6
FORGED = 3


@pytest.fixture(scope="session")
def writers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty synthetic writers with six genuine signatures and three forgeries each."""
    root = tmp_path_factory.mktemp("data") / "invented"
    for seed in range(WRITERS):
        folder = root / f"{seed:03d}"
        folder.mkdir(parents=True)
        writer = synthetic_writer(500 + seed)
        for n in range(GENUINE):
            (folder / f"genuine_{n:02d}.png").write_bytes(encode_png(writer.genuine(n)))
        for n in range(FORGED):
            (folder / f"forged_{n:02d}.png").write_bytes(encode_png(writer.forgery(n)))
    (root / "SOURCE.md").write_text("# Invented\n- Terms: ours to give.\n", encoding="utf-8")
    return root


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="session")
def invent() -> Callable[..., list[EmbeddedWriter]]:
    """Return `invent(count, ...)`: writers as a model sees them, without pieces of strokes."""

    def invented(
        count: int = 12, *, seed: int = 0, forged: int = 8, skill: float = 0.16, data_set: str = ""
    ) -> list[EmbeddedWriter]:
        """Forgeries scatter by `skill` around their victim; smaller is better forged."""
        rng = np.random.default_rng(seed)
        writers = []
        for number in range(count):
            centre = unit(rng.normal(size=32))
            genuine = unit(centre + rng.normal(scale=0.08, size=(12, 32)))
            forgeries = unit(centre + rng.normal(scale=skill, size=(forged, 32)))
            name, described = f"w{number}", (Signatures(genuine), Signatures(forgeries))
            writers.append(EmbeddedWriter(name, name, *described, data_set))
        return writers

    return invented
