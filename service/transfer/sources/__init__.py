"""What a bulk import reads: a folder, a zip or a CSV manifest of writers' images.

Each lists what it holds as a `Survey`; `service.transfer.importing` reads, recognises and stores
the images.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.errors import InvalidInput
from service.transfer.sources.archive import open_archive
from service.transfer.sources.files import Survey
from service.transfer.sources.folder import survey_folder
from service.transfer.sources.manifest import survey_manifest


@contextmanager
def open_source(source: Path) -> Iterator[Survey]:
    """List what a source holds; its images can be read until the context ends.

    Raises:
        InvalidInput: it is of no kind that is read here, or nothing in it can be used.
        OSError: it cannot be read.
    """
    if source.is_dir():
        yield survey_folder(source)
    elif source.suffix.lower() == ".csv":
        yield survey_manifest(source)
    elif zipfile.is_zipfile(source):
        with open_archive(source) as survey:
            yield survey
    else:
        raise InvalidInput(
            f"{source} cannot be imported. Expected a folder of writers' folders, a whole zip of "
            "one, or a manifest whose name ends in .csv."
        )
