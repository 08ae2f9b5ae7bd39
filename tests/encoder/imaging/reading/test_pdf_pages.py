"""A PDF is drawn in a process of its own, which may fail, hang or grow without harm."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.picture_files import BLANK, SCAN, refusal, saved, shows_the_scan
from encoder.imaging.decode import decode
from encoder.imaging.reading import pdf_child, pdf_pages
from encoder.imaging.reading.formats import PDF_EXTRA, is_installed

needs_pdf = pytest.mark.skipif(not is_installed(PDF_EXTRA), reason="the extra pdf is missing")
pytestmark = needs_pdf


def pdf(*pages: np.ndarray, dpi: int = 150) -> bytes:
    first, *others = (Image.fromarray(page) for page in pages)
    return saved(first, "PDF", save_all=True, append_images=others, resolution=dpi, quality=95)


def test_a_page_is_read() -> None:
    assert shows_the_scan(pdf(SCAN), 0.85)
    assert decode(pdf(SCAN)).media_type == "application/pdf"
    assert decode(pdf(SCAN)).warnings == ()


def test_the_first_page_with_ink_is_taken() -> None:
    data = pdf(BLANK, SCAN, BLANK)
    assert shows_the_scan(data, 0.85)
    assert [one.code for one in decode(data).warnings] == ["other-page", "further-pages"]


def test_pages_that_are_all_blank_are_counted() -> None:
    assert "the first 3" in str(refusal(pdf(BLANK, BLANK, BLANK)))


def test_a_large_page_is_drawn_at_working_resolution() -> None:
    assert max(decode(pdf(SCAN, dpi=5)).gray.shape) == 2400


@pytest.mark.parametrize("keep", [9, 60, 400])
def test_a_damaged_pdf_is_an_image_error(keep: int) -> None:
    error = refusal(pdf(SCAN)[:keep])
    assert error.code == "damaged-image"
    assert "The PDF" in str(error)


def test_nothing_is_left_of_the_process() -> None:
    decode(pdf(SCAN, SCAN))
    children = Path(f"/proc/self/task/{_own_thread()}/children").read_text().split()
    commands = [Path(f"/proc/{child}/cmdline").read_text() for child in children]
    assert not [command for command in commands if "pdf_child" in command]


def _own_thread() -> int:
    return threading.get_native_id()


def child_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let another program than the renderer be started."""
    path = tmp_path / "child.py"
    path.write_text(program)
    monkeypatch.setattr(pdf_child, "__file__", str(path))


def test_a_process_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child_that(tmp_path, monkeypatch, "import time\ntime.sleep(60)\n")
    monkeypatch.setattr(pdf_pages, "MAX_SECONDS", 0.5)
    begin = time.monotonic()
    error = refusal(pdf(SCAN) + bytes(200_000))  # More than a pipe holds: it is never read.
    assert error.code == "too-complex"
    assert time.monotonic() - begin < 10


def test_a_process_that_crashes_is_an_image_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child_that(tmp_path, monkeypatch, "import os\nos.abort()\n")
    assert refusal(pdf(SCAN)).code == "damaged-image"


def test_its_memory_is_limited() -> None:
    grow = (
        "import sys; from encoder.imaging.reading import pdf_child; import resource;"
        "pdf_child.hold_to_limits(); bytearray(2 * pdf_child.MAX_MEMORY)"
    )
    ended = subprocess.run([sys.executable, "-c", grow], capture_output=True, check=False)
    assert b"MemoryError" in ended.stderr


def test_it_is_told_nothing_of_the_servers_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    program = f"import os\nopen({str(seen)!r}, 'w').write(repr(sorted(os.environ)))\n"
    child_that(tmp_path, monkeypatch, program)
    monkeypatch.setenv("COUNTERSIGN_DATABASE_URL", "postgresql://secret")
    refusal(pdf(SCAN))
    assert "COUNTERSIGN" not in seen.read_text()
