"""Has a server carry commands out, by the client of the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from service.cli.failures import EXIT_ERROR, EXIT_REFUSED, Failure
from service.cli.output import note
from service.cli.regions import choices
from service.client import Client, Image, answers
from service.client.errors import (
    TYPE_PREFIX,
    ClientError,
    ImageRefused,
    Problem,
    RateLimited,
    Unauthorized,
    UnknownWriter,
)
from service.client.operations import PAGE

if TYPE_CHECKING:
    from service.settings import Settings
    from service.writers.uploads import Upload


class There:
    """A server that the settings name, asked with their key by `client`."""

    def __init__(self, settings: Settings) -> None:
        self.client = Client(str(settings.server), settings.key, key_file=settings.key_file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.close()

    def verify(
        self, writer_id: str, upload: Upload, operating_point: str | None
    ) -> answers.Verification:
        """Have a signature verified."""
        return self.client.verify(
            writer_id, _image(upload), region=_region(upload), operating_point=operating_point
        )

    def identify(self, upload: Upload, top: int) -> answers.Identification:
        """Have a signature identified."""
        return self.client.identify(_image(upload), region=_region(upload), top=top)

    def enroll(self, writer_id: str, name: str, uploads: Sequence[Upload]) -> answers.Enrollment:
        """Have references of a writer enrolled, who is created if they are new."""
        images = [_image(one) for one in uploads]
        regions = [_region(one) for one in uploads] if any(map(_region, uploads)) else []
        try:
            try:
                known = self.client.writer(writer_id)
            except UnknownWriter:
                made = self.client.enroll(writer_id, images, name=name or None, regions=regions)
                return answers.Enrollment.of(made.raw)
            if name and name != known.name:
                note(f"{writer_id} is known already; the name given with --name is not used.")
            return self.client.add_references(writer_id, images, regions=regions)
        except ImageRefused as error:
            if not error.refused:
                raise
            return answers.Enrollment.of({"refused": list(error.refused)})

    def writers(self, search: str | None) -> Iterator[answers.Writer]:
        """Go through the writers, all or those with `search` in their id or name."""
        return self.client.writers(search)

    def writer(self, writer_id: str) -> answers.ShownWriter:
        """Look up a writer, and how their references stand."""
        return self.client.writer(writer_id)

    def rename_writer(self, writer_id: str, name: str) -> answers.Writer:
        """Have a writer renamed."""
        return self.client.rename_writer(writer_id, name)

    def erase_writer(self, writer_id: str) -> Sequence[answers.HeldDecision]:
        """Have a writer erased for good; return the decisions that a hold keeps whole."""
        return self.client.erase_writer(writer_id)

    def decisions(self, wanted: Mapping[str, Any], limit: int) -> Iterator[answers.DecisionHead]:
        """Go through recorded decisions, the newest first, `limit` of them at most."""
        found = self.client.decisions(**wanted, page_size=min(limit, PAGE))
        return islice(found, limit)

    def decision(self, decision_id: str) -> answers.Decision:
        """Look up a decision, with all that it rests on."""
        return self.client.decision(decision_id)

    def replay_decision(self, decision_id: str) -> answers.Replay:
        """Have a decision decided anew."""
        return self.client.replay_decision(decision_id)

    def keys(self) -> Iterator[answers.Key]:
        """Go through the server's keys, the oldest first."""
        return self.client.keys()

    def create_key(self, name: str, scopes: str, expires: str | None) -> answers.MadeKey:
        """Have a key made."""
        wanted = [one.strip() for one in scopes.split(",") if one.strip()]
        return self.client.create_key(name, wanted, expires_in=expires)

    def rotate_key(self, prefix: str, expires: str | None, overlap: str) -> answers.MadeKey:
        """Have a key made in place of another."""
        return self.client.rotate_key(prefix, expires_in=expires, overlap=overlap)

    def revoke_key(self, prefix: str) -> None:
        """Have a key revoked."""
        self.client.revoke_key(prefix)


@contextmanager
def problems_as_failures() -> Iterator[None]:
    """End the command with what a client says is wrong.

    Raises:
        Failure: for every error of a client.
    """
    try:
        yield
    except ClientError as error:
        raise failure_of(error) from None


def failure_of(error: ClientError) -> Failure:
    """Return the end of a command for an error of a client."""
    code = EXIT_REFUSED if isinstance(error, ImageRefused) else EXIT_ERROR
    return Failure(f"{error}{_advice(error)}", code, problem_of(error))


def problem_of(error: ClientError) -> dict[str, object]:
    """Return an error of a client as RFC 9457 has it; one without an answer has no status."""
    if isinstance(error, Problem):
        return error.as_dict()
    return {
        "type": f"{TYPE_PREFIX}no-answer",
        "title": "There is no answer of the server",
        "detail": str(error),
        "code": "no-answer",
    }


def _advice(error: ClientError) -> str:
    if isinstance(error, ImageRefused) and error.boxes:
        return f"\nAdd {choices(error.boxes)}."
    if isinstance(error, Unauthorized):
        return "\nGive a key with --key FILE, COUNTERSIGN_KEY or COUNTERSIGN_KEY_FILE."
    if isinstance(error, RateLimited) and error.retry_after_s:
        return f"\nTry again in {error.retry_after_s:.0f} seconds."
    return ""


def _image(upload: Upload) -> Image:
    return Image(upload.data, upload.filename)


def _region(upload: Upload) -> str | None:
    region = upload.region
    return None if region is None else f"{region.x},{region.y},{region.w},{region.h}"
