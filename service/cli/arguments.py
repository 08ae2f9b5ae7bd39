"""What commands are given: writers' ids, image files and folders, checked before any work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from index.registry.identifiers import WRITER_ID_EXPECTED, is_writer_id
from service.cli.failures import fail

if TYPE_CHECKING:
    from encoder.imaging.region import Region
    from service.writers.uploads import Upload

Command = TypeVar("Command", bound=Callable[..., Any])

IMAGE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
STDIN = Path("-")
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
SOURCE = click.Path(exists=True, path_type=Path)
REPORT = click.Path(dir_okay=False, writable=True, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)


def writer_argument(command: Command) -> Command:
    """Give a command the argument `writer_id`, which has the form of a writer's id."""
    return click.argument("writer_id", metavar="WRITER", callback=_writer_id)(command)


def operating_point_option(command: Command) -> Command:
    """Give a command `--operating-point`; which there are is for the model to say."""
    return click.option(
        "--operating-point",
        metavar="NAME",
        help="The target error to decide by, such as fmr_skilled=1%; default: the model's own.",
    )(command)


def region_option(command: Command) -> Command:
    """Give a command `--region`, the part of the image to look at: a Region or None."""
    return click.option(
        "--region",
        metavar="X,Y,W,H",
        callback=_region,
        help="Look at this part of the image only: left, top, width, height in pixels.",
    )(command)


def regions_option(name: str, what: str = "image") -> Callable[[Command], Command]:
    """Give a command an option that repeats, `regions`: a tuple with a Region or None for each."""
    return click.option(
        name,
        "regions",
        metavar="X,Y,W,H",
        multiple=True,
        callback=_regions,
        help=f"Look at this part only; once for each {what}, in their order, 'all' for all of one.",
    )


def region_of_each(
    images: Sequence[Path], regions: Sequence[Region | None], option: str = "--region"
) -> Sequence[Region | None]:
    """The region to look at in each image: all of it where none was given.

    Raises:
        Failure: regions were given, but not one for each image.
    """
    if regions and len(regions) != len(images):
        fail(f"{option} came {len(regions)} times for {len(images)} images; give it for each.")
    return regions or [None] * len(images)


def images_argument(command: Command) -> Command:
    """Give a command the argument `images`: files, one or more; `-` is stdin, once."""
    return click.argument(
        "images", metavar="IMAGE...", nargs=-1, type=IMAGE, required=True, callback=_images
    )(command)


def read_image(path: Path, region: Region | None = None) -> Upload:
    """Read an image file, or stdin where it is called `-`.

    Raises:
        OversizeImage: it is too large to be read at all.
        OSError: it cannot be read.
    """
    from service.transfer.sources.files import read_limited, read_upload
    from service.writers.uploads import Upload

    if path == STDIN:
        return Upload("stdin", read_limited(sys.stdin.buffer), region)
    return read_upload(path, region)


def _images(
    ctx: click.Context, argument: click.Parameter, paths: tuple[Path, ...]
) -> tuple[Path, ...]:
    if paths.count(STDIN) > 1:
        raise click.BadParameter("- is stdin, and can be read once.", ctx, argument)
    return paths


def _region(ctx: click.Context, parameter: click.Parameter, text: str | None) -> Region | None:
    from service.errors import InvalidInput
    from service.writers.regions import region_of

    if text is None or text == "all":
        return None
    try:
        return region_of(text)
    except InvalidInput as error:
        raise click.BadParameter(str(error), ctx, parameter) from error


def _regions(
    ctx: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[Region | None, ...]:
    return tuple(_region(ctx, parameter, text) for text in texts)


def _writer_id(ctx: click.Context, argument: click.Parameter, text: str) -> str:
    if not is_writer_id(text):
        raise click.BadParameter(f"{WRITER_ID_EXPECTED}; {text[:80]!r} came.", ctx, argument)
    return text
