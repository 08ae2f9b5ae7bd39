"""Line plots as inline SVG, coloured by the page's style; what they show is decided in `page`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from statistics import NormalDist
from typing import Any

WIDTH, HEIGHT = 380, 350
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 10, 48
DET_TICKS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4)
DET_RANGE = (0.0007, 0.6)
SHARE_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Axis:
    """One axis: its label, its ends, and where which words stand on it."""

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]

    def share(self, value: float) -> float:
        """Where a value lies between the ends, 0 to 1, kept within them."""
        way = (value - self.low) / (self.high - self.low)
        return min(max(way, 0.0), 1.0)


@dataclass(frozen=True)
class Series:
    """One line: `style` is a class of the page's style, `s1` to `s5`."""

    label: str
    points: Sequence[tuple[float, float]]
    style: str


def plot(title: str, axes: tuple[Axis, Axis], series: Sequence[Series], guide: bool = False) -> str:
    """A figure with its legend; `guide` draws the diagonal, where both axes are equal."""
    x, y = axes
    lines = [_tick_x(x, at, words) for at, words in x.ticks]
    lines += [_tick_y(y, at, words) for at, words in y.ticks]
    if guide:
        lines.append(_path([(x.low, y.low), (x.high, y.high)], axes, "guide"))
    lines += [_path(one.points, axes, f"line {one.style}") for one in series]
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    lines.append(f'<text class="name" x="{middle_x}" y="{HEIGHT - 8}">{escape(x.label)}</text>')
    lines.append(
        f'<text class="name" transform="translate(14 {middle_y}) rotate(-90)">'
        f"{escape(y.label)}</text>"
    )
    keys = "".join(
        f'<li><svg viewBox="0 0 26 8" aria-hidden="true"><path class="line {one.style}" '
        f'd="M0 4H26"/></svg>{escape(one.label)}</li>'
        for one in series
    )
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{"".join(lines)}</svg><ul class="keys">{keys}</ul></figure>'
    )


def det_plot(curves: Sequence[tuple[str, str, Sequence[Sequence[float]]]]) -> str:
    """Detection error trade-off on normal deviates; `curves` are label, style, [FMR, FNMR]s."""
    ticks = [(_deviate(rate), f"{100 * rate:g}") for rate in DET_TICKS]
    low, high = (_deviate(rate) for rate in DET_RANGE)
    axes = (
        Axis("false match rate, %", low, high, ticks),
        Axis("false non-match rate, %", low, high, ticks),
    )
    series = [
        Series(label, [(_deviate(x), _deviate(y)) for x, y in points if _drawn(x, y)], style)
        for label, style, points in curves
    ]
    return plot("Detection error trade-off", axes, series, guide=True)


def tippett_plot(curves: Mapping[str, Sequence[float]]) -> str:
    """Shares of comparisons whose likelihood ratio is at least so much."""
    ratios = curves["log_lr"]
    top = max(1, int(max(ratios)))
    axes = (
        Axis(
            "log10 likelihood ratio is at least",
            ratios[0],
            ratios[-1],
            [(x, f"{x:+d}" if x else "0") for x in range(-top, top + 1)],
        ),
        Axis("share of comparisons, %", 0.0, 1.0, _share_ticks(SHARE_TICKS)),
    )
    series = [
        Series("genuine", list(zip(ratios, curves["genuine"], strict=True)), "s1"),
        Series("skilled forgery", list(zip(ratios, curves["skilled"], strict=True)), "s2"),
    ]
    return plot("Tippett", axes, series)


def cmc_plot(curves: Sequence[tuple[str, str, Sequence[float]]]) -> str:
    """Share of searches with the writer among the first candidates; label, style, shares."""
    worst = min(shares[0] for _, _, shares in curves)
    low = max(floor for floor in (0.0, 0.5, 0.8, 0.9, 0.95) if floor <= worst)
    length = max(len(shares) for _, _, shares in curves)
    ticks = [low + (1 - low) * part for part in SHARE_TICKS]
    axes = (
        Axis("rank", 1, length, [(n, str(n)) for n in (1, 5, 10, 15, 20) if n <= length]),
        Axis("writer among the first, %", low, 1.0, _share_ticks(ticks)),
    )
    series = [
        Series(label, [(place + 1, share) for place, share in enumerate(shares)], style)
        for label, style, shares in curves
    ]
    return plot("Identification: cumulative match", axes, series)


def _share_ticks(shares: Sequence[float]) -> list[tuple[float, str]]:
    return [(share, f"{100 * share:.4g}") for share in shares]


def _deviate(rate: float) -> float:
    return NormalDist().inv_cdf(rate)


def _drawn(fmr: float, fnmr: float) -> bool:
    """Whether a point of a curve lies within the frame."""
    return all(DET_RANGE[0] <= rate <= DET_RANGE[1] for rate in (fmr, fnmr))


def _place(point: tuple[float, float], axes: tuple[Axis, Axis]) -> tuple[float, float]:
    across = LEFT + axes[0].share(point[0]) * (WIDTH - LEFT - RIGHT)
    down = HEIGHT - BOTTOM - axes[1].share(point[1]) * (HEIGHT - TOP - BOTTOM)
    return across, down


def _path(points: Sequence[tuple[float, float]], axes: tuple[Axis, Axis], style: str) -> str:
    placed = [_place(point, axes) for point in points]
    way = "L".join(f"{across:.1f} {down:.1f}" for across, down in placed)
    return f'<path class="{style}" d="M{way}"/>' if placed else ""


def _tick_x(axis: Axis, at: float, words: str) -> str:
    across = LEFT + axis.share(at) * (WIDTH - LEFT - RIGHT)
    foot = HEIGHT - BOTTOM
    return (
        f'<path class="grid" d="M{across:.1f} {TOP}V{foot}"/>'
        f'<text class="tick" text-anchor="middle" x="{across:.1f}" y="{foot + 16}">{words}</text>'
    )


def _tick_y(axis: Axis, at: float, words: str) -> str:
    down = HEIGHT - BOTTOM - axis.share(at) * (HEIGHT - TOP - BOTTOM)
    return (
        f'<path class="grid" d="M{LEFT} {down:.1f}H{WIDTH - RIGHT}"/>'
        f'<text class="tick" text-anchor="end" x="{LEFT - 6}" y="{down + 4:.1f}">{words}</text>'
    )


def curve_of(answer: Mapping[str, Any], references: str, name: str) -> Any:
    """A curve of an evaluated part, None where there is none."""
    return answer.get("curves", {}).get(references, {}).get(name)
