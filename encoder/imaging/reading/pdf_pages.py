"""Reads the pages of a PDF through PDFium, in a process of its own.

PDFium must not be used by two threads, and what crashes or hangs it must not harm the server. The
process is held to a time and a memory, gets no environment and no file, and lives for one PDF.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import IO

import numpy as np

from encoder.errors import OversizeImage, UndecodableImage
from encoder.imaging.ink import MAX_SIDE_PX
from encoder.imaging.reading import pdf_child
from encoder.imaging.reading.page import MAX_PAGES, Page

MAX_SECONDS = 10.0
_AT_ONCE = threading.BoundedSemaphore(2)  # Processes: each may take some hundred megabytes.
_REFUSALS = {
    pdf_child.DAMAGED: (
        "damaged-image",
        "The PDF is damaged or cut short; export it again, or send the page as PNG.",
    ),
    pdf_child.LOCKED: (
        "locked-pdf",
        "The PDF is protected by a password; save it without one, or send the page as PNG.",
    ),
    pdf_child.EMPTY: ("damaged-image", "The PDF has no pages."),
}
_FAILED = (
    "damaged-image",
    "The PDF could not be drawn within its share of memory; send the page as PNG at 300 dpi.",
)


def pdf_pages(data: bytes) -> Generator[Page, None, None]:
    """Draw page after page, until the caller stops or there are no more.

    Args:
        data: a PDF.

    Raises:
        UndecodableImage: it is damaged, has no pages or is protected by a password.
        OversizeImage: drawing it takes too long.
    """
    with _AT_ONCE, _started() as child:
        late = threading.Event()

        def end() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(MAX_SECONDS, end)
        timer.start()
        drawn = 0
        try:
            for drawn, page in enumerate(_pages_of(child, data), start=1):  # noqa: B007
                yield page
            code = child.wait()
        finally:
            timer.cancel()
            child.kill()
    if late.is_set():
        raise OversizeImage(
            "too-complex",
            f"The PDF took more than {MAX_SECONDS:.0f} seconds to draw; send the page as PNG.",
        )
    if code or not drawn:
        raise UndecodableImage(*_REFUSALS.get(code, _FAILED))


def _started() -> subprocess.Popen[bytes]:
    packages = os.environ.get("PYTHONPATH")
    return subprocess.Popen(  # noqa: S603 - This interpreter, and a file of ours.
        [sys.executable, "-P", str(Path(pdf_child.__file__)), str(MAX_SIDE_PX), str(MAX_PAGES)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={} if packages is None else {"PYTHONPATH": packages},
    )


def _pages_of(child: subprocess.Popen[bytes], data: bytes) -> Generator[Page, None, None]:
    into, out = child.stdin, child.stdout
    if into is None or out is None:
        return
    try:
        into.write(data)
        into.close()
    except BrokenPipeError:
        return  # It has ended; its exit code says why.
    while (page := _next_page(out)) is not None:
        yield page


def _next_page(out: IO[bytes]) -> Page | None:
    head = out.read(pdf_child.HEAD.size)
    if len(head) < pdf_child.HEAD.size:
        return None
    width, height, more = pdf_child.HEAD.unpack(head)
    levels = out.read(width * height)
    if len(levels) < width * height:
        return None
    return Page(np.frombuffer(levels, np.uint8).reshape(height, width), bool(more))
