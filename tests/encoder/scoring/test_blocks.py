"""Blocks of an embedding: turned back exactly, written and read, refused where they do not fit."""

import json

import numpy as np
import pytest

from encoder.errors import UnusableRule
from encoder.scoring.blocks import Blocks

SIZES = (3, 5, 4)
rng = np.random.default_rng(1)
AXES = np.linalg.qr(rng.normal(size=(12, 12)))[0].astype(np.float32)
BLOCKS = Blocks(("layout", "texture", "strokes"), SIZES, AXES)


def turned(parts):
    """Embeddings as a network makes them: unit blocks, joined, turned, scaled to length 1."""
    unit = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts]
    joined = np.concatenate(unit, axis=1) / np.sqrt(len(parts))
    return unit, (joined @ AXES).astype(np.float32)


def test_finds_the_blocks_that_a_network_joined():
    unit, vectors = turned([rng.normal(size=(6, size)) for size in SIZES])
    for found, one in zip(BLOCKS.split(vectors), unit, strict=True):
        assert found == pytest.approx(one, abs=1e-5)
    alike = BLOCKS.similarities(vectors[:2], vectors)
    assert alike.shape == (3, 2, 6)
    assert alike[1] == pytest.approx(unit[1][:2] @ unit[1].T, abs=1e-5)
    assert BLOCKS.similarities_among(vectors) == pytest.approx(
        BLOCKS.similarities(vectors, vectors), abs=1e-6
    )
    # What a network says on the whole is the mean of what its blocks say.
    assert alike.mean(axis=0) == pytest.approx(vectors[:2] @ vectors.T, abs=1e-5)


def test_come_back_from_json_as_good_as_they_went():
    _, vectors = turned([rng.normal(size=(6, size)) for size in SIZES])
    read = Blocks.from_dict(json.loads(json.dumps(BLOCKS.as_dict())), 12)
    assert read.names == BLOCKS.names
    assert read.similarities(vectors, vectors) == pytest.approx(
        BLOCKS.similarities(vectors, vectors), abs=1e-3
    )
    # Written again, nothing moves any more.
    assert read.as_dict() == Blocks.from_dict(read.as_dict(), 12).as_dict()


def test_an_embedding_of_one_block_stays_as_it_is():
    whole = Blocks.from_dict(Blocks().as_dict(), 12)
    vectors = rng.normal(size=(2, 12)).astype(np.float32)
    assert whole.split(vectors)[0] is vectors


@pytest.mark.parametrize(
    "change",
    [
        {"sizes": [3, 5]},
        {"sizes": [3, 5, 5]},
        {"axes": "?"},
        {"axes": BLOCKS.as_dict()["axes"][:-8]},
        {"names": None},
        {"axes": None},
    ],
)
def test_what_does_not_fit_the_embedding_is_refused(change):
    with pytest.raises(UnusableRule, match="blocks"):
        Blocks.from_dict(BLOCKS.as_dict() | change, 12)
