"""A file that is not read is named by what it is, with what to send instead."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image, features

from benchmarks.picture_files import SCAN, STORED, refusal, saved, shows_the_scan
from encoder.imaging.decode import decode
from encoder.imaging.reading import formats
from encoder.imaging.reading.formats import HEIC_EXTRA, PDF_EXTRA, is_installed


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", b"")
    return buffer.getvalue()


def animated_gif() -> bytes:
    frames = [Image.fromarray(SCAN), Image.fromarray(255 - SCAN)]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:], loop=0)


OTHERS = {
    "a GIF": saved(SCAN, "GIF"),
    "an animated GIF": animated_gif(),
    "an SVG drawing": b"<?xml version='1.0'?><!-- x --><svg xmlns='http://www.w3.org/2000/svg'/>",
    "a web page (HTML)": b"<!DOCTYPE html><html><body>no</body></html>",
    "an XML document": b"<?xml version='1.0'?><a/>",
    "text": "Sehr geehrte Damen und Herren, größer".encode(),
    "JSON or other text": b'{"image": "abc"}',
    "a data address as text": b"data:image/png;base64,iVBORw0KGgo=",
    "a zip archive or an Office document": zipped(),
    "a gzip archive": b"\x1f\x8b\x08\x00" + bytes(20),
    "an Office document": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(20),
    "a PostScript file": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "a JPEG 2000 image": saved(SCAN, "JPEG2000"),
    "an icon": saved(SCAN, "ICO", sizes=[(32, 32)]),
    "a Photoshop file": b"8BPS\x00\x01" + bytes(30),
    "a video": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom",
    "a sound or video file": b"RIFF\x24\x00\x00\x00WAVEfmt ",
    "of an unknown kind (it begins with the bytes 9a 9b 9c": bytes(range(0x9A, 0xF0)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_came_is_named(name: str) -> None:
    error = refusal(OTHERS[name])
    assert error.code == "unsupported-format"
    assert f"The file is {name}" in str(error)
    assert "expected a PNG, JPEG, TIFF, WebP or BMP image" in str(error)


def test_an_empty_file_is_named() -> None:
    assert refusal(b"").code == "empty-file"


HEIC_HEAD = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(40)


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"msf1"])
def test_heic_without_its_extra_says_what_to_do(
    brand: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "is_installed", lambda extra: False)
    error = refusal(b"\x00\x00\x00\x18ftyp" + brand + b"\x00\x00\x00\x00mif1heic" + bytes(40))
    assert error.code == "unsupported-heic"
    assert "Save it as JPEG" in str(error)


def test_pdf_without_its_extra_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "is_installed", lambda extra: False)
    error = refusal(b"%PDF-1.7\n")
    assert error.code == "unsupported-pdf"
    assert "PNG or JPEG" in str(error)


def test_avif_without_a_decoder_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda feature: False)
    error = refusal(b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf" + bytes(40))
    assert error.code == "unsupported-avif"
    assert "Save it as JPEG" in str(error)


needs_heic = pytest.mark.skipif(not is_installed(HEIC_EXTRA), reason="the extra heic is missing")
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="Pillow lacks AVIF")
needs_pdf = pytest.mark.skipif(not is_installed(PDF_EXTRA), reason="the extra pdf is missing")


def heic(image: Image.Image, **options: object) -> bytes:
    import pillow_heif  # noqa: PLC0415 - An extra.

    pillow_heif.register_heif_opener()
    return saved(image, "HEIF", quality=90, **options)


@needs_heic
def test_heic_is_read() -> None:
    data = heic(Image.fromarray(SCAN).convert("RGB"))
    assert shows_the_scan(data, 0.85)
    assert decode(data).media_type == "image/heic"


@needs_heic
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_heic_is_turned_once(orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    image = Image.fromarray(np.ascontiguousarray(STORED[orientation])).convert("RGB")
    assert shows_the_scan(heic(image, exif=exif.tobytes()), 0.85)


@needs_heic
@pytest.mark.parametrize("keep", [60, 300, 2000])
def test_damaged_heic_is_an_image_error(keep: int) -> None:
    assert refusal(heic(Image.fromarray(SCAN).convert("RGB"))[:keep]).code == "damaged-image"


@needs_avif
def test_avif_is_read() -> None:
    data = saved(Image.fromarray(SCAN).convert("RGB"), "AVIF", quality=85)
    assert shows_the_scan(data, 0.85)
    assert decode(data).media_type == "image/avif"


@needs_avif
@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_once(orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    image = Image.fromarray(np.ascontiguousarray(STORED[orientation])).convert("RGB")
    assert shows_the_scan(saved(image, "AVIF", quality=85, exif=exif), 0.85)
