"""Synthetic writers: the kinematic model, determinism, and what may and may not tell a forgery."""

import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest

from encoder.imaging.acquire import acquire
from encoder.synthesis import encode_png, synthetic_writer
from encoder.synthesis.__main__ import main
from encoder.synthesis.kinematics import Pulses, arc_length, pulse_speed, trace
from encoder.synthesis.letterforms import capital, small
from encoder.synthesis.names import _FAMILY, _GIVEN
from encoder.synthesis.plan import PenPath, perform
from encoder.synthesis.variation import draw_forger, forge

WRITERS = 24


def one_pulse(turn: float = 0.0, length_px: float = 80.0) -> Pulses:
    return Pulses(
        onset_s=np.array([0.3]),
        mu=np.array([-1.6]),
        sigma=np.array([0.25]),
        chord=np.array([length_px + 0j]),
        turn=np.array([turn]),
    )


def speed_of(points: np.ndarray, step_s: float) -> np.ndarray:
    return np.abs(np.diff(points)) / step_s


def test_a_stroke_is_fastest_at_the_mode_of_its_lognormal():
    pulse = one_pulse()
    time_s = np.linspace(0.3, 1.5, 200_001)
    speed = pulse_speed(time_s, pulse.onset_s, pulse.mu, pulse.sigma)
    assert time_s[np.argmax(speed)] == pytest.approx(0.3 + np.exp(-1.6 - 0.25**2), abs=1e-4)
    assert np.trapezoid(speed, time_s) == pytest.approx(1.0, abs=1e-4)
    assert pulse_speed(np.array([0.2]), pulse.onset_s, pulse.mu, pulse.sigma)[0] == 0


@pytest.mark.parametrize("turn", [0.0, 0.7, -2.5])
def test_a_traced_stroke_has_lognormal_speed_and_the_length_of_its_arc(turn):
    pulse = one_pulse(turn)
    time_s, points = trace(pulse, 0j, 0.0005)
    speed = speed_of(points, 0.0005)
    length = arc_length(pulse.chord, pulse.turn)[0]
    expected = length * pulse_speed(time_s[1:] - 0.00025, pulse.onset_s, pulse.mu, pulse.sigma)
    np.testing.assert_allclose(speed, expected, atol=0.01 * speed.max())
    assert speed.sum() * 0.0005 == pytest.approx(length, rel=1e-4)
    assert points[-1] == pytest.approx(80 + 0j, abs=1e-9)


def test_overlapping_strokes_add_up_as_vectors_and_end_at_the_last_target():
    chords = np.array([50 + 20j, -30 + 60j, 40 - 70j])
    onset_s = np.array([0.0, 0.1, 0.2])
    mu, sigma = np.full(3, -1.7), np.full(3, 0.2)
    time_s, points = trace(Pulses(onset_s, mu, sigma, chords, np.zeros(3)), 5 + 5j, 0.001)
    profiles = pulse_speed(time_s[1:, None] - 0.0005, onset_s, mu, sigma)
    velocity = np.diff(points) / 0.001
    assert np.abs(velocity - profiles @ chords).max() < 0.01 * np.abs(velocity).max()
    assert points[-1] == pytest.approx(5 + 5j + chords.sum(), abs=1e-9)


def test_a_coarser_step_leaves_the_path_where_it_was():
    pulses = Pulses(
        np.array([0.0, 0.09]),
        np.full(2, -1.7),
        np.full(2, 0.2),
        np.array([40 + 60j, 30 - 50j]),
        np.array([0.6, -0.9]),
    )
    fine, coarse = (trace(pulses, 0j, step_s) for step_s in (0.001, 0.004))
    along = np.interp(coarse[0], fine[0], fine[1].real), np.interp(coarse[0], fine[0], fine[1].imag)
    assert np.abs(along[0] + 1j * along[1] - coarse[1]).max() < 0.05


def test_every_invented_name_can_be_spelled():
    for name in (_GIVEN + _FAMILY).split():
        assert capital(name[0], 0).targets
        assert all(small(char).targets for char in name[1:])
    assert capital("É", 0) == capital("E", 0)


def digest(seed: int) -> str:
    writer = synthetic_writer(seed)
    images = [writer.genuine(3), writer.forgery(2), writer.genuine(0)]
    return sha256(b"".join(encode_png(image) for image in images)).hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_another_process():
    root = Path(__file__).parents[3]
    code = (
        "from hashlib import sha256\n"
        "from encoder.synthesis import encode_png, synthetic_writer\n"
        "w = synthetic_writer(7)\n"
        "images = [w.genuine(3), w.forgery(2), w.genuine(0)]\n"
        "print(sha256(b''.join(encode_png(i) for i in images)).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == digest(7)


def test_a_sample_does_not_depend_on_what_was_asked_before():
    fresh, used = synthetic_writer(5), synthetic_writer(5)
    used.forgery(0)
    used.genuine(9)
    np.testing.assert_array_equal(fresh.genuine(1), used.genuine(1))
    np.testing.assert_array_equal(fresh.forgery(1), used.forgery(1))


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="non-negative"):
        synthetic_writer(-1)


