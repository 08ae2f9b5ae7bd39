"""Draws cleaned ink for people, as a PNG of one bit a pixel; what is ink was decided by `clean`.

Written here, for it is made of every reference: a library's writer takes twice the time or more.
"""

import struct
import zlib

import cv2
import numpy as np

from encoder.clean import Mask

MAX_WIDTH_PX = 960
MARGIN_PX = 8
_KEPT = 32  # Of 255: a pixel of a reduced image is ink when an eighth of it was: thin lines stay.


def preview_png(ink: Mask) -> bytes:
    """Return ink `(height, width)`, 0 or 255, dark on white, as a PNG at most 960 px wide.

    Up to that width it is the ink pixel by pixel, with a margin; wider ink is reduced.
    """
    height, width = ink.shape
    widest = MAX_WIDTH_PX - 2 * MARGIN_PX
    if width > widest:
        size = (widest, max(1, round(height * widest / width)))
        ink = np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), np.uint8)
    paper = np.pad(ink, MARGIN_PX) < _KEPT
    packed = np.packbits(paper, axis=1)
    lines = np.zeros((packed.shape[0], packed.shape[1] + 1), np.uint8)  # First its filter: none.
    lines[:, 1:] = packed
    deflate = zlib.compressobj(1, strategy=zlib.Z_RLE)
    data = deflate.compress(lines.data) + deflate.flush()
    header = struct.pack(">2I5B", paper.shape[1], paper.shape[0], 1, 0, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG (RFC 2083, 3.2)."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
