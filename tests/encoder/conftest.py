"""Folders of synthetic writers, so that no real person's signature is in a test."""

from pathlib import Path

import pytest

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
