"""Draws what `index_scale` measured as two SVG files, with nothing but text.

`python -m benchmarks.index_plots RESULT.json FOLDER` writes `index-growth.svg` (time of a search
against size, both in decades) and `index-recall.svg` (recall against time at one size).
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 120, 24, 48
COLOURS = (
    "#1b6ca8",
    "#c8553d",
    "#3c7d3c",
    "#8a5a9e",
    "#b08900",
    "#555555",
    "#00a0a0",
    "#d81b60",
)

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """A scale from `least` to `most`, in decades or even steps, with marks at `ticks`."""

    title: str
    ticks: Sequence[float]
    decades: bool

    def place(self, value: float) -> float:
        """Return where a value lies, 0 to 1."""
        first, last, own = (self._even(one) for one in (self.ticks[0], self.ticks[-1], value))
        return min(max((own - first) / (last - first), 0.0), 1.0)

    def _even(self, value: float) -> float:
        return math.log10(value) if self.decades else value


def plot(across: Axis, up: Axis, lines: Mapping[str, Points]) -> str:
    """Return an SVG drawing of named lines of (across, up) points."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        '<g font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for tick in across.ticks:
        x = _x(across, tick)
        parts.append(_line(x, TOP, x, HEIGHT - BOTTOM))
        parts.append(_text(x, HEIGHT - BOTTOM + 16, _number(tick), "middle"))
    for tick in up.ticks:
        y = _y(up, tick)
        parts.append(_line(LEFT, y, WIDTH - RIGHT, y))
        parts.append(_text(LEFT - 6, y + 4, _number(tick), "end"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, across.title, "middle"))
    parts.append(_text(LEFT, TOP - 8, up.title, "start"))
    for number, (name, points) in enumerate(sorted(lines.items())):
        parts += _curve(across, up, name, sorted(points), number)
    return "\n".join([*parts, "</g></svg>"]) + "\n"


def _curve(across: Axis, up: Axis, name: str, points: Points, number: int) -> list[str]:
    colour = COLOURS[number % len(COLOURS)]
    places = [(_x(across, x), _y(up, y)) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
    key = TOP + 14 + 16 * number
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *dots,
        f'<rect x="{WIDTH - RIGHT + 16}" y="{key - 9}" width="10" height="10" fill="{colour}"/>',
        _text(WIDTH - RIGHT + 32, key, name, "start"),
    ]


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.place(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.place(value) * (HEIGHT - TOP - BOTTOM)


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#dddddd"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def growth(rows: list[dict[str, Any]]) -> str:
    """Draw the median time of a search against the gallery's size."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        lines.setdefault(row["engine"], []).append((row["size"], row["p50_ms"]))
    return plot(
        Axis("references", (1e4, 1e5, 1e6, 1e7), decades=True),
        Axis("median search, ms, one thread", _decades(rows), decades=True),
        lines,
    )


def recall(rows: list[dict[str, Any]], size: int) -> str:
    """Draw the recall that each engine's settings reach against their time, at one size."""
    own = [row for row in rows if row["size"] == size]
    lines = {
        row["engine"]: [(found["p50_ms"], found["recall_10"]) for found in row["curve"]]
        for row in own
    }
    return plot(
        Axis(f"median search, ms, {size:,} references", _decades(own), decades=True),
        Axis("recall@10", (0.8, 0.85, 0.9, 0.95, 1.0), decades=False),
        lines,
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 and value == int(value) else f"{value:g}"


def _decades(rows: list[dict[str, Any]]) -> list[float]:
    """Return powers of ten, ms, from below the quickest search to above the slowest."""
    times = [found["p50_ms"] for row in rows for found in row["curve"]]
    first, last = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def main() -> None:
    """Write both drawings."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("result", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=100_000, help="of the second drawing (100,000)")
    options = parser.parse_args()
    measured = json.loads(options.result.read_text(encoding="utf-8"))["rows"]
    rows = [row for row in measured if "failed" not in row]
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, drawing in (("growth", growth(rows)), ("recall", recall(rows, options.size))):
        (options.folder / f"index-{name}.svg").write_text(drawing, encoding="utf-8")


if __name__ == "__main__":
    main()
