"""Checks of bodies and path parameters that schemas cannot make, and the reading of uploads."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from io import SEEK_END
from typing import Any, ParamSpec, TypeVar

from apiflask.fields import File, List
from flask import request
from werkzeug.datastructures import FileStorage

from encoder.imaging.region import Region
from index.errors import UnknownDecision, UnknownReference
from index.registry.identifiers import WRITER_ID_EXPECTED, is_writer_id
from service.api.multipart import MULTIPART
from service.api.requests import MAX_ID, Body, ImageQuery, WriterQuery, names_of
from service.api.trail.requests import DecisionQuery, QueueQuery
from service.errors import InvalidInput, UnsupportedBody
from service.writers.uploads import Upload

JSON = "application/json"
MAX_FILENAME = 255
DECISION_ID = re.compile("[0-9a-f]{32}", re.ASCII)

P = ParamSpec("P")
R = TypeVar("R")


# The only addresses that read options from the query string; POSTs have them in the body.
QUERIES: Mapping[str, type[Body]] = {
    "writers.list_writers": WriterQuery,
    "references.show_image": ImageQuery,
    "trail.list_decisions": DecisionQuery,
    "reviews.take_on": QueueQuery,
}


def accepts(
    *media_types: str, form: type[Body] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuse bodies of other types, and of other parts than `form` has, before a schema reads them.

    The handler then raises UnsupportedBody or InvalidInput instead of running.
    """

    def decorate(handler: Callable[P, R]) -> Callable[P, R]:
        @wraps(handler)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            require_media_type(media_types)
            require_plain_json()
            if form is not None and request.mimetype == MULTIPART:
                require_parts(form)
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
        json.loads(request.get_data(), object_pairs_hook=_without_repeats)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return
    except (RecursionError, ValueError) as error:
        raise InvalidInput(
            "body: expected a JSON object of plain fields; deeply nested JSON, or a number of "
            "thousands of digits, came."
        ) from error


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object whose fields each come once: of two, one would be ignored without a word."""
    repeated = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if repeated:
        raise _refused(dict.fromkeys(repeated, "expected once; it came several times."))
    return dict(pairs)


def require_parts(form: type[Body]) -> None:
    """Refuse text where a file is wanted, a file where text is, and more of either than one.

    A schema would take the first of several, and nothing for something.

    Raises:
        InvalidInput: naming each field that is not as expected.
    """
    schema = form()
    came = {*request.files, *request.form}
    problems: dict[str, str] = {}
    for name, field in schema.fields.items():
        files, texts = request.files.getlist(name), request.form.getlist(name)
        several = isinstance(field, List)
        if isinstance(field.inner if isinstance(field, List) else field, File):
            problem = _file_problem(name, files, texts, several=several)
        else:
            problem = _text_problem(files, texts, several=several)
        if problem:
            problems[name] = problem
    if not problems:
        return
    # What a schema would have said as well, had it come to it.
    for name in came - schema.fields.keys():
        problems[name] = str(schema.error_messages["unknown"])
    for name, field in schema.fields.items():
        if field.required and name not in came:
            problems[name] = str(field.error_messages["required"])
    raise _refused(problems)


def _file_problem(
    name: str, files: Sequence[FileStorage], texts: Sequence[str], *, several: bool
) -> str | None:
    if texts:
        return f"expected a file; text came. With curl: -F {name}=@signature.png"
    if len(files) > 1 and not several:
        return f"expected one file in the form field {name!r}; {len(files)} came."
    if any(not one.filename and not _size(one) for one in files):
        return "expected a file; an empty one without a name came. Choose a file first."
    return None


def _text_problem(
    files: Sequence[FileStorage], texts: Sequence[str], *, several: bool
) -> str | None:
    if files:
        return "expected text; a file came."
    if len(texts) > 1 and not several:
        return f"expected once; it came {len(texts)} times."
    return None


def _size(file: FileStorage) -> int:
    size = file.stream.seek(0, SEEK_END)
    file.stream.seek(0)
    return size


def _refused(problems: Mapping[str, str]) -> InvalidInput:
    sentences = " ".join(f"{name}: {problem}" for name, problem in sorted(problems.items()))
    return InvalidInput(sentences, {name: [problem] for name, problem in problems.items()})


def check_query() -> None:
    """Refuse options in the query string that nothing here reads, and options that come twice.

    An option that is passed over leaves the default in force, which may be laxer than what the
    caller asked for.

    Raises:
        InvalidInput: naming each, and where it belongs.
    """
    expected = QUERIES.get(request.endpoint or "")
    names = set() if expected is None else set(names_of(expected()))
    advice = f"expected {', '.join(sorted(names))}." if names else "there are none here."
    if request.method == "POST":
        advice = "send it in the body."
    problems = {}
    for name, values in request.args.lists():
        if name not in names:
            problems[name[:80]] = f"not an option in the query string; {advice}"
        elif len(values) > 1:
            problems[name] = f"expected once; it came {len(values)} times."
    if problems:
        raise _refused(problems)


def check_path_ids() -> None:
    """Validate the ids in the request's path; for `before_request` of the blueprints with ids.

    Raises:
        InvalidInput: the writer's id has not the form of one.
        UnknownReference: the number is larger than any reference's id can be.
        UnknownDecision: no decision's id has this form.
    """
    ids = request.view_args or {}
    writer_id = ids.get("writer_id")
    if writer_id is not None and not is_writer_id(writer_id):
        reason = f"{WRITER_ID_EXPECTED}; {writer_id[:80]!r} came."
        raise InvalidInput(f"writer_id: {reason}", {"writer_id": [reason]})
    reference_id = ids.get("reference_id", 0)
    if reference_id > MAX_ID:
        raise UnknownReference(str(writer_id), reference_id)
    decision_id = ids.get("decision_id")
    if decision_id is not None and not DECISION_ID.fullmatch(decision_id):
        raise UnknownDecision(decision_id)


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
            f"{len(regions)} came. Say 'all' to look at all of an image."
        )
        raise InvalidInput(f"{field}: {reason}", {field: [reason]})
    return [upload_of(file, region) for file, region in zip(files, regions, strict=True)]
