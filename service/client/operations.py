"""Every operation of the API: the request that it sends, and what becomes of the answer.

Nothing here sends anything: `Client` and `AsyncClient` have these as their methods.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeVar

from service.client import answers
from service.client.decoding import Answer
from service.client.errors import UnexpectedAnswer
from service.client.requests import (
    Call,
    Download,
    Image,
    ImageGiven,
    Page,
    Pages,
    RegionGiven,
    Request,
    Response,
    address,
    pairs,
    region_text,
    repeated,
)

Shown = TypeVar("Shown", bound=Answer)

PAGE = 200  # Entries of a list to ask for at a time; the most that the API gives.
# Problems that say that an erasure whose answer was lost was carried out.
_ERASED = frozenset({"unknown-writer", "unknown-reference"})
_REVOKED = frozenset({"unknown-key"})


def verify(
    writer_id: str,
    image: ImageGiven,
    *,
    region: RegionGiven | None = None,
    operating_point: str | None = None,
    include: str | None = None,
) -> Call[answers.Verification]:
    """Verify a signature: is it this writer's? The decision is recorded.

    Args:
        writer_id: whose it should be.
        image: a scan of the query signature: a path, its bytes, or a file opened for reading.
        region: the part of it to look at; all of it, if None.
        operating_point: the target error to decide by; the model's own, if None.
        include: pictures to send along: `cleaned`, `left-out`, or both with a comma between them.
    """
    return _asked(
        address("writers", writer_id, "verify"),
        answers.Verification,
        pairs(region=region_text(region), operating_point=operating_point, include=include),
        (("image", Image.of(image)),),
    )


def identify(
    image: ImageGiven,
    *,
    region: RegionGiven | None = None,
    top: int | None = None,
    include: str | None = None,
) -> Call[answers.Identification]:
    """Identify a signature: whose does it resemble, if anyone's? The decision is recorded.

    Args:
        image: a scan of the query signature: a path, its bytes, or a file opened for reading.
        region: the part of it to look at; all of it, if None.
        top: how many candidates to return at most.
        include: pictures to send along: `cleaned`, `left-out`, or both with a comma between them.
    """
    return _asked(
        address("identify"),
        answers.Identification,
        pairs(region=region_text(region), top=top, include=include),
        (("image", Image.of(image)),),
    )


def compare(
    references: Iterable[ImageGiven],
    probe: ImageGiven,
    *,
    reference_regions: Sequence[RegionGiven | None] = (),
    region: RegionGiven | None = None,
    operating_point: str | None = None,
) -> Call[answers.Verification]:
    """Compare a query signature, `probe`, with signatures that are sent along; nothing is kept."""
    return _asked(
        address("compare"),
        answers.Verification,
        pairs(region=region_text(region), operating_point=operating_point)
        + _regions("reference_region", reference_regions),
        (*(("reference", Image.of(one)) for one in references), ("probe", Image.of(probe))),
    )


def enroll(
    writer_id: str,
    images: Iterable[ImageGiven] = (),
    *,
    name: str | None = None,
    regions: Sequence[RegionGiven | None] = (),
) -> Call[answers.CreatedWriter]:
    """Create a writer, with reference signatures if `images` come.

    Images that cannot be used are listed under `refused`; if none can be, nobody is created.
    """
    sent = tuple(("images", Image.of(one)) for one in images)
    if not sent:
        body = dict(pairs(writer_id=writer_id, name=name))
        return _posted(address("writers"), answers.CreatedWriter, body)
    fields = pairs(writer_id=writer_id, name=name) + _regions("region", regions)
    return _asked(address("writers"), answers.CreatedWriter, fields, sent)


def add_references(
    writer_id: str,
    images: Iterable[ImageGiven],
    *,
    regions: Sequence[RegionGiven | None] = (),
) -> Call[answers.Enrollment]:
    """Enroll more reference signatures of a writer; what cannot be used is in `refused`."""
    return _asked(
        address("writers", writer_id, "references"),
        answers.Enrollment,
        _regions("region", regions),
        tuple(("images", Image.of(one)) for one in images),
    )


def writers(search: str | None = None, *, page_size: int = PAGE) -> Pages[answers.Writer]:
    """List writers in order of their ids: all, or those with `search` in their id or name."""
    query = pairs(q=search, limit=page_size)
    return _pages(address("writers"), "writers", answers.Writer, query)


def writer(writer_id: str) -> Call[answers.ShownWriter]:
    """Look up a writer, and how each of their references stands."""

    def read(response: Response) -> answers.ShownWriter:
        shown = answers.ShownWriter.of(response.json())
        return replace(shown, etag=response.headers.get("etag"))

    return Call(Request("GET", address("writers", writer_id)), read)


def rename_writer(
    writer_id: str, name: str, *, if_match: str | None = None
) -> Call[answers.Writer]:
    """Rename a writer; with `if_match`, only while their `etag` is still this one."""
    request = Request(
        "PATCH", address("writers", writer_id), body={"name": name}, headers=_if_match(if_match)
    )
    return Call(request, _reads(answers.Writer))


def erase_writer(
    writer_id: str, *, if_match: str | None = None
) -> Call[tuple[answers.HeldDecision, ...]]:
    """Erase a writer for good; with `if_match`, only while their `etag` is still this one.

    The answer lists the decisions about them that a hold keeps whole until its end.
    """

    def read(response: Response) -> tuple[answers.HeldDecision, ...]:
        if response.status == HTTPStatus.NO_CONTENT:
            return ()
        return _listed(response.json(), "held", answers.HeldDecision)

    request = Request("DELETE", address("writers", writer_id), headers=_if_match(if_match))
    return Call(request, read, _ERASED)


def references(writer_id: str) -> Call[tuple[answers.Reference, ...]]:
    """List a writer's references."""
    request = Request("GET", address("writers", writer_id, "references"))
    return Call(request, lambda said: _listed(said.json(), "references", answers.Reference))


