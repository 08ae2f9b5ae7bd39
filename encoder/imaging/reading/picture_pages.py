"""Reads the pages of a picture file through Pillow, each upright and no larger than needed."""

import io
import struct
import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from encoder.errors import UndecodableImage
from encoder.imaging.ink import MAX_SIDE_PX
from encoder.imaging.pixels import Gray, as_uint8
from encoder.imaging.reading.colour import colour_of
from encoder.imaging.reading.file_budget import jpeg_frame
from encoder.imaging.reading.grey_levels import flattened, grey_levels
from encoder.imaging.reading.heap_trim import give_back
from encoder.imaging.reading.limits import ImageLimits, refuse_too_many_pixels
from encoder.imaging.reading.page import MAX_PAGES, Page
from encoder.imaging.reading.resolution import (
    TURNED_OVER,
    at_working_resolution,
    pixel_aspect,
)
from encoder.imaging.reading.silence import silence_decoders
from encoder.imaging.region import Frame, Region

# Pillow's own pixel limit would warn in the middle of a request; `ImageLimits` is checked instead.
Image.MAX_IMAGE_PIXELS = None
silence_decoders()

MAX_PIXELS_OF_PAGES = 2  # Times `max_image_pixels`: what the pages looked at hold together.
# Larger pictures are decoded one after the other: each takes a hundred megabytes and more.
HEAVY_PIXELS = 8_000_000
_heavy = threading.Lock()
_VIEWS = "MPO"  # So Pillow calls a JPEG with a second picture behind it, as some phones write.
_JPEGS = {"JPEG", _VIEWS}
_VIDEO = {"HEIF", "AVIF"}
_CHANNELS_WITH_ALPHA = 4
# What turns grey levels of each EXIF orientation upright (CIPA DC-008, tag 0x0112): whether rows
# become columns first, and which way they are flipped then (OpenCV: 1 across, 0 down, -1 both).
UPRIGHT: dict[int, tuple[bool, int | None]] = {
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}
# What Pillow's readers raise on damaged files of one kind or another.
DAMAGES = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    MemoryError,
    struct.error,
)


def picture_pages(
    data: bytes, kind: str, limits: ImageLimits, region: Region | None = None
) -> Generator[Page, None, None]:
    """Read pages until the caller stops, there are no more, or they hold too many pixels.

    Args:
        data: a file whose structure was checked.
        kind: Pillow's name of its format.
        limits: what a page may weigh.
        region: the part of each upright page to read; all of it, if None.

    Raises:
        UndecodableImage: a page is damaged.
        OversizeImage: a page has too many pixels.
        FailureToAcquire: the region reaches out of a page.
    """
    with _opened(data, kind) as image:
        left = MAX_PIXELS_OF_PAGES * limits.max_image_pixels
        for number in range(MAX_PAGES):
            most = _most_pixels(image, data, limits, first=number == 0)
            refuse_too_many_pixels(f"{kind} page" if number else kind, image.size, most)
            left -= image.width * image.height
            try:
                page = _read_page(image, region)
            except DAMAGES as error:
                raise _damaged(kind, image) from error
            more = _go_on(image, number + 1)
            yield replace(page, more=more, views=image.format == _VIEWS)
            if not more or left < 0:
                return


def _opened(data: bytes, kind: str) -> ImageFile.ImageFile:
    if kind == "HEIF":
        import pillow_heif  # noqa: PLC0415 - An extra, looked for before.

        pillow_heif.register_heif_opener(thumbnails=False)
    try:
        return Image.open(io.BytesIO(data), formats=(kind,))
    except (UnidentifiedImageError, *DAMAGES) as error:
        raise UndecodableImage(
            "damaged-image",
            f"The file begins like a {kind}, but what follows is damaged or cut short; scan or "
            "export it again.",
        ) from error


def _most_pixels(
    image: ImageFile.ImageFile, data: bytes, limits: ImageLimits, *, first: bool
) -> int:
    """How many pixels this page may have, by what its decoder holds at once."""
    if image.format in _VIDEO:
        return limits.max_video_pixels
    if image.format == "WEBP" and _is_animated(image):
        return limits.max_animated_pixels
    if image.format in _JPEGS and first and not jpeg_frame(data).several_scans:
        return limits.max_reduced_pixels
    return limits.max_image_pixels


def _is_animated(image: ImageFile.ImageFile) -> bool:
    return bool(getattr(image, "is_animated", False))


