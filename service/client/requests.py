"""Requests and answers as values: what is sent and how what comes is read, without any sending."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, Generic, TypeVar
from urllib.parse import quote

from service.client.answers import Region
from service.client.errors import Problem, UnexpectedAnswer, problem_of

T = TypeVar("T")

JSON = "application/json"
ANY = "application/octet-stream"


@dataclass(frozen=True)
class Image:
    """An image to send: its bytes, and its file name for people to read."""

    data: bytes = field(repr=False)
    filename: str | None = None

    @classmethod
    def of(cls, given: "ImageGiven") -> "Image":
        """Read an image from wherever it is; a `str` is the path of a file.

        Raises:
            OSError: the file cannot be read.
        """
        if isinstance(given, Image):
            return given
        if isinstance(given, bytes | bytearray | memoryview):
            return cls(bytes(given))
        if isinstance(given, str | Path):
            path = Path(given)
            return cls(path.read_bytes(), path.name)
        return cls(given.read())


ImageGiven = Image | bytes | bytearray | memoryview | str | Path | IO[bytes]
RegionGiven = Region | Mapping[str, Any] | str


@dataclass(frozen=True)
class Request:
    """A request that is not sent yet.

    Attributes:
        path: below the server's address, with every part quoted.
        fields, images: a multipart form's, by their names, in order; a form if there are any.
        body: a JSON object.
        headers: others than those of every request.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    images: tuple[tuple[str, Image], ...] = ()
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Response:
    """What came: header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        """The body's media type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:
        """Read the body as JSON.

        Raises:
            UnexpectedAnswer: it is none.
        """
        if self.media_type != JSON:
            raise UnexpectedAnswer(
                f"Expected {JSON} from the server; {self.media_type or 'no Content-Type'} came "
                f"with status {self.status}. Is the address that of a Countersign server?"
            )
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise UnexpectedAnswer(
                "Expected JSON from the server; what came is none, or breaks off."
            ) from error


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and what its answer says.

    Attributes:
        read: makes of an answer with a status below 300 what the caller gets.
        done: codes of problems that say it is done already, if it may have been done by an attempt
            whose answer was lost.
    """

    request: Request
    read: Callable[[Response], T]
    done: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Page(Generic[T]):
    """Part of a long list, and the cursor of the next part; None on the last."""

    items: Sequence[T]
    next_cursor: str | None


@dataclass(frozen=True)
class Pages(Generic[T]):
    """A long list, of which a page is asked for at a time."""

    page: Callable[[str | None], Call[Page[T]]]


@dataclass(frozen=True)
class Download:
    """A body that is handed on as it comes in."""

    request: Request


DONE = Response(HTTPStatus.NO_CONTENT, {}, b"")


def address(*parts: str | int) -> str:
    """Join parts of an address under `/v1`, each quoted.

    Raises:
        ValueError: a part is empty, or is one that means another address.
    """
    for part in parts:
        if part in ("", ".", ".."):
            raise ValueError(f"Expected an id; {part!r} came.")
    return "/v1/" + "/".join(quote(str(part), safe=":@") for part in parts)


def pairs(**given: object) -> tuple[tuple[str, str], ...]:
    """Fields of a form or a query, as text, without those that are None."""
    return tuple((name, _text(value)) for name, value in given.items() if value is not None)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime) else str(value)


def repeated(name: str, values: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """A field that comes several times."""
    return tuple((name, value) for value in values)


def region_text(region: RegionGiven | None) -> str | None:
    """Write a region as forms take it, `x,y,w,h`; a box of a refused image is one."""
    if region is None or isinstance(region, str):
        return region
    sides = region if isinstance(region, Mapping) else vars(region)
    return ",".join(str(sides[side]) for side in "xywh")


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Read the header Retry-After, in seconds or as a date; None where it says nothing usable."""
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())


def read(call: Call[T], response: Response) -> T:
    """Read an answer.

    Raises:
        Problem: the server says why not.
        UnexpectedAnswer: it is none of this API.
    """
    require_success(response)
    return call.read(response)


def require_success(response: Response) -> None:
    """Refuse an answer that is none.

    Raises:
        Problem: the server says why not.
        UnexpectedAnswer: it points elsewhere; a key is not sent to another address.
    """
    if response.status >= HTTPStatus.BAD_REQUEST:
        raise problem(response)
    if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
        raise UnexpectedAnswer(
            f"Expected an answer; status {response.status} came, which points elsewhere. Give the "
            "address that it points to, if you trust it with your key."
        )


def problem(response: Response) -> Problem:
    """Return what an answer with a status of 400 or more says."""
    return problem_of(
        response.status, response.media_type, response.body, retry_after_s(response.headers)
    )
