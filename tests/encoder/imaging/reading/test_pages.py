"""Of several pages the first with ink is read, and the answer says which."""

import numpy as np
import pytest
from PIL import Image, ImageFile, TiffImagePlugin

from benchmarks.picture_files import BLANK, SCAN, ink_of, refusal, saved, several, shows_the_scan
from encoder.imaging.decode import ImageLimits, decode
from encoder.imaging.reading.page import MAX_PAGES

DUST = BLANK.copy()
DUST[40:42, 60:62] = 90  # As good as blank.
KINDS = {
    "TIFF": {},
    "PNG": {},
    "WEBP": {"lossless": True},
    "MPO": {"quality": 95},
}


def codes(data: bytes) -> list[str]:
    return [one.code for one in decode(data).warnings]


@pytest.mark.parametrize(
    "first", [BLANK, DUST, np.zeros_like(SCAN)], ids=["blank", "dust", "black"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_page_with_ink_is_taken_and_named(kind: str, first: np.ndarray) -> None:
    data = several([first, SCAN], kind, **KINDS[kind])
    assert shows_the_scan(data)
    assert codes(data) == ["other-page"]
    assert "page 2" in decode(data).warnings[0].message


def test_pages_before_and_after_are_told() -> None:
    data = several([BLANK, DUST, BLANK, SCAN, BLANK])
    assert shows_the_scan(data)
    assert codes(data) == ["other-page", "further-pages"]
    assert "Pages 1 to 3 show no ink; page 4 was read." in decode(data).warnings[0].message


@pytest.mark.parametrize("kind", ["TIFF", "PNG", "WEBP"])
def test_further_pages_are_told(kind: str) -> None:
    data = several([SCAN, np.flipud(SCAN)], kind, **KINDS[kind])
    assert shows_the_scan(data)
    assert codes(data) == ["further-pages"]


def test_the_other_view_of_a_phones_picture_is_no_page() -> None:
    data = several([SCAN, SCAN], "MPO", quality=95)
    assert codes(data) == []
    assert decode(data).media_type == "image/jpeg"


def test_a_phones_picture_of_nothing_is_judged_like_any_other() -> None:
    assert ink_of(decode(several([BLANK, BLANK], "MPO")).gray).size == 0


def test_one_blank_page_is_left_to_be_judged() -> None:
    assert ink_of(decode(saved(BLANK)).gray).size == 0


def test_pages_that_are_all_blank_are_counted_in_the_refusal() -> None:
    error = refusal(several([BLANK] * 3))
    assert error.code == "no-ink"
    assert "the first 3." in str(error)


class Loads:
    """How many pages were decoded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        prepare = ImageFile.ImageFile.load_prepare

        def note(image: ImageFile.ImageFile) -> None:
            self.count += 1
            prepare(image)

        monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", note)


def test_only_so_many_pages_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    data = several([BLANK] * (MAX_PAGES + 5) + [SCAN])
    loads = Loads(monkeypatch)
    error = refusal(data)
    assert f"the first {MAX_PAGES}; the pages after them were not read" in str(error)
    assert loads.count == MAX_PAGES


def test_only_so_many_pixels_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    data = several([BLANK] * 8)
    loads = Loads(monkeypatch)
    with pytest.raises(Exception, match="were not read"):
        decode(data, ImageLimits(max_image_pixels=BLANK.size))
    assert loads.count == 3


def test_no_page_behind_the_one_with_ink_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = several([SCAN] * 4)
    loads = Loads(monkeypatch)
    decode(data)
    assert loads.count == 1


def test_pages_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def count(image: object) -> int:
        raise AssertionError("counting takes time that grows with the square of the pages")

    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "n_frames", property(count))
    assert codes(several([SCAN] * 4)) == ["further-pages"]


def test_pages_may_differ_in_size() -> None:
    small = Image.new("L", (40, 30), 255)
    data = saved(small, "TIFF", save_all=True, append_images=[Image.fromarray(SCAN)])
    assert shows_the_scan(data)


def test_pages_may_differ_in_orientation_and_resolution() -> None:
    first = Image.fromarray(np.ascontiguousarray(np.rot90(BLANK)))
    second = Image.fromarray(np.ascontiguousarray(np.rot90(SCAN)))
    for page in (first, second):
        page.encoderinfo = {"tiffinfo": {274: 6}}
    data = saved(first, "TIFF", save_all=True, append_images=[second], tiffinfo={274: 6})
    assert shows_the_scan(data)
