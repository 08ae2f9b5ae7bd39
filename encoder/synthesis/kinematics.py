"""Turns lognormal velocity pulses into a pen's path; what is written is the plan's affair.

The kinematic theory of rapid human movements (R. Plamondon, "A kinematic theory of rapid human
movements", Biological Cybernetics 72, 1995) describes a stroke's speed as a lognormal function of
time; the sigma-lognormal model (C. O'Reilly and R. Plamondon, "Development of a Sigma-Lognormal
representation for on-line signatures", Pattern Recognition 42, 2009) adds up such strokes as
vectors, each along an arc of a circle and overlapping its neighbours in time.
"""

from dataclasses import dataclass
from functools import cache
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Points = NDArray[np.complex128]

# A pulse is followed from 4 standard deviations before its median, in log time, to 4 after it.
_REACH = 4.0


@dataclass(frozen=True)
class Pulses:
    """Velocity pulses, one for each stroke; all arrays have shape (n,).

    `onset_s` is when the command is given (s), `mu` and `sigma` the mean and the spread of the
    log response time, `chord` the displacement from one virtual target to the next (px, as a
    complex number), `turn` the angle through which the stroke's heading turns on its way (rad).
    """

    onset_s: Floats
    mu: Floats
    sigma: Floats
    chord: Points
    turn: Floats


def pulse_speed(time_s: Floats, onset_s: Floats, mu: Floats, sigma: Floats) -> Floats:
    """The lognormal speed profile of a stroke of length 1 (1/s); 0 before its onset.

    It is highest at `onset_s + exp(mu - sigma**2)`. The arguments broadcast.
    """
    elapsed = np.maximum(time_s - onset_s, 1e-9)
    standard = (np.log(elapsed) - mu) / sigma
    density: Floats = np.exp(-0.5 * standard**2) / (sigma * sqrt(2 * np.pi) * elapsed)
    return np.where(time_s > onset_s, density, 0.0)


def pulse_progress(time_s: Floats, onset_s: Floats, mu: Floats, sigma: Floats) -> Floats:
    """The share of its way, 0..1, that a stroke has covered: the integral of `pulse_speed`."""
    elapsed = np.maximum(time_s - onset_s, 1e-9)
    grid, integral = _normal_integral()
    covered: Floats = np.interp((np.log(elapsed) - mu) / sigma, grid, integral)
    return covered


def arc_length(chord: Points, turn: Floats) -> Floats:
    """The length (px) of arcs that span `chord` while their heading turns by `turn` (rad)."""
    return np.abs(chord) / np.sinc(turn / (2 * np.pi))


def trace(pulses: Pulses, start: complex, step_s: float) -> tuple[Floats, Points]:
    """The path that the pulses add up to: times (t,) in s and positions (t,) in px.

    Each pulse is evaluated only while it moves, in closed form, so the path ends at `start` plus
    the sum of the chords, whatever `step_s` is.
    """
    earliest = pulses.onset_s + np.exp(pulses.mu - _REACH * pulses.sigma)
    latest = pulses.onset_s + np.exp(pulses.mu + _REACH * pulses.sigma)
    origin = float(np.min(earliest)) - step_s
    first = np.floor((earliest - origin) / step_s).astype(np.int64)
    steps = int(np.max((latest - origin) / step_s - first)) + 1
    index = first[:, None] + np.arange(steps + 1)
    time_s: Floats = origin + index.astype(np.float64) * step_s
    progress = pulse_progress(
        time_s,
        pulses.onset_s[:, None],
        pulses.mu[:, None],
        pulses.sigma[:, None],
    )
    progress[:, 0], progress[:, -1] = 0.0, 1.0
    moved = np.diff(_along_arcs(progress, pulses.chord, pulses.turn), axis=1).ravel()
    into = index[:, 1:].ravel()
    count = int(into.max()) + 1
    step = np.bincount(into, moved.real, count) + 1j * np.bincount(into, moved.imag, count)
    times_s: Floats = origin + np.arange(count, dtype=np.float64) * step_s
    return times_s, start + np.cumsum(step)


def _along_arcs(progress: Floats, chord: Points, turn: Floats) -> Points:
    """Displacement (n, t) after the given share of each arc's length."""
    # A straight stroke is the limit of a slight arc; the division below wants a turn.
    bent = np.where(np.abs(turn) < 1e-6, 1e-6, turn)
    whole = np.exp(1j * bent) - 1
    along: Points = (np.exp(1j * bent[:, None] * progress) - 1) * (chord / whole)[:, None]
    return along


@cache
def _normal_integral() -> tuple[Floats, Floats]:
    """A table of the standard normal distribution function, exact to 1e-6 between its points."""
    grid = np.linspace(-6.0, 6.0, 4097)
    return grid, np.array([0.5 * (1 + erf(z / sqrt(2))) for z in grid])
