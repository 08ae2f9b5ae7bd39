"""Damaged files write nothing to the process's own output, however many there are."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
PROGRAM = """
import random, sys, logging
from benchmarks.picture_files import SCAN, saved
from encoder.errors import ImageError
from encoder.imaging.decode import decode
rng = random.Random(5)
refused = 0
for form in ({"compression": "tiff_lzw"}, {"compression": "tiff_deflate"}, {"compression": "jpeg"},
             {"compression": "packbits"}, {}):
    whole = saved(SCAN, "TIFF", tiffinfo={270: "a description", 282: 300.0}, **form)
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 30)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        for place in range(rng.randint(0, 6)):
            damaged[-rng.randint(1, 200)] = rng.randrange(256)
        try:
            decode(bytes(damaged))
        except ImageError:
            refused += 1
print(refused)
"""


def run(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        check=True,
    )


def test_broken_tiffs_write_nothing() -> None:
    ended = run(PROGRAM)
    assert int(ended.stdout) > 100
    assert ended.stderr == ""


def test_they_would_write_if_they_were_let() -> None:
    loud = PROGRAM.replace(
        "import random",
        "import encoder.imaging.reading.silence as silence\n"
        "silence.silence_decoders = lambda: None\nimport random",
        1,
    )
    if not run(loud).stderr:
        pytest.skip("this Pillow's libtiff says nothing by itself")
