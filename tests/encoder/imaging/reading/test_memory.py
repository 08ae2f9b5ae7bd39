"""Large pictures at the same time take little more memory than one, and none of it stays."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from PIL import Image
from benchmarks.picture_files import SCAN, saved
from encoder.imaging.acquire import acquire

def mebibytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(field))

options = {"PNG": {"compress_level": 1}}
kind = sys.argv[1]
large = Image.fromarray(SCAN).resize((6000, 4200)).convert("RGB")
data = saved(large, kind, **options.get(kind, {}))
del large
acquire(saved(SCAN))
Path("/proc/self/clear_refs").write_text("5")  # Forget the highest memory so far.
before = mebibytes("VmRSS")
with ThreadPoolExecutor(4) as pool:
    list(pool.map(lambda _: acquire(data), range(4)))
print(mebibytes("VmHWM") - before, mebibytes("VmRSS") - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_four_large_pictures_at_once(kind: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, kind],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        check=True,
    )
    most, left = map(int, ended.stdout.split())
    assert most < 340  # One after the other; together they take 350 to 540.
    assert left < 200
