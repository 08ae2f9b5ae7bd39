"""The ink found is the ink that was drawn, whatever the light, the paper and the scanner."""

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from encoder.errors import FailureToAcquire
from encoder.imaging.canvas import SPREAD, canvas_scale, to_canvas
from encoder.imaging.decode import decode
from encoder.imaging.ink import MAX_PIECES, MAX_SIDE_PX, clean
from encoder.imaging.quality import Quality, assess
from encoder.synthesis import synthetic_writer

SEEDS = (7, 21, 33)
HEIGHT, WIDTH = 260, 560


def drawn(seed: int) -> NDArray[np.uint8]:
    """Which pixels are ink: a synthetic scan on even paper, split halfway."""
    scan = synthetic_writer(seed).genuine(0)
    split = (int(scan.max()) + int(scan.min())) / 2
    return (scan < split).astype(np.uint8) * 255


def on_paper(ink: NDArray[np.uint8], paper: float = 235, pen: float = 60) -> NDArray[np.float64]:
    soft = cv2.GaussianBlur(ink, (3, 3), 0).astype(np.float64) / 255
    return paper - (paper - pen) * soft


def overlap(scan: NDArray[np.float64], ink: NDArray[np.uint8]) -> float:
    """Intersection over union of the ink found and the ink drawn."""
    cleaned = clean(np.clip(scan, 0, 255).astype(np.uint8))
    found = np.zeros_like(ink)
    left, top, width, height = cleaned.box
    found[top : top + height, left : left + width] = cleaned.ink
    both = np.count_nonzero(found & ink)
    return both / max(np.count_nonzero(found | ink), 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_finds_the_ink_on_even_paper(seed: int) -> None:
    ink = drawn(seed)
    assert overlap(on_paper(ink), ink) > 0.9


@pytest.mark.parametrize("seed", SEEDS)
def test_uneven_light_does_not_matter(seed: int) -> None:
    ink = drawn(seed)
    light = np.linspace(0.35, 1.0, ink.shape[1])[None, :]
    assert overlap(on_paper(ink) * light, ink) > 0.75


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_and_specks_are_left_out(seed: int) -> None:
    ink = drawn(seed)
    rng = np.random.default_rng(seed)
    scan = on_paper(ink) + rng.normal(0, 8, ink.shape)
    scan[rng.random(ink.shape) < 0.0005] = 40
    assert overlap(scan, ink) > 0.85


@pytest.mark.parametrize("seed", SEEDS)
def test_light_on_dark_is_inverted(seed: int) -> None:
    ink = drawn(seed)
    assert overlap(255 - on_paper(ink), ink) > 0.9


def judged(gray: NDArray[np.uint8]) -> Quality:
    return assess(clean(gray), gray, (144, 288))


@pytest.mark.parametrize("seed", SEEDS)
def test_faint_pencil_is_found_with_a_warning(seed: int) -> None:
    ink = drawn(seed)
    scan = on_paper(ink, 230, 195)
    assert overlap(scan, ink) > 0.8
    assert [one.code for one in judged(scan.astype(np.uint8)).warnings] == ["faint"]


@pytest.mark.parametrize("axis", [0, 1])
def test_a_scanned_edge_is_removed(axis: int) -> None:
    ink = drawn(7)
    scan = on_paper(ink)
    if axis:
        scan[:, :4] = 30
    else:
        scan[-4:, :] = 30
    assert overlap(scan, ink) > 0.9


def test_grey_levels_do_not_reach_the_canvas() -> None:
    ink = drawn(21)
    dark = clean(np.clip(on_paper(ink, 250, 20), 0, 255).astype(np.uint8))
    pale = clean(np.clip(on_paper(ink, 200, 100), 0, 255).astype(np.uint8))
    one, other = (to_canvas(c.ink, (144, 288)).astype(int) for c in (dark, pale))
    assert np.abs(one - other).mean() < 1.0


def test_canvas_keeps_aspect_ratio_and_centres_the_mass() -> None:
    ink = np.full((100, 50), 255, np.uint8)
    canvas = to_canvas(ink, (144, 288))
    left, top, width, height = cv2.boundingRect(canvas)
    # A filled box spreads by its height over the root of 12; that becomes SPREAD of 144.
    assert height == pytest.approx(SPREAD * 144 * np.sqrt(12), abs=2)
    assert width == pytest.approx(height / 2, abs=2)
    assert abs(left + width / 2 - 144) <= 1
    assert abs(top + height / 2 - 72) <= 1
    assert not to_canvas(np.zeros((0, 0), np.uint8), (144, 288)).any()


def test_one_thin_line_changes_the_scale_little() -> None:
    """A line that doubles the width of the box would, by the box, halve all other strokes."""
    ink = drawn(21)
    flourish = np.zeros((ink.shape[0], 2 * ink.shape[1]), np.uint8)
    flourish[:, : ink.shape[1]] = ink
    middle = ink.shape[0] // 2
    flourish[middle, ink.shape[1] :] = 255
    size = (144, 288)
    assert canvas_scale(flourish, size)[0] > 0.7 * canvas_scale(ink, size)[0]


@pytest.mark.parametrize("shape", [(1, 2400), (2400, 1), (3, 3), (2400, 2400)])
def test_canvas_takes_ink_of_any_shape(shape: tuple[int, int]) -> None:
    canvas = to_canvas(np.full(shape, 255, np.uint8), (144, 288))
    assert canvas.shape == (144, 288)
    assert canvas.any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 900), (900, 1), (2, 2400), (3, 700)])
