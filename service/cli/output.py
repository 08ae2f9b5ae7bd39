"""How commands speak: answers on stdout, for people or as JSON; messages and progress on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress

Command = TypeVar("Command", bound=Callable[..., Any])
# Characters up to which the first cells of a table are not broken over lines.
MOST_WHOLE = 40


def json_option(command: Command) -> Command:
    """Give a command `--json`, which it takes as the argument `as_json`."""
    option = click.option(
        "--json", "as_json", is_flag=True, help="Print the answer as JSON on stdout, nothing else."
    )
    return option(command)


def print_json(answer: Mapping[str, object]) -> None:
    """Print one JSON document on stdout; moments in time as ISO 8601."""
    click.echo(json.dumps(answer, indent=2, default=plain))


def note(message: str) -> None:
    """Print a message to people on stderr."""
    click.echo(message, err=True)


def console(*, stderr: bool = False) -> Console:
    """Return a console that takes text as it is: names and paths may hold what looks like markup.

    It leaves colours out where NO_COLOR is set or where nobody is watching.
    """
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def show(*parts: RenderableType) -> None:
    """Print text, tables and panels on stdout; text is left whole, for it may hold a command."""
    screen = console()
    for part in parts:
        screen.print(part, soft_wrap=isinstance(part, str))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> Any:
    """Return a table; a column whose name starts with `#` holds numbers, set to the right.

    The first column holds what other commands take, to be copied, so it is broken last.
    """
    from rich.table import Table

    cells = [[cell if isinstance(cell, str) else str(cell) for cell in row] for row in rows]
    whole = max((len(row[0]) for row in cells), default=0) <= MOST_WHOLE
    drawn = Table(title=title or None, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        drawn.add_column(
            column.removeprefix("#"),
            justify="right" if column.startswith("#") else "left",
            overflow="fold",
            no_wrap=number == 0 and whole,
        )
    for row in cells:
        drawn.add_row(*row)
    return drawn


def progress_bar(*, rate: bool = False) -> Progress:
    """Return a progress bar on stderr, drawn only where someone is watching.

    With `rate`, it also says how many are done in a second.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """How many are done in a second."""

        def render(self, task: Task) -> Text:
            return Text("" if not task.speed else f"{task.speed:.0f}/s")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *([Rate()] if rate else []),
        TimeRemainingColumn(),
        console=console(stderr=True),
        disable=not watched(),
        transient=True,
    )


@contextmanager
def following() -> Iterator[Callable[[str, int, int], None]]:
    """Give what draws how far a long piece of work is: what is under way, how much, of how much."""
    with progress_bar() as bar:
        task = bar.add_task("Starting", total=None)

        def follow(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total or None)

        yield follow


def watched() -> bool:
    """Whether stderr is a terminal: progress is drawn there, and logged in lines elsewhere."""
    return sys.stderr.isatty()


def plain(value: object) -> object:
    """Write as JSON what is not of JSON's own kinds: moments in time, as ISO 8601.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON.")
