"""Reads the bytes of an image file into grey levels; finding the ink is left to `ink`."""

import io
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from encoder.cautions import Caution
from encoder.errors import OversizeImage, UndecodableImage

MEDIA_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
}
# What turns an image of each EXIF orientation upright (CIPA DC-008, tag 0x0112).
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Pillow's own pixel limit would warn in the middle of a request; `ImageLimits` is checked instead.
Image.MAX_IMAGE_PIXELS = None
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
    struct.error,
)
STRIP_ROWS = 256
DEEP_WHITE = 65535  # White in 16-bit grey.
FURTHER_PAGES = Caution("further-pages", "The file has further pages; only the first was read.")
# A progressive JPEG may paint the whole image once more with every scan; cameras use about ten.
MAX_JPEG_SCANS = 100
START_OF_SCAN = b"\xff\xda"  # Never within a scan's own data (ITU-T T.81, B.1.1.5).
EXPECTED = "a PNG, JPEG, TIFF, WebP or BMP image"


@dataclass(frozen=True)
class ImageLimits:
    """What an upload may weigh; both are checked before anything is decompressed."""

    max_image_bytes: int = 10 * 2**20
    max_image_pixels: int = 40_000_000


@dataclass(frozen=True)
class DecodedImage:
    """Grey levels `(height, width)` uint8, 0 black to 255 white, upright; and notes on them."""

    gray: NDArray[np.uint8]
    media_type: str
    warnings: tuple[Caution, ...] = ()


def decode(data: bytes, limits: ImageLimits | None = None) -> DecodedImage:
    """Read an image file, upright, flattened on white, as 8-bit grey.

    Raises:
        UndecodableImage: the bytes are empty, of another format, or damaged.
        OversizeImage: more bytes or pixels than `limits` allow.
    """
    limits = limits or ImageLimits()
    if not data:
        raise UndecodableImage("empty-file", f"The file is empty; expected {EXPECTED}.")
    if len(data) > limits.max_image_bytes:
        raise OversizeImage(
            "too-many-bytes",
            f"The file has {len(data)} bytes; at most {limits.max_image_bytes} are read. "
            "Scan in grey at 300 dpi, or crop to the signature.",
        )
    try:
        image = Image.open(io.BytesIO(data), formats=tuple(MEDIA_TYPES))
    except UnidentifiedImageError as error:
        raise UndecodableImage(
            "unsupported-format",
            f"The file is not an image that is read here; expected {EXPECTED}.",
        ) from error
    except DAMAGES as error:
        raise _damaged() from error
    with image:
        return _read(image, data, limits)


def _read(image: Image.Image, data: bytes, limits: ImageLimits) -> DecodedImage:
    width, height = image.size
    if width * height > limits.max_image_pixels:
        raise OversizeImage(
            "too-many-pixels",
            f"The image has {width} x {height} pixels; at most {limits.max_image_pixels} are read. "
            "Crop it to the signature, or scan at 300 dpi.",
        )
    # Pillow calls a JPEG with a second picture behind it, as some phones write, MPO.
    media_type = MEDIA_TYPES.get(image.format or "", "image/jpeg")
    scans = data.count(START_OF_SCAN) if media_type == "image/jpeg" else 0
    if scans > MAX_JPEG_SCANS:
        raise OversizeImage(
            "too-many-scans",
            f"The JPEG has {scans} scans; at most {MAX_JPEG_SCANS} are read. Save it again.",
        )
    try:
        gray = _to_gray(image)
    except DAMAGES as error:
        raise _damaged() from error
    return DecodedImage(gray, media_type, (FURTHER_PAGES,) if _has_further_pages(image) else ())


def _has_further_pages(image: Image.Image) -> bool:
    """Whether a second page follows; counting them all would take time that a caller decides."""
    if image.format not in MEDIA_TYPES:
        return False
    try:
        image.seek(1)
    except DAMAGES:
        return False
    return True


def _to_gray(image: Image.Image) -> NDArray[np.uint8]:
    """Flatten transparency on white, reduce any mode to 8-bit luma, and turn it upright."""
    turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    if image.mode.startswith("I") or image.mode == "F":
        gray = Image.fromarray(_scale_deep(np.asarray(image), image.mode))
    else:
        if image.has_transparency_data:
            rgba = image.convert("RGBA")
            image = Image.new("RGBA", rgba.size, "white")
            image.alpha_composite(rgba)
        elif image.mode not in {"1", "L"}:
            image = image.convert("RGB")  # CMYK, palette, YCbCr, Lab: Pillow knows the way.
        gray = image.convert("L")
    return np.array(gray if turn is None else gray.transpose(turn), dtype=np.uint8)


def _scale_deep(levels: NDArray[np.generic], mode: str) -> NDArray[np.uint8]:
    """Reduce 16-bit and wider grey `(h, w)` to 8 bits by the mode's range, or by its own."""
    own_top = float(levels.max(initial=0))
    if not np.isfinite(own_top) or not np.isfinite(levels.min(initial=0)):
        raise ValueError("the image holds values that are not numbers")
    top = DEEP_WHITE if mode.startswith("I") and own_top <= DEEP_WHITE else max(own_top, 1e-9)
    gray = np.empty(levels.shape, np.uint8)
    for row in range(0, len(levels), STRIP_ROWS):  # In strips: wide numbers of a whole page weigh.
        strip = levels[row : row + STRIP_ROWS].astype(np.float64)
        gray[row : row + STRIP_ROWS] = np.clip(strip * (255.0 / top), 0, 255)
    return gray


def _damaged() -> UndecodableImage:
    return UndecodableImage(
        "damaged-image", "The image is damaged or cut short; scan or export it again."
    )
