"""A moment on the command line: a day, or a time with its zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click


class Moment(click.ParamType):
    """ISO 8601: a day begins in UTC, and a time must name its zone."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it, or end the command with what was expected."""
        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"expected a day such as 2026-01-31 or a time; {value!r} came.", param, ctx)
        if found.tzinfo is None and len(value) > len("2026-01-31"):
            self.fail(f"expected a time with its zone, such as {value}Z.", param, ctx)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found


MOMENT = Moment()
