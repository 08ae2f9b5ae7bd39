"""How a plan turns out on one occasion: repeated by its writer, or copied by a forger."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from encoder.synthesis.kinematics import Floats, Points
from encoder.synthesis.plan import Flags, PenPath, Plan, perform


@dataclass(frozen=True)
class Forger:
    """What a forger brings along. `fidelity` 0..1 is how well the proportions are judged."""

    fidelity: float
    chunk: float  # length copied at a glance, in x-heights
    overlap: float
    tremor: float  # amplitude in x-heights
    hesitations: float  # expected number for a signature
    lifts: float  # expected number of times the pen is lifted to look again
    taper_s: float


def draw_forger(rng: np.random.Generator) -> Forger:
    """Draws a forger, from careful to clumsy."""
    fidelity = float(rng.uniform(0.0, 1.0))
    return Forger(
        fidelity=fidelity,
        chunk=float(rng.uniform(0.3, 0.6)),
        overlap=float(rng.uniform(0.42, 0.55)),
        tremor=float(rng.uniform(0.0, 0.015)),
        hesitations=float(rng.uniform(0.5, 5.0)),
        lifts=float(rng.uniform(0.0, 2.0)),
        taper_s=float(rng.uniform(0.004, 0.02)),
    )


def repeat(plan: Plan, amount: float, rng: np.random.Generator) -> Plan:
    """The plan as it comes out on one occasion; `amount` scales the variability (1 is usual)."""
    count = plan.targets.size
    unit = amount * plan.x_height_px
    aim = 0.1 * _smooth(count, 4, rng) + 0.045 * _scatter(count, rng)
    parts = plan.part
    landing = 0.12 * _scatter(int(parts[-1]) + 1, rng)[parts]
    targets = _warped(plan.targets, amount * 0.035, rng) + unit * (aim + landing)
    turn = plan.turn + amount * np.radians(5) * rng.standard_normal(count - 1)
    hurry = rng.normal(0, 0.05) + rng.normal(0, 0.05, count - 1)
    return replace(
        plan,
        targets=targets,
        turn=turn,
        pace_s=plan.pace_s * np.exp(amount * hurry),
        overlap=plan.overlap * float(np.exp(amount * rng.normal(0, 0.05))),
    )


def without_some_marks(plan: Plan, chance: float, rng: np.random.Generator) -> Plan:
    """The plan with each dot or bar left out by `chance`."""
    parts = plan.part[1:]
    omitted = rng.random(int(parts[-1]) + 1) < chance
    keep = ~(plan.optional & omitted[parts])
    return replace(
        plan,
        targets=plan.targets[np.concatenate([[True], keep])],
        turn=plan.turn[keep],
        lifted=plan.lifted[keep],
        optional=plan.optional[keep],
        pace_s=plan.pace_s[keep],
    )


def forge(model: Plan, forger: Forger, rng: np.random.Generator) -> PenPath:
    """Copies a genuine signature as one who looks at it and draws: slowly, chunk by chunk."""
    plan = _copied(perform(model), model, forger, rng)
    path = perform(plan, step_s=0.012)  # slow enough for coarse sampling
    shake = forger.tremor * model.x_height_px * _tremor(path.points.size, path.step_s, rng)
    heading = np.gradient(path.points)
    across = 1j * heading / (np.abs(heading) + 1e-3)
    return replace(path, points=path.points + across * shake)


def _tremor(count: int, step_s: float, rng: np.random.Generator) -> Floats:
    """Physiological tremor: a beat of 6 to 11 Hz that swells and fades, of amplitude about 1."""
    rate_hz = 8.5 + 1.5 * _smooth(count, 25, rng).real
    swell = np.abs(_smooth(count, 40, rng))
    beat: Floats = swell * np.sin(2 * np.pi * step_s * np.cumsum(rate_hz))
    return beat


def _copied(seen: PenPath, model: Plan, forger: Forger, rng: np.random.Generator) -> Plan:
    """The forger's plan: many small strokes along the path seen."""
    chosen, lifted = _glances(seen, forger.chunk * model.x_height_px)
    # Lifting the pen in mid-stroke: the same place is aimed at once more, through the air.
    looks = rng.integers(1, chosen.size - 1, rng.poisson(forger.lifts))
    chosen = np.insert(chosen, looks, chosen[looks])
    lifted = np.insert(lifted, looks, True)
    targets = seen.points[chosen]
    count = targets.size
    # From careful to clumsy: spread so that the shipped model errs on them about as on real ones.
    clumsy = 3.4 - 1.8 * forger.fidelity
    misjudged = 0.13 * _smooth(count, 14, rng) + 0.02 * _scatter(count, rng)
    targets = _warped(targets, 0.05 * clumsy, rng) + clumsy * model.x_height_px * misjudged
    targets[1:] += 0.05 * model.x_height_px * _scatter(count - 1, rng) * lifted
    heading = np.unwrap(np.angle(np.gradient(seen.points)))
    turn = np.clip(np.diff(heading[chosen]), -2.2, 2.2) * rng.uniform(0.6, 0.95)
    pace_s = 0.1 * np.exp(rng.normal(0, 0.12, count - 1))
    pauses = rng.integers(0, count - 1, rng.poisson(forger.hesitations))
    pace_s[lifted], pace_s[pauses] = 0.4, 0.45
    return replace(
        model,
        targets=targets,
        turn=np.where(lifted, 0.0, turn),
        lifted=lifted,
        optional=np.zeros(count - 1, dtype=bool),
        pace_s=pace_s,
        overlap=forger.overlap,
        taper_s=forger.taper_s,
    )


def _glances(seen: PenPath, chunk_px: float) -> tuple[NDArray[np.int64], Flags]:
    """Which samples of a path to aim at, about `chunk_px` apart, and which moves are in the air."""
    down = seen.pressure > 0.3
    edges = np.flatnonzero(np.diff(np.concatenate([[False], down, [False]]).astype(np.int8)))
    way = np.cumsum(np.abs(np.diff(seen.points, prepend=seen.points[:1])))
    chosen: list[NDArray[np.int64]] = []
    lifted: list[Flags] = []
    for begin, end in zip(edges[::2], edges[1::2] - 1, strict=True):
        pieces = max(1, round((way[end] - way[begin]) / chunk_px))
        marks = np.linspace(way[begin], way[end], pieces + 1)
        chosen.append(begin + np.searchsorted(way[begin:end], marks))
        lifted.append(np.arange(pieces + 1) == 0)
    return np.concatenate(chosen), np.concatenate(lifted)[1:]


def _warped(points: Points, amount: float, rng: np.random.Generator) -> Points:
    """Points under a small random affine map about their centre."""
    across, up, lean, spin = rng.normal(0, amount, 4)
    centre = points.mean()
    offset = points - centre
    y = offset.imag * np.exp(up)
    moved: Points = offset.real * np.exp(across) + lean * y + 1j * y
    turned: Points = centre + moved * np.exp(0.7j * spin)
    return turned


def _scatter(count: int, rng: np.random.Generator) -> Points:
    """Independent errors, of standard deviation 1 along each axis."""
    noise = rng.standard_normal((2, count))
    scattered: Points = noise[0] + 1j * noise[1]
    return scattered


def _smooth(count: int, reach: int, rng: np.random.Generator) -> Points:
    """Errors that change slowly along the way, of standard deviation 1 along each axis."""
    kernel: Floats = np.hanning(2 * reach + 3)[1:-1]
    kernel /= np.sqrt(np.sum(kernel**2))
    return np.convolve(_scatter(count + kernel.size - 1, rng), kernel, mode="valid")
