"""Tables and figures of the report as HTML; which there are is decided in `page`."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

NO_VALUE = "-"
SUMMED_UP_AT = 5  # References.


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls sideways on a phone; cells are HTML, columns are text."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    parts = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide"><table>{parts}</table></div>'


def rate(row: Mapping[str, Any], name: str) -> str:
    """A rate in percent, with its interval below."""
    value = row.get(name)
    if value is None:
        return NO_VALUE
    limits = row.get("intervals", {}).get(name)
    spread = f"<small>{100 * limits[0]:.1f} to {100 * limits[1]:.1f}</small>" if limits else ""
    return f"{100 * value:.1f}{spread}"


def bits(row: Mapping[str, Any], name: str) -> str:
    """A cost in bits, with its interval below."""
    value = row.get(name)
    if value is None:
        return NO_VALUE
    limits = row.get("intervals", {}).get(name)
    spread = f"<small>{limits[0]:.2f} to {limits[1]:.2f}</small>" if limits else ""
    return f"{value:.2f}{spread}"


def tile(words: str, row: Mapping[str, Any], name: str) -> str:
    """One figure, large, with what it is."""
    value, limits = row.get(name), row.get("intervals", {}).get(name)
    if value is None:
        return ""
    spread = f"<span>95%: {100 * limits[0]:.1f} to {100 * limits[1]:.1f} %</span>" if limits else ""
    return f'<div class="tile"><span>{escape(words)}</span><b>{100 * value:.1f} %</b>{spread}</div>'


def middle_references(results: Mapping[str, Any]) -> str | None:
    """The number of references that a set is summed up by: 5, or the most there are below."""
    counts = [int(count) for count in results if int(count) <= SUMMED_UP_AT]
    return str(max(counts)) if counts else None