def _go_on(image: ImageFile.ImageFile, number: int) -> bool:
    """Go to a page; counting them all would take time that a caller decides."""
    try:
        image.seek(number)
    except DAMAGES:
        return False
    return True


def _read_page(image: ImageFile.ImageFile, region: Region | None) -> Page:
    """The page that the file is at, or a region of it, upright, at working resolution."""
    cut_from_16 = ";16" in str(getattr(image, "tile", ""))
    aspect = pixel_aspect(image)
    stored = image.size
    _reduce_while_decoding(image, region)
    is_heavy = image.width * image.height > HEAVY_PIXELS
    turn: AbstractContextManager[object] = _heavy if is_heavy else nullcontext()
    with turn:
        luma = _decoded(image, cut_from_16=cut_from_16, is_heavy=is_heavy)
        width, height = _upright_size(image, stored, luma)
        if region is None:  # Reduced before it is turned: that takes less memory.
            gray = _upright(at_working_resolution(luma, aspect), image)
        else:
            part = region.cut(_upright(luma, image), width, height)
            gray = at_working_resolution(part, 1 / aspect if _is_turned(image) else aspect)
        colour = None if is_heavy else colour_of(image)
        if colour is not None:
            upright = _upright(colour, image)
            part = upright if region is None else region.cut(upright, width, height)
            colour = as_uint8(cv2.resize(part, gray.shape[::-1], interpolation=cv2.INTER_AREA))
        if is_heavy:
            image.im = None  # type: ignore[assignment]  # The pixels: the file is read on.
            give_back()
    frame = Frame.of(gray, width, height, region)
    return Page(gray, more=False, aspect=aspect, colour=colour, frame=frame)


def _upright_size(
    image: ImageFile.ImageFile, stored: tuple[int, int], luma: Gray
) -> tuple[int, int]:
    """Width and height of the upright page, before a decoder left out detail."""
    if image.format == "TIFF":
        return luma.shape[1], luma.shape[0]  # Pillow has turned it.
    return stored[::-1] if _is_turned(image) else stored


def _is_turned(image: ImageFile.ImageFile) -> bool:
    """Whether rows are columns still, once it is loaded."""
    orientation = image.getexif().get(ExifTags.Base.Orientation)
    return image.format != "TIFF" and orientation in TURNED_OVER


def _decoded(image: ImageFile.ImageFile, *, cut_from_16: bool, is_heavy: bool) -> Gray:
    if is_heavy and image.format == "WEBP" and not _is_animated(image):
        # Pillow decodes every WebP as an animation, in four copies of 4 bytes a pixel.
        return _webp_levels(image)
    image.load()
    return grey_levels(image, cut_from_16=cut_from_16)


def _webp_levels(image: ImageFile.ImageFile) -> Gray:
    if image.fp is None:
        raise ValueError("the file was closed")
    image.fp.seek(0)
    file = np.frombuffer(image.fp.read(), np.uint8)
    picture = cv2.imdecode(file, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise ValueError("the WebP is damaged")
    has_alpha = picture.shape[-1] == _CHANNELS_WITH_ALPHA
    alpha = as_uint8(cv2.extractChannel(picture, 3)) if has_alpha else None
    code = cv2.COLOR_BGRA2GRAY if has_alpha else cv2.COLOR_BGR2GRAY
    luma = as_uint8(cv2.cvtColor(picture, code))
    del picture  # Four times as large as what is left of it.
    return flattened(luma, alpha)


def _reduce_while_decoding(image: ImageFile.ImageFile, region: Region | None) -> None:
    """Let a JPEG's decoder leave out detail that working resolution has no room for."""
    seen = image.size if region is None else (region.w, region.h)
    times = max(seen) // MAX_SIDE_PX
    if image.format in _JPEGS and times > 1:
        image.draft(image.mode, (max(1, image.width // times), max(1, image.height // times)))


def _upright(gray: Gray, image: ImageFile.ImageFile) -> Gray:
    if image.format == "TIFF":
        return gray  # Pillow turns these itself while it loads them.
    swap, flip = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1), (False, None))
    if swap:
        gray = as_uint8(cv2.transpose(gray))
    return gray if flip is None else as_uint8(cv2.flip(gray, flip))


def _damaged(kind: str, image: ImageFile.ImageFile) -> UndecodableImage:
    return UndecodableImage(
        "damaged-image",
        f"The {kind} of {image.width} x {image.height} pixels is damaged or cut short; scan or "
        "export it again.",
    )
