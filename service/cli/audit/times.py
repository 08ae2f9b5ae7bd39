"""A moment on the command line: a day, or a time with its zone."""

from __future__ import annotations

from datetime import UTC, datetime

import click

A_DAY = "2026-01-31"


def moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """Read an option in ISO 8601, its callback: a day begins in UTC, a time must name its zone.

    Raises:
        BadParameter: saying what was expected.
    """
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        message = f"expected a day such as {A_DAY} or a time; {value!r} came."
        raise click.BadParameter(message, ctx, param) from None
    if found.tzinfo is None and len(value) > len(A_DAY):
        message = f"expected a time with its zone, such as {value}Z."
        raise click.BadParameter(message, ctx, param)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
