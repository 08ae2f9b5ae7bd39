"""Tells what a file is by its first bytes: a format that is read, or one that is named and refused.

What Pillow reads by itself is always read; HEIC and PDF need an optional extra each.
"""

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass

from PIL import features

from encoder.errors import UndecodableImage

MEDIA_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
    "PDF": "application/pdf",
}
EXPECTED = "a PNG, JPEG, TIFF, WebP or BMP image"
HEAD_BYTES = 1024  # So far into a file its kind is looked for; a PDF may start within them.
SHOWN_BYTES = 8  # Of an unknown file, in the message.
BRAND_BYTES = 64  # Of an ISO media file's first box: the brands of what it may be read as.
HEIF_BRANDS = {
    b"heic",
    b"heix",
    b"heim",
    b"heis",
    b"hevc",
    b"hevx",
    b"hevm",
    b"hevs",
    b"mif1",
    b"msf1",
}
AVIF_BRANDS = {b"avif", b"avis"}

# By its first bytes, what is read here; Pillow looks closer.
_READ = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8": "JPEG",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",
    b"MM\x00+": "TIFF",
    b"BM": "BMP",
}
# By its first bytes, what people send instead.
_NAMED = {
    b"PK\x03\x04": "a zip archive or an Office document",
    b"PK\x05\x06": "an empty zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"\xd0\xcf\x11\xe0": "an Office document",
    b"{\\rtf": "a text document (RTF)",
    b"%!PS": "a PostScript file",
    b"8BPS": "a Photoshop file",
    b"\x00\x00\x01\x00": "an icon",
    b"\x00\x00\x00\x0cjP  ": "a JPEG 2000 image",
    b"\xff\x4f\xff\x51": "a JPEG 2000 image",
    b"\xff\x0a": "a JPEG XL image",
    b"\x00\x00\x00\x0cJXL ": "a JPEG XL image",
    b"AT&TFORM": "a DjVu document",
    b"RIFF": "a sound or video file",
    b"\x00\x00\x02\x00": "an icon",
    b"\x01\x00\x00\x00": "a Windows metafile",
    b"\xd7\xcd\xc6\x9a": "a Windows metafile",
    b"\x7fELF": "a program",
    b"MZ": "a program",
}
# In text, what it is; the first that fits.
_TEXTS = (
    (rb"<svg[\s>]", "an SVG drawing"),
    (rb"<!doctype html|<html[\s>]|<head[\s>]", "a web page (HTML)"),
    (rb"\A\s*<\?xml", "an XML document"),
    (rb"\A\s*[{\[]", "JSON or other text"),
    (rb"\Adata:image/", "a data address as text; send the bytes that it holds in base64"),
)


@dataclass(frozen=True)
class Extra:
    """An optional part of the installation that reads one format more."""

    module: str
    install: str


HEIC_EXTRA = Extra("pillow_heif", "heic")
PDF_EXTRA = Extra("pypdfium2", "pdf")


def is_installed(extra: Extra) -> bool:
    """Whether what the extra brings can be imported."""
    return importlib.util.find_spec(extra.module) is not None


def formats_read() -> list[str]:
    """Name those of `MEDIA_TYPES` that this installation reads."""
    return [kind for kind in MEDIA_TYPES if _is_read(kind)]


def _is_read(kind: str) -> bool:
    try:
        _NEEDS.get(kind, lambda: None)()
    except UndecodableImage:
        return False
    return True


def format_of(data: bytes) -> str:
    """Tell which of `MEDIA_TYPES` a file is, by Pillow's name for it.

    Raises:
        UndecodableImage: the file is empty, of another kind, or of one whose reader is missing.
    """
    if not data:
        raise UndecodableImage("empty-file", f"The file is empty; expected {EXPECTED}.")
    kind = _kind_of(data)
    if kind is None:
        raise UndecodableImage(
            "unsupported-format", f"The file is {_name_of(data)}; expected {EXPECTED}."
        )
    refuse = _NEEDS.get(kind)
    if refuse is not None:
        refuse()
    return kind


def _kind_of(data: bytes) -> str | None:
    head = data[:HEAD_BYTES]
    for start, kind in _READ.items():
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return _kind_of_media(head)
    return "PDF" if b"%PDF-" in head else None


def _kind_of_media(head: bytes) -> str | None:
    """HEIF or AVIF by the brands of an ISO media file (ISO/IEC 14496-12, 4.3), or neither."""
    length = min(int.from_bytes(head[:4], "big"), BRAND_BYTES)
    brands = {head[at : at + 4] for at in (8, *range(16, length, 4))}
    if brands & AVIF_BRANDS:
        return "AVIF"
    return "HEIF" if brands & HEIF_BRANDS else None


def _name_of(data: bytes) -> str:
    head = data[:HEAD_BYTES]
    if head.startswith(b"GIF8"):
        return "an animated GIF" if b"NETSCAPE2.0" in head else "a GIF"
    if head[4:8] == b"ftyp":
        return "a video"
    for start, name in _NAMED.items():
        if head.startswith(start):
            return name
    for pattern, name in _TEXTS:
        if re.search(pattern, head, re.IGNORECASE):
            return name
    if _is_text(head):
        return "text"
    return f"of an unknown kind (it begins with the bytes {head[:SHOWN_BYTES].hex(' ')})"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8", "strict" if len(head) < HEAD_BYTES else "ignore")
    except UnicodeDecodeError:
        return False
    return all(sign.isprintable() or sign.isspace() for sign in text)


def _require_heic() -> None:
    if not is_installed(HEIC_EXTRA):
        raise UndecodableImage(
            "unsupported-heic",
            "The file is a HEIC or HEIF picture, as iPhones take them, which is not read here. "
            "Save it as JPEG; or let the operator install the extra `heic`.",
        )


def _require_avif() -> None:
    if not features.check("avif"):
        raise UndecodableImage(
            "unsupported-avif",
            "The file is an AVIF picture, which this installation's Pillow does not read. "
            "Save it as JPEG.",
        )


def _require_pdf() -> None:
    if not is_installed(PDF_EXTRA):
        raise UndecodableImage(
            "unsupported-pdf",
            "The file is a PDF, which is not read here. Export the page with the signature as a "
            "PNG or JPEG at 300 dpi; or let the operator install the extra `pdf`.",
        )


_NEEDS: dict[str, Callable[[], None]] = {
    "HEIF": _require_heic,
    "AVIF": _require_avif,
    "PDF": _require_pdf,
}
