"""Asks about one image or several: answers, images that were refused, and the exit code of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import RenderableType

from encoder.errors import ImageError
from service.cli.arguments import read_image, region_of_each
from service.cli.failures import (
    EXIT_ERROR,
    EXIT_INCONCLUSIVE,
    EXIT_NO,
    EXIT_REFUSED,
    problem_here,
)
from service.cli.output import note, print_json, show
from service.cli.regions import choices
from service.client.answers import Identification, Verification
from service.client.errors import ImageRefused

if TYPE_CHECKING:
    from encoder.imaging.region import Region
    from service.writers.uploads import Upload

Answered = TypeVar("Answered", Verification, Identification)

EXIT_CODES = {
    "match": 0,
    "identified": 0,
    "non_match": EXIT_NO,
    "not_enrolled": EXIT_NO,
    "inconclusive": EXIT_INCONCLUSIVE,
}
# Of several images, the one that needs a person most says how the command ends.
GRAVEST_FIRST = (EXIT_REFUSED, EXIT_NO, EXIT_INCONCLUSIVE, 0)


@dataclass(frozen=True)
class Told:
    """An image that was asked about: its answer, or the problem for which it was refused."""

    image: str
    answer: Verification | Identification | None = None
    problem: Mapping[str, Any] | None = None

    @property
    def exit_code(self) -> int:
        """What the command would end with, were this the only image."""
        if self.answer is None:
            return EXIT_REFUSED
        # A verdict of a newer server may be one that is not known here; it is no match.
        return EXIT_CODES.get(self.answer.verdict, EXIT_ERROR)


def ask_each(
    images: Sequence[Path],
    regions: Sequence[Region | None],
    ask: Callable[[Upload], Answered],
) -> list[Told]:
    """Ask about each image; of several, one that cannot be used stops none of the others.

    Raises:
        ImageError, ClientError: the only image cannot be used, or there is no answer to any.
    """
    parts = region_of_each(images, regions)
    if len(images) == 1:
        return [Told(images[0].name, ask(read_image(images[0], parts[0])))]
    return [_asked(path, part, ask) for path, part in zip(images, parts, strict=True)]


def _asked(path: Path, region: Region | None, ask: Callable[[Upload], Answered]) -> Told:
    try:
        return Told(path.name, ask(read_image(path, region)))
    except ImageError as error:
        return Told(path.name, problem=problem_here(error))
    except ImageRefused as error:
        return Told(path.name, problem=error.as_dict())


def print_each(
    asked: Sequence[Told],
    parts: Callable[[Any], Sequence[RenderableType]],
    *,
    as_json: bool,
) -> int:
    """Print the answers, each under its image if there are several; return the exit code.

    As JSON, several are one document: `{"answers": [{"image", "answer" or "problem"}, ...]}`.
    """
    if as_json:
        _print_json(asked)
    else:
        for one in asked:
            if len(asked) > 1:
                show(f"{one.image}:")
            _print(one, parts)
    codes = {one.exit_code for one in asked}
    return next((code for code in GRAVEST_FIRST if code in codes), EXIT_ERROR)


def _print(one: Told, parts: Callable[[Any], Sequence[RenderableType]]) -> None:
    if one.answer is not None:
        show(*parts(one.answer))
        return
    problem = one.problem or {}
    note(f"{one.image}: {problem['detail']}")
    if problem.get("boxes"):
        note(f"Ask about it alone, and add {choices(problem['boxes'])}.")


def _print_json(asked: Sequence[Told]) -> None:
    if len(asked) == 1 and asked[0].answer is not None:
        print_json(asked[0].answer.raw)
        return
    print_json(
        {
            "answers": [
                {"image": one.image, "problem": one.problem}
                if one.answer is None
                else {"image": one.image, "answer": one.answer.raw}
                for one in asked
            ]
        }
    )
