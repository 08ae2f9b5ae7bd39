"""Lists a folder of writers, `<writer>/<image>`."""

from pathlib import Path, PurePosixPath

from encoder.datasets.folder import IMAGE_SUFFIXES
from index.registry.identifiers import WRITER_ID_EXPECTED, is_writer_id
from service.errors import InvalidInput
from service.transfer.sources.files import (
    FileRefusal,
    ImageFile,
    Survey,
    image_file,
    is_skipped,
    shown,
)


def survey_folder(folder: Path) -> Survey:
    """List the images of `<writer>/<image>` below `folder`, in the order of their names.

    Files starting with `forged` are no references of the writer and are skipped, and so are
    hidden files. A folder whose name cannot be a writer's id is refused, and the others go on.

    Raises:
        InvalidInput: there is no folder of a writer in it.
        OSError: the folder cannot be read.
    """
    images: list[ImageFile] = []
    refused: list[FileRefusal] = []
    skipped = 0
    entries = sorted(folder.iterdir())
    for entry in entries:
        if entry.name.startswith("."):
            skipped += 1
        elif not entry.is_dir():
            if entry.suffix.lower() in IMAGE_SUFFIXES:
                refused.append(refused_loose(entry.name))
            else:
                skipped += 1
        elif not is_writer_id(entry.name):
            refused.append(refused_name(entry.name))
        else:
            found, nested, passed_over = _survey_writer(entry)
            images += found
            refused += nested
            skipped += passed_over
    if not any(entry.is_dir() for entry in entries):
        raise no_writers(folder)
    return Survey(tuple(images), tuple(refused), skipped)


def _survey_writer(folder: Path) -> tuple[list[ImageFile], list[FileRefusal], int]:
    images: list[ImageFile] = []
    refused: list[FileRefusal] = []
    skipped = 0
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        reason = f"The folder cannot be read: {error.strerror}."
        return [], [FileRefusal(f"{folder.name}/", "unreadable-folder", reason, folder.name)], 0
    for entry in entries:
        name = shown(f"{folder.name}/{entry.name}")
        if is_skipped(PurePosixPath(entry.name)):
            skipped += 1
        elif entry.is_file():
            images.append(image_file(folder.name, name, entry))
        else:
            refused.append(refused_nested(name, folder.name))
    return images, refused, skipped


def refused_loose(name: str) -> FileRefusal:
    """Refuse an image that is in no writer's folder."""
    reason = "Not in a writer's folder; move it into one that is named by the writer's id."
    return FileRefusal(shown(name), "no-writer", reason)


def refused_name(name: str) -> FileRefusal:
    """Refuse a folder that is not named by a writer's id."""
    reason = f"The folder's name cannot be a writer's id: {WRITER_ID_EXPECTED}. Rename the folder."
    return FileRefusal(shown(f"{name}/"), "invalid-writer-id", reason)


def refused_nested(name: str, writer_id: str) -> FileRefusal:
    """Refuse what is no file in a writer's folder."""
    reason = "Expected an image file; move the images into the writer's folder itself."
    return FileRefusal(shown(name), "not-a-file", reason, writer_id)


def no_writers(source: Path) -> InvalidInput:
    """Return the error of a folder or zip without writers' folders."""
    return InvalidInput(
        f"{source} holds no folders. Expected one folder for each writer, named by the "
        "writer's id, with the reference images in it: FOLDER/C-1001/scan1.png"
    )