def reference_image(writer_id: str, reference_id: int, *, cleaned: bool = False) -> Download:
    """Fetch a reference's image: the file as it was uploaded, or the cleaned signature as a PNG."""
    path = address("writers", writer_id, "references", reference_id, "image")
    return Download(Request("GET", path, pairs(cleaned=cleaned or None)))


def erase_reference(writer_id: str, reference_id: int) -> Call[None]:
    """Erase a reference for good."""
    return _deleted(address("writers", writer_id, "references", reference_id), _ERASED)


def erasures(limit: int = 50) -> Call[answers.Erasures]:
    """List the last erasures, and how far each has come."""
    return Call(Request("GET", address("erasures"), pairs(limit=limit)), _reads(answers.Erasures))


def decisions(
    *,
    writer_id: str | None = None,
    kind: str | None = None,
    verdict: str | None = None,
    caller: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    reviewed: bool | None = None,
    page_size: int = PAGE,
) -> Pages[answers.DecisionHead]:
    """List recorded decisions, the newest first: all, or those that all that is given fits.

    Args:
        writer_id: of this writer, or with them among the candidates.
        kind: `verify` or `identify`.
        verdict: with this verdict.
        caller: asked by this caller, such as `key:5f0c93a1b2d4`.
        since, until: from one moment on, and before the other; with a time zone.
        reviewed: which a person has reviewed, or nobody has.
        page_size: how many to ask for at a time.
    """
    query = pairs(
        writer_id=writer_id,
        kind=kind,
        verdict=verdict,
        caller=caller,
        reviewed=reviewed,
        limit=page_size,
        **{"from": since, "to": until},
    )
    return _pages(address("decisions"), "decisions", answers.DecisionHead, query)


def decision(decision_id: str) -> Call[answers.Decision]:
    """Look up a decision as it was recorded, with all that it rests on."""
    return Call(Request("GET", address("decisions", decision_id)), _reads(answers.Decision))


def decision_image(decision_id: str) -> Download:
    """Fetch the query image of a decision, while it is kept."""
    return Download(Request("GET", address("decisions", decision_id, "image")))


def decision_evidence(decision_id: str) -> Download:
    """Fetch all that proves a decision, as a zip."""
    return Download(Request("GET", address("decisions", decision_id, "evidence")))


def replay_decision(decision_id: str) -> Call[answers.Replay]:
    """Compute a decision again: does it come to the same?"""
    return _posted(address("decisions", decision_id, "replay"), answers.Replay)