@pytest.mark.parametrize("tone", [0, 255])
def test_slivers_are_refused_like_any_page(shape: tuple[int, int], tone: int) -> None:
    image = np.full(shape, 255 - tone, np.uint8)
    image[: max(1, shape[0] // 2), : max(1, 2 * shape[1] // 3)] = tone
    with pytest.raises(FailureToAcquire):
        assess(clean(image), image, (144, 288))


def page() -> NDArray[np.uint8]:
    return np.full((HEIGHT, WIDTH), 240, np.uint8)


def noisy(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(3).normal(0, 3, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def dots() -> NDArray[np.uint8]:
    image = page()
    for x in (100, 300, 500):
        cv2.circle(image, (x, 130), 3, 30, -1)
    return image


def edge() -> NDArray[np.uint8]:
    image = page()
    image[:, :4] = 30
    return image


def rules() -> NDArray[np.uint8]:
    image = page()
    for y in range(30, HEIGHT - 20, 40):
        cv2.line(image, (20, y), (WIDTH - 20, y), 60, 2)
    return image


def print_lines() -> NDArray[np.uint8]:
    image = np.full((500, 760), 245, np.uint8)
    for line in range(9):
        text = "Pay against this cheque the sum of"
        cv2.putText(image, text, (40, 60 + 45 * line), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 20, 2)
    return image


def cut_off() -> NDArray[np.uint8]:
    image = page()
    x = np.arange(-10, WIDTH + 10)
    for row in (70, 130, 190):
        y = row + 30 * np.sin(x / 25 + row)
        points = np.stack([x, y], axis=1).round().astype(np.int32)
        cv2.polylines(image, [points], False, 30, 8)
    return image


def tiny() -> NDArray[np.uint8]:
    image = page()
    cv2.ellipse(image, (200, 100), (7, 5), 0, 0, 360, 20, 2)
    return image


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (page(), "no-ink"),
        (noisy(page()), "no-ink"),
        (np.zeros((HEIGHT, WIDTH), np.uint8), "no-ink"),
        (np.zeros((1, 1), np.uint8), "no-ink"),
        (dots(), "too-little-ink"),
        (tiny(), "too-small"),
        (rules(), "ruled-or-print"),
        (print_lines(), "ruled-or-print"),
        (cut_off(), "touches-border"),
    ],
)
def test_refuses_what_is_no_signature(image: NDArray[np.uint8], code: str) -> None:
    with pytest.raises(FailureToAcquire) as caught:
        judged(image)
    assert caught.value.code == code
    assert str(caught.value).endswith(".")


def light_ink() -> NDArray[np.uint8]:
    return on_paper(drawn(7), 240, 228).astype(np.uint8)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((HEIGHT, WIDTH), np.uint8), "black all over, its brightest level 0 of 255"),
        (np.full((HEIGHT, WIDTH), 9, np.uint8), "black all over, its brightest level 9 of 255"),
        (page(), "the page is blank, all of it within 0 of 255"),
        (noisy(page()), "the page is blank or"),
        (noisy(page() // 2), "the page is blank"),
        (light_ink(), "differ from the paper by 13 of 255 grey levels; at least 18"),
        (edge(), "only specks, shadows or lines along the edge"),
    ],
    ids=["black", "nearly black", "blank", "noise", "grey", "light ink", "edge"],
)
def test_says_why_there_is_no_ink(image: NDArray[np.uint8], words: str) -> None:
    with pytest.raises(FailureToAcquire, match=words) as caught:
        assess(clean(image), image, (144, 288))
    assert caught.value.code == "no-ink"


def grid(pitch: int) -> NDArray[np.uint8]:
    image = np.full((2400, 2400), 255, np.uint8)
    image[::pitch] = image[:, ::pitch] = 0
    return image


def grains(share: float) -> NDArray[np.uint8]:
    return ((np.random.default_rng(2).random((2400, 2400)) > share) * 255).astype(np.uint8)


def board(side: int) -> NDArray[np.uint8]:
    return ((np.indices((2400, 2400)) // side).sum(axis=0) % 2 * 255).astype(np.uint8)


@pytest.mark.parametrize(
    "image",
    [grid(6), grid(8), grid(20), grains(0.003), grains(0.05), grains(0.5), board(7), board(12)],
    ids=["grid 6", "grid 8", "grid 20", "few grains", "grains", "noise", "board 7", "board 12"],
)
def test_outlines_are_looked_at_in_bounded_number(
    image: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = 0
    find = cv2.findContours

    def count(*arguments: object) -> object:
        nonlocal looked_at
        found = find(*arguments)
        looked_at += len(found[0])
        return found

    monkeypatch.setattr(cv2, "findContours", count)
    with pytest.raises(FailureToAcquire):
        assess(clean(image), image, (144, 288))
    assert looked_at <= 3 * MAX_PIECES


def test_many_specks_beside_a_signature_are_left_out_in_one_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ink = np.zeros((1600, 2400), np.uint8)
    small = drawn(7)
    ink[600 : 600 + small.shape[0], 700 : 700 + small.shape[1]] = small
    scan = on_paper(ink)
    rng = np.random.default_rng(4)
    for y, x in zip(rng.integers(2, 590, 9000), rng.integers(2, 2390, 9000), strict=True):
        scan[y, x : x + 2] = 30
    image = np.clip(scan, 0, 255).astype(np.uint8)
    monkeypatch.setattr("encoder.imaging.ink.SPECK_PX", 30.0)
    at_once = clean(image)
    monkeypatch.setattr("encoder.imaging.ink.MAX_PIECES", 10**9)  # One by one.
    one_by_one = clean(image)
    assert at_once.box == one_by_one.box
    assert np.array_equal(at_once.ink, one_by_one.ink)
    assert cv2.countNonZero(at_once.ink) > 0


@pytest.mark.parametrize("seed", range(40, 60))
def test_accepts_synthetic_signatures(seed: int) -> None:
    writer = synthetic_writer(seed)
    for scan in (writer.genuine(0), writer.forgery(0)):
        assert judged(scan).ink_width_px > 32


def test_a_small_file_of_very_many_lines_is_refused_before_they_are_traced() -> None:
    lines = np.full((6300, 6300), True)
    lines[::8] = lines[:, ::8] = False
    buffer = io.BytesIO()
    Image.fromarray(lines).save(buffer, "PNG")
    gray = decode(buffer.getvalue()).gray
    assert max(gray.shape) == MAX_SIDE_PX
    with pytest.raises(FailureToAcquire) as caught:
        clean(gray)
    assert caught.value.code == "too-many-pieces"
