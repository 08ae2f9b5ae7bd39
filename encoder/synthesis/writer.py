"""Synthetic writers: people who never were, their signatures, and forgeries of these."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.synthesis.composition import Style, compose, draw_style
from encoder.synthesis.ink import Gray, Pen, draw_pen, draw_scan, scan, worn
from encoder.synthesis.names import invent_name
from encoder.synthesis.plan import PenPath, Plan, perform
from encoder.synthesis.variation import draw_forger, forge, repeat, without_some_marks

# Streams of randomness; a sample depends on its writer's seed, its stream and its number alone.
_WRITER, _GENUINE, _SESSION, _FORGERY, _FORGER, _GENUINE_SCAN, _FORGED_SCAN = range(7)

_SAMPLES_PER_SESSION = 6
_SAMPLES_PER_FORGER = 4
_CHANCE_OF_USUAL_PEN = 0.7


@dataclass(frozen=True)
class SyntheticWriter:
    """A writer with an invented name, a stable action plan and a favourite pen.

    Samples are numbered from 0 and depend on `seed` and number alone, whatever was asked before.
    """

    seed: int
    name: str
    style: Style
    plan: Plan
    pen: Pen

    def genuine(self, n: int) -> NDArray[np.uint8]:
        """The n-th genuine signature: a grey scan (h, w) at about 300 dpi, dark ink on paper."""
        session = _stream(self.seed, _SESSION, n // _SAMPLES_PER_SESSION)
        rng = _stream(self.seed, _GENUINE, n)
        path = perform(self._written(session, rng))
        return self._scanned(path, _stream(self.seed, _GENUINE_SCAN, n))

    def forgery(self, n: int) -> NDArray[np.uint8]:
        """The n-th skilled forgery, drawn from sight of a genuine signature; as `genuine`."""
        habits = _stream(self.seed, _FORGER, n // _SAMPLES_PER_FORGER)
        rng = _stream(self.seed, _FORGERY, n)
        seen = self._written(habits, habits)
        path = forge(seen, draw_forger(habits), rng)
        return self._scanned(path, _stream(self.seed, _FORGED_SCAN, n))

    def _written(self, session: np.random.Generator, rng: np.random.Generator) -> Plan:
        amount = self.style.unsteadiness
        drifted = repeat(self.plan, 0.6 * amount, session)
        return without_some_marks(repeat(drifted, amount, rng), 0.06, rng)

    def _scanned(self, path: PenPath, rng: np.random.Generator) -> Gray:
        # The pen and the scanner follow one distribution for genuine and forged signatures:
        # were it otherwise, grey levels would give a forgery away.
        usual = rng.random() < _CHANCE_OF_USUAL_PEN
        pen = worn(self.pen if usual else draw_pen(rng), rng)
        return scan(path, pen, draw_scan(rng), rng)


def synthetic_writer(seed: int) -> SyntheticWriter:
    """The writer of this seed (0 or more), the same on every machine and in every process.

    Handwriting is generated after the kinematic theory of rapid human movements (R. Plamondon,
    "A kinematic theory of rapid human movements", Biological Cybernetics 72, 1995) with the
    sigma-lognormal model (C. O'Reilly and R. Plamondon, "Development of a Sigma-Lognormal
    representation for on-line signatures", Pattern Recognition 42, 2009).

    Raises:
        ValueError: the seed is negative.
    """
    rng = _stream(seed, _WRITER, 0)
    name = invent_name(rng)
    style = draw_style(rng)
    return SyntheticWriter(seed, name, style, compose(name, style, rng), draw_pen(rng))


def encode_png(gray: NDArray[np.uint8]) -> bytes:
    """A grey image (h, w), uint8, as the bytes of a PNG file."""
    return cv2.imencode(".png", gray)[1].tobytes()


def _stream(seed: int, stream: int, number: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence((seed, stream, number)))
