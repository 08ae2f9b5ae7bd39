"""Carries an action plan out: from virtual targets and timing to the pen's path and pressure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoder.synthesis.kinematics import Floats, Points, Pulses, trace

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Plan:
    """Strokes from virtual target to virtual target.

    `targets` has shape (n + 1,): positions in px, y upwards. The rest is per stroke, (n,): `turn`
    in rad; `lifted`, made in the air; `optional`, left out now and then; `pace_s`, its share of
    the time. `overlap` is the spread of a stroke's speed in time, in units of its pace: the higher,
    the more fluent. `log_spread` is the spread of the log response time. `taper_s` is how long the
    pen takes to land and to lift; `x_height_px` is the height of a small letter.
    """

    targets: Points
    turn: Floats
    lifted: Flags
    optional: Flags
    pace_s: Floats
    overlap: float
    log_spread: float
    taper_s: float
    x_height_px: float

    @property
    def part(self) -> NDArray[np.int64]:
        """For each target (n + 1,), how often the pen was lifted before it was reached."""
        return np.concatenate([[0], np.cumsum(self.lifted)])

    @property
    def peak_s(self) -> Floats:
        """When each stroke is fastest (n,)."""
        gaps = (self.pace_s[1:] + self.pace_s[:-1]) / 2
        return np.concatenate([[0.0], np.cumsum(gaps)])

    def pulses(self) -> Pulses:
        """The velocity pulses that carry the plan out."""
        sigma = np.full(self.turn.shape, self.log_spread)
        # A lognormal's standard deviation is its median times this factor.
        factor = np.exp(sigma**2 / 2) * np.sqrt(np.expm1(sigma**2))
        # Moves in the air are brisk, or they would smear into the strokes beside them.
        spread_s = self.overlap * self.pace_s * np.where(self.lifted, 0.6, 1.0)
        mu = np.log(spread_s / factor)
        onset_s = self.peak_s - np.exp(mu - sigma**2)
        return Pulses(onset_s, mu, sigma, np.diff(self.targets), self.turn)


@dataclass(frozen=True)
class PenPath:
    """What the pen did, sampled every `step_s`; arrays of shape (t,).

    `points` are positions in px, y upwards; `pressure` is 0 in the air and about 1 on paper.
    """

    points: Points
    pressure: Floats
    step_s: float


def perform(plan: Plan, step_s: float = 0.004) -> PenPath:
    """Writes the plan down."""
    time_s, points = trace(plan.pulses(), complex(plan.targets[0]), step_s)
    peaks = plan.peak_s
    start = peaks[0] - 0.9 * plan.pace_s[0]
    end = peaks[-1] + 0.9 * plan.pace_s[-1]
    during = (time_s >= start) & (time_s <= end)
    time_s, points = time_s[during], points[during]
    clear_s = np.minimum(time_s - start, end - time_s)
    lifts = np.flatnonzero(plan.lifted)
    if lifts.size:
        half = plan.pace_s[lifts] * 0.45
        clear_s = np.minimum(clear_s, np.min(np.abs(time_s[:, None] - peaks[lifts]) - half, axis=1))
    pressure = np.clip(clear_s / plan.taper_s, 0.0, 1.0)
    # The hand presses harder when it pulls the pen down than when it pushes it up.
    speed = np.gradient(points) / step_s
    pull = -speed.imag / (np.abs(speed) + 1e-6)
    return PenPath(points, pressure * (0.92 + 0.12 * pull), step_s)
