"""Checks of bodies and path parameters that schemas cannot make, and the reading of uploads."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import request
from werkzeug.datastructures import FileStorage

from encoder.imaging.region import Region
from index.errors import UnknownReference
from index.registry.identifiers import WRITER_ID_EXPECTED, is_writer_id
from service.api.multipart import MULTIPART
from service.api.requests import MAX_ID
from service.errors import InvalidInput, UnsupportedBody
from service.writers.uploads import Upload

JSON = "application/json"
MAX_FILENAME = 255

P = ParamSpec("P")
R = TypeVar("R")


def accepts(
    *media_types: str, single: str | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuse bodies of other types before a schema looks for fields; `single` takes one file.

    The handler then raises UnsupportedBody or InvalidInput instead of running.
    """

    def decorate(handler: Callable[P, R]) -> Callable[P, R]:
        @wraps(handler)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            require_media_type(media_types)
            require_plain_json()
            if single is not None:
                require_one_file(single)
            return handler(*args, **kwargs)

        return checked

    return decorate


def require_media_type(media_types: Sequence[str]) -> None:
    """Refuse a body of another media type.

    Raises:
        UnsupportedBody: naming the types expected and the one that came; or the form's boundary
            is missing.
    """
    if request.mimetype in media_types:
        if request.mimetype == MULTIPART and not request.mimetype_params.get("boundary"):
            raise UnsupportedBody(
                f"The Content-Type {MULTIPART} came without its boundary, so its fields cannot be "
                "told apart. Leave the header to the program that sends the form."
            )
        return
    advice = (
        " With curl, send files as -F field=@signature.png." if MULTIPART in media_types else ""
    )
    raise UnsupportedBody(
        f"Expected a body of type {' or '.join(media_types)}; "
        f"{request.mimetype or 'no Content-Type'!r} came.{advice}"
    )


def require_plain_json() -> None:
    """Refuse JSON at which Python's parser gives up: nested deeply, or with endless numbers.

    Raises:
        InvalidInput: it is. Other faults of JSON are found where its fields are read.
    """
    if request.mimetype != JSON:
        return
    try:
        json.loads(request.get_data())
    except (json.JSONDecodeError, UnicodeDecodeError):
        return
    except (RecursionError, ValueError) as error:
        raise InvalidInput(
            "body: expected a JSON object of plain fields; deeply nested JSON, or a number of "
            "thousands of digits, came."
        ) from error


def require_one_file(field: str) -> None:
    """Refuse several files where one is expected, rather than ignore all but the first.

    Raises:
        InvalidInput: more than one file came.
    """
    count = len(request.files.getlist(field))
    if count > 1:
        reason = f"expected one file in the form field {field!r}; {count} came."
        raise InvalidInput(f"{field}: {reason}", {field: [reason]})


def check_path_ids() -> None:
    """Validate the ids in the request's path; for `before_request` of the blueprints with ids.

    Raises:
        InvalidInput: the writer's id has not the form of one.
        UnknownReference: the number is larger than any reference's id can be.
    """
    ids = request.view_args or {}
    writer_id = ids.get("writer_id")
    if writer_id is not None and not is_writer_id(writer_id):
        reason = f"{WRITER_ID_EXPECTED}; {writer_id[:80]!r} came."
        raise InvalidInput(f"writer_id: {reason}", {"writer_id": [reason]})
    reference_id = ids.get("reference_id", 0)
    if reference_id > MAX_ID:
        raise UnknownReference(str(writer_id), reference_id)


def upload_of(file: FileStorage, region: Region | None = None) -> Upload:
    """Read an uploaded file; its name is kept for people only, without a path.

    Args:
        file: as it came.
        region: the part of it to look at; all of it, if None.
    """
    name = (file.filename or "").replace("\\", "/").rsplit("/", 1)[-1]
    printable = "".join(character for character in name if character.isprintable())
    return Upload(printable[:MAX_FILENAME] or None, file.stream.read(), region)


def uploads_of(
    files: Sequence[FileStorage], fields: Mapping[str, Any], field: str = "region"
) -> list[Upload]:
    """Read uploaded files, in the order in which they came, with their regions if these came.

    Raises:
        InvalidInput: the form field for the regions, `field`, did not come once for each file.
    """
    regions = fields.get(field) or [None] * len(files)
    if len(regions) != len(files):
        reason = (
            f"expected one region for each of the {len(files)} files, in their order; "
            f"{len(regions)} came. Leave one empty to look at all of its image."
        )
        raise InvalidInput(f"{field}: {reason}", {field: [reason]})
    return [upload_of(file, region) for file, region in zip(files, regions, strict=True)]
