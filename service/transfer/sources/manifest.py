"""Lists the images that a CSV manifest names: `writer_id`, `path`, and `name` where it has one.

A line that cannot be used is refused by its number, and the others go on.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from index.registry.identifiers import (
    MAX_NAME_LENGTH,
    WRITER_ID_EXPECTED,
    is_clean_text,
    is_writer_id,
)
from service.errors import InvalidInput
from service.transfer.sources.files import (
    FileRefusal,
    ImageFile,
    Survey,
    image_file,
    is_skipped,
    shown,
)

REQUIRED = ("writer_id", "path")
COLUMNS = (*REQUIRED, "name")


@dataclass
class _Reading:
    """What was read so far; `names` has the first name of each writer, and its line."""

    images: list[ImageFile] = field(default_factory=list)
    refused: list[FileRefusal] = field(default_factory=list)
    skipped: int = 0
    names: dict[str, tuple[str, int]] = field(default_factory=dict)


def survey_manifest(manifest: Path) -> Survey:
    """List the images of a manifest, UTF-8 with or without a byte order mark.

    Paths are relative to the manifest's folder and stay in it. Files starting with `forged` are
    skipped, as in a folder. One writer's lines need the name once.

    Raises:
        InvalidInput: the header is not as expected, or the text cannot be split into lines.
        OSError: it cannot be read.
    """
    # Bytes that are no UTF-8 become halves of characters here, and their line is refused.
    with manifest.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = csv.reader(file, strict=True)
        lines = _lines(rows, manifest)
        _, header = next(lines, (1, []))
        columns = [one.strip() for one in header]
        _require_columns(columns, manifest)
        reading = _Reading()
        for number, cells in lines:
            _take(number, columns, cells, manifest.parent, reading)
    named = [
        replace(one, writer_name=reading.names[one.writer_id][0])
        if one.writer_id in reading.names
        else one
        for one in reading.images
    ]
    return Survey(tuple(named), tuple(reading.refused), reading.skipped)


def _lines(rows: Iterator[list[str]], manifest: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that are not blank, with the number of the last one they take up."""
    number = 0
    try:
        for cells in rows:
            number = rows.line_num  # type: ignore[attr-defined]
            if any(cell.strip() for cell in cells):
                yield number, cells
    except csv.Error as error:
        raise InvalidInput(
            f"{manifest} cannot be read after line {number}: {error}. Expected CSV with commas, "
            'and "quotes" around what holds a comma.'
        ) from error


def _require_columns(columns: list[str], manifest: Path) -> None:
    known = set(columns) <= set(COLUMNS) and len(columns) == len(set(columns))
    if not known or not set(REQUIRED) <= set(columns):
        raise InvalidInput(
            f"{manifest}, line 1: expected the columns writer_id,path or writer_id,path,name, "
            f"separated by commas; {shown(','.join(columns))[:200]!r} came."
        )


def _take(
    number: int, columns: list[str], cells: list[str], folder: Path, reading: _Reading
) -> None:
    """Add what a line names, or the reason why not."""
    values = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
    writer_id, path, name = (values.get(column, "") for column in COLUMNS)
    where = shown(f"line {number}: {path}")
    problem = _problem(values, len(cells) - len(columns))
    if not problem:
        first, said = reading.names.setdefault(writer_id, (name, number)) if name else ("", 0)
        if name != first:
            problem = "other-name", f"Line {said} gives the writer another name; keep one of them."
    if problem:
        known = writer_id if is_writer_id(writer_id) else None
        reading.refused.append(FileRefusal(where, *problem, known))
    elif is_skipped(PurePosixPath(path)):
        reading.skipped += 1
    else:
        reading.images.append(image_file(writer_id, where, folder / path))


def _problem(values: dict[str, str], surplus: int) -> tuple[str, str] | None:
    """Return code and reason where a line cannot be used."""
    writer_id, path, name = (values.get(column, "") for column in COLUMNS)
    if surplus > 0:
        return "too-many-columns", (
            f"The line has {surplus} values more than the header has columns; put quotes around "
            "what holds a comma."
        )
    if not is_writer_id(writer_id):
        return "invalid-writer-id", f"The writer's id: {WRITER_ID_EXPECTED}."
    if not is_clean_text(path + name):
        return "unclean-text", (
            "The line holds control characters, or is not UTF-8; save the manifest as UTF-8."
        )
    if len(name) > MAX_NAME_LENGTH:
        return "invalid-name", (
            f"Expected a name of at most {MAX_NAME_LENGTH} characters, got {len(name)}."
        )
    return _path_problem(path)


def _path_problem(path: str) -> tuple[str, str] | None:
    inside = PurePosixPath(path)
    if not path:
        return "no-path", "Expected the path of an image file, got nothing."
    if inside.is_absolute() or ".." in inside.parts:
        return "unsafe-path", (
            "The path leads out of the manifest's folder; give one that is relative to it, and "
            "put the images below it."
        )
    return None
