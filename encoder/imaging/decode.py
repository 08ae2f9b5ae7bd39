"""Reads the bytes of an image file into grey levels; finding the ink is left to `ink`."""

from dataclasses import dataclass, replace

from encoder.cautions import Caution
from encoder.imaging.pixels import Colour, Gray
from encoder.imaging.reading.file_budget import check_structure
from encoder.imaging.reading.formats import MEDIA_TYPES, format_of
from encoder.imaging.reading.limits import ImageLimits, refuse_too_many_bytes
from encoder.imaging.reading.page import Page
from encoder.imaging.reading.pages import first_with_ink
from encoder.imaging.reading.pdf_pages import pdf_pages
from encoder.imaging.reading.picture_pages import picture_pages
from encoder.imaging.region import WHOLE, Frame, Region

__all__ = ["MEDIA_TYPES", "DecodedImage", "ImageLimits", "decode"]


@dataclass(frozen=True)
class DecodedImage:
    """Grey levels `(height, width)` uint8, 0 black to 255 white, upright; and notes on them.

    `colour` is `(height, width, 3)` uint8 RGB, or None where there is none to speak of; `frame`
    says where they lie in the upright image.
    """

    gray: Gray
    media_type: str
    warnings: tuple[Caution, ...] = ()
    colour: Colour | None = None
    frame: Frame = WHOLE


def decode(
    data: bytes, limits: ImageLimits | None = None, region: Region | None = None
) -> DecodedImage:
    """Read the first page with ink, upright, with square pixels, as 8-bit grey.

    Transparency is flattened on what its ink stands out from; pages larger than work is done on
    are reduced.

    Raises:
        UndecodableImage: the bytes are empty, of another format, or damaged.
        OversizeImage: more bytes, pixels or parts than `limits` allow.
        FailureToAcquire: there are several pages, and all that were read are blank.
    """
    limits = limits or ImageLimits()
    refuse_too_many_bytes(len(data), limits)
    kind = format_of(data)
    check_structure(data, kind, limits)
    if kind == "PDF":
        pages = (_within(page, region) for page in pdf_pages(data))
    else:
        pages = picture_pages(data, kind, limits, region)
    page, notes = first_with_ink(pages)
    return DecodedImage(page.gray, MEDIA_TYPES[kind], notes, page.colour, page.frame)


def _within(page: Page, region: Region | None) -> Page:
    """The region of a page that was drawn as a whole."""
    if region is None:
        return page
    height, width = page.gray.shape
    gray = region.cut(page.gray, width, height)
    return replace(page, gray=gray, frame=Frame.of(gray, width, height, region))