def hold_decision(decision_id: str, reason: str, until: datetime) -> Call[answers.Decision]:
    """Keep a decision whole until a moment, which has a time zone; one that is past ends a hold."""
    body = dict(pairs(reason=reason, until=until))
    request = Request("PUT", address("decisions", decision_id, "hold"), body=body)
    return Call(request, _reads(answers.Decision))


def review_decision(
    decision_id: str, outcome: str, *, reason: str | None = None, comment: str | None = None
) -> Call[answers.Reviews]:
    """Say what a person makes of a decision: `accept`, `reject`, `unsure` or `escalate`."""
    body = dict(pairs(outcome=outcome, reason=reason, comment=comment))
    return _posted(address("decisions", decision_id, "reviews"), answers.Reviews, body)


def review_queue(limit: int = 1) -> Call[answers.Queue]:
    """Take on decisions that wait for a person, the oldest first; nobody else gets them for now."""
    request = Request("GET", address("reviews", "queue"), pairs(limit=limit))
    return Call(request, _reads(answers.Queue))


def keys() -> Pages[answers.Key]:
    """List the keys of programs, without their secrets."""
    return _pages(address("keys"), "keys", answers.Key, ())


def create_key(
    name: str, scopes: Iterable[str], *, expires_in: str | None = None
) -> Call[answers.MadeKey]:
    """Make a key with these scopes, which ends after a span such as 90d; it is shown this once."""
    body: dict[str, Any] = {"name": name, "scopes": list(scopes)}
    if expires_in is not None:
        body["expires_in"] = expires_in
    return _posted(address("keys"), answers.MadeKey, body)


def revoke_key(prefix: str) -> Call[None]:
    """Revoke a key at once, by its prefix."""
    return _deleted(address("keys", prefix), _REVOKED)


def rotate_key(
    prefix: str, *, expires_in: str | None = None, overlap: str | None = None
) -> Call[answers.MadeKey]:
    """Make a key in the place of another, which goes on for a span such as 12h."""
    spans = {"expires_in": expires_in, "overlap": overlap}
    body = {name: span for name, span in spans.items() if span is not None}
    return _posted(address("keys", prefix, "rotate"), answers.MadeKey, body)


def about() -> Call[answers.About]:
    """Say which version, model and gallery answer."""
    return Call(Request("GET", address("about")), _reads(answers.About))


def model() -> Call[answers.ModelState]:
    """Say by what the model decides, and how far that can be relied on."""
    return Call(Request("GET", address("model")), _reads(answers.ModelState))


def _asked(
    path: str,
    kind: type[Shown],
    fields: tuple[tuple[str, str], ...],
    images: tuple[tuple[str, Image], ...],
) -> Call[Shown]:
    return Call(Request("POST", path, fields=fields, images=images), _reads(kind))


def _posted(path: str, kind: type[Shown], body: Mapping[str, Any] | None = None) -> Call[Shown]:
    return Call(Request("POST", path, body=body), _reads(kind))


def _deleted(path: str, done: frozenset[str]) -> Call[None]:
    return Call(Request("DELETE", path), lambda _: None, done)


def _reads(kind: type[Shown]) -> Callable[[Response], Shown]:
    return lambda response: kind.of(response.json())


def _pages(
    path: str, name: str, kind: type[Shown], query: tuple[tuple[str, str], ...]
) -> Pages[Shown]:
    def read(response: Response) -> Page[Shown]:
        said = response.json()
        return Page(_listed(said, name, kind), said.get("next_cursor"))

    def page(cursor: str | None) -> Call[Page[Shown]]:
        return Call(Request("GET", path, query + pairs(cursor=cursor)), read)

    return Pages(page)


def _listed(said: Any, name: str, kind: type[Shown]) -> tuple[Shown, ...]:
    entries = said.get(name) if isinstance(said, Mapping) else None
    if not isinstance(entries, list):
        raise UnexpectedAnswer(f"Expected a list {name!r} in the answer; none came.")
    return tuple(kind.of(one, f"{name}[{n}]") for n, one in enumerate(entries))


def _regions(name: str, regions: Sequence[RegionGiven | None]) -> tuple[tuple[str, str], ...]:
    return repeated(name, (region_text(one) or "all" for one in regions))


def _if_match(etag: str | None) -> dict[str, str]:
    return {} if etag is None else {"If-Match": etag}
