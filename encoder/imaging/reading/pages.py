"""Takes, of the pages of a file, the first on which there is ink."""

from collections.abc import Generator, Iterator
from contextlib import closing

from encoder.cautions import Caution
from encoder.errors import FailureToAcquire
from encoder.imaging.canvas import CANVAS_SIZE
from encoder.imaging.ink import clean
from encoder.imaging.quality import assess
from encoder.imaging.reading.page import Page

BLANK = {"no-ink", "too-little-ink", "too-small"}  # Refusals of a page that is as good as blank.
COARSE = 1.5  # Times as many dots in one direction as in the other, from which it is told.


def first_with_ink(pages: Generator[Page, None, None]) -> tuple[Page, tuple[Caution, ...]]:
    """The first page with ink, and what to say of the others.

    A file of one page is not looked at: what is on it is judged later.

    Args:
        pages: read one by one; no more of them than needed.

    Raises:
        FailureToAcquire: `no-ink`, where there are several pages and all that were read are blank.
        ImageError: a page that had to be read cannot be.
    """
    with closing(pages):
        first = page = next(pages)
        number = 1
        while first.more and not _shows_ink(page):
            following = next(pages, None)
            if following is None:
                break
            page, number = following, number + 1
        else:
            return page, tuple(_notes(page, number))
    if first.views:
        return first, ()
    unread = "; the pages after them were not read" if page.more else ""
    raise FailureToAcquire(
        "no-ink",
        f"The file has several pages, and no ink was found on the first {number}{unread}. "
        "Send the page with the signature alone.",
    )


def _shows_ink(page: Page) -> bool:
    try:
        assess(clean(page.gray), page.gray, CANVAS_SIZE)
    except FailureToAcquire as refusal:
        return refusal.code not in BLANK
    return True


def _notes(page: Page, number: int) -> Iterator[Caution]:
    if number > 1:
        before = "Page 1 shows" if number == 2 else f"Pages 1 to {number - 1} show"  # noqa: PLR2004
        yield Caution("other-page", f"{before} no ink; page {number} was read.")
    if page.more and not page.views:
        yield Caution("further-pages", f"The file has further pages; only page {number} was read.")
    coarseness = max(page.aspect, 1 / page.aspect)
    if coarseness >= COARSE:
        yield Caution(
            "uneven-resolution",
            f"The image has {coarseness:.1f} times as many dots in one direction as in the other, "
            "as a fax in its coarse mode; thin strokes may be lost. Scan at 300 dpi both ways.",
        )
