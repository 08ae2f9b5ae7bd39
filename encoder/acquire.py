"""From the bytes of an image to what the network sees: decode, clean, judge, set on the canvas.

Training and serving both pass through `acquire`; `PREPROCESSING_FILES` names the code whose hash
is part of a model's identity, so that a model never meets another preparation than its own, nor
pieces that were chosen in another way.
"""

import ast
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoder.clean import Mask, clean, to_canvas
from encoder.decode import ImageLimits, decode
from encoder.quality import Quality, assess

PREPROCESSING_FILES = ("decode.py", "clean.py", "ruled.py", "acquire.py", "pieces.py")


@dataclass(frozen=True)
class Acquisition:
    """One accepted signature image.

    Attributes:
        canvas: `(height, width)` uint8, share of each pixel that is ink, 0 to 255: the network's
            input.
        quality: what was found out about the image.
        media_type: of the file it came from.
        ink: the ink at the scan's resolution, cropped, uint8 0 or 255.
    """

    canvas: NDArray[np.uint8]
    quality: Quality
    media_type: str
    ink: Mask


def acquire(
    data: bytes, canvas_size: tuple[int, int] = (144, 288), limits: ImageLimits | None = None
) -> Acquisition:
    """Read one signature image and prepare it for the network.

    Args:
        data: the bytes of a PNG, JPEG, TIFF, WebP or BMP file.
        canvas_size: height and width of the canvas, px.
        limits: what the file may weigh.

    Raises:
        ImageError: the file cannot be read, is over the limits, or shows no usable signature.
    """
    decoded = decode(data, limits)
    cleaned = clean(decoded.gray)
    quality = assess(cleaned, decoded.warnings)
    canvas = to_canvas(cleaned.ink, canvas_size)
    return Acquisition(canvas, quality, decoded.media_type, cleaned.ink)


@cache
def preprocessing_sha256() -> str:
    """The hash, in hexadecimal, of what the preparing code does: comments and layout left out."""
    digest = hashlib.sha256()
    for name in PREPROCESSING_FILES:
        tree = ast.parse((Path(__file__).parent / name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list):
                node.body = [part for part in body if not _is_text_alone(part)]  # type: ignore[attr-defined]
        digest.update(ast.unparse(tree).encode())
    return digest.hexdigest()


def _is_text_alone(part: ast.AST) -> bool:
    return isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)