@dataclass(frozen=True)
class Samples:
    genuine: list[list[np.ndarray]]  # by writer
    forged: list[list[np.ndarray]]

    def all(self) -> list[np.ndarray]:
        return [image for writer in self.genuine + self.forged for image in writer]


@pytest.fixture(scope="module")
def samples() -> Samples:
    writers = [synthetic_writer(seed) for seed in range(WRITERS)]
    # Numbers far enough apart to come from different sessions and forgers.
    genuine = [[writer.genuine(n) for n in (0, 1, 8, 15)] for writer in writers]
    return Samples(genuine, [[writer.forgery(n) for n in (0, 5, 10, 15)] for writer in writers])


def test_samples_are_scans_of_sensible_size(samples):
    for image in samples.all():
        assert image.dtype == np.uint8
        assert image.ndim == 2
        assert 100 <= image.shape[0] <= 600
        assert 200 <= image.shape[1] <= 950


def test_ink_never_touches_the_border(samples):
    for image in samples.all():
        edge = np.concatenate([image[:4].ravel(), image[-4:].ravel()])
        edge = np.concatenate([edge, image[:, :4].ravel(), image[:, -4:].ravel()])
        assert edge.min() > np.median(image) - 30
        assert image.min() < np.median(image) - 60


def test_every_sample_is_acquired(samples):
    for image in samples.all():
        assert acquire(encode_png(image)).canvas.any()


def test_writers_differ_in_name_and_hand(samples):
    names = {synthetic_writer(seed).name for seed in range(200)}
    assert len(names) > 180
    assert all(len(name.split()) == 2 for name in names)
    firsts = {encode_png(writer[0]) for writer in samples.genuine}
    assert len(firsts) == WRITERS


def likeness(image: np.ndarray) -> np.ndarray:
    """Blurred ink, as a unit vector."""
    canvas = acquire(encode_png(image)).canvas.astype(np.float32)
    blurred = cv2.GaussianBlur(canvas, (0, 0), 2.5).ravel()
    return blurred / np.linalg.norm(blurred)


def test_genuine_signatures_are_most_alike_then_forgeries_then_other_writers(samples):
    genuine = np.array([[likeness(image) for image in writer] for writer in samples.genuine])
    forged = np.array([[likeness(image) for image in writer] for writer in samples.forged])
    own = np.einsum("wad,wbd->wab", genuine, genuine)
    within = own[:, ~np.eye(4, dtype=bool)].mean()
    copied = np.einsum("wad,wbd->wab", genuine, forged).mean()
    between = np.einsum("wad,wbd->wab", genuine, np.roll(genuine, 1, axis=0)).mean()
    assert within > copied + 0.03
    assert copied > between + 0.15


def surface(image: np.ndarray) -> list[float]:
    """What paper, scanner and pen leave behind: grey levels and the width of the line."""
    threshold, _ = cv2.threshold(image, 0, 255, cv2.THRESH_OTSU)
    ink = (image <= threshold).astype(np.uint8)
    paper = image[cv2.dilate(ink, np.ones((9, 9))) == 0]
    dark = image[ink == 1]
    depth = cv2.distanceTransform(ink, cv2.DIST_L2, 5)
    ridge = depth[(depth > 0) & (depth == cv2.dilate(depth, np.ones((3, 3))))]
    return [
        float(np.median(paper)),
        float(paper.std()),
        float(dark.mean()),
        float(np.percentile(dark, 5)),
        float(ridge.mean()),
        *map(float, image.shape),
    ]


def test_neither_grey_levels_nor_pen_nor_size_tell_a_forgery():
    writers = [synthetic_writer(seed) for seed in range(1000, 1060)]
    genuine = np.array([surface(w.genuine(n)) for w in writers for n in (0, 7, 14)])
    forged = np.array([surface(w.forgery(n)) for w in writers for n in (0, 5, 10)])
    lower = (genuine[:, None] < forged).mean(axis=(0, 1))
    equal = (genuine[:, None] == forged).mean(axis=(0, 1))
    separation = lower + equal / 2  # area under the ROC curve; 0.5 tells nothing
    np.testing.assert_allclose(separation, 0.5, atol=0.08)


def test_a_forgery_is_less_fluent_than_what_it_copies():
    rng = np.random.default_rng(0)
    plan = synthetic_writer(3).plan
    drawn = forge(plan, draw_forger(rng), rng)
    written = perform(plan)
    assert drawn.points.size * drawn.step_s > 2 * written.points.size * written.step_s
    # A fluent hand brakes once or twice a stroke; one that copies brakes far more often.
    assert speed_peaks(drawn) > 1.5 * speed_peaks(written)


def speed_peaks(path: PenPath) -> int:
    speed = speed_of(path.points, path.step_s)
    return int(np.sum((speed[1:-1] > speed[:-2]) & (speed[1:-1] > speed[2:])))


def test_the_command_writes_a_contact_sheet(tmp_path):
    sheet = tmp_path / "sheet.png"
    main(["--sheet", str(sheet), "--writers", "2", "--genuine", "2", "--forged", "1"])
    assert cv2.imread(str(sheet), cv2.IMREAD_GRAYSCALE).shape == (360, 1200)
