"""Carries commands out on the registry itself, and answers as a server would."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from encoder.cautions import as_stored
from index.errors import UnknownKey, UnknownWriter
from service.cli.output import note, plain
from service.cli.session import asked, caller, open_registry, open_registry_alone, open_services
from service.client import answers
from service.errors import ImagesRefused

if TYPE_CHECKING:
    from encoder.inference.encoder import Encoder
    from index.registry.access.keys import Key
    from index.registry.references import Reference
    from index.registry.registry import Registry
    from service.models.live_services import Services
    from service.writers.enroll import Enrollment
    from service.writers.uploads import Upload

PAGE = 200  # Entries of a list to read at a time.


class Here:
    """The registry that the settings name; what a command needs of it is opened when it is used."""

    def __init__(self) -> None:
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()

    @cached_property
    def _services(self) -> Services:
        return self._opened.enter_context(open_services())

    @cached_property
    def _registry_and_encoder(self) -> tuple[Registry, Encoder]:
        _, registry, encoder = self._opened.enter_context(open_registry())
        return registry, encoder

    @cached_property
    def _registry(self) -> Registry:
        return self._opened.enter_context(open_registry_alone())[1]

    def verify(
        self, writer_id: str, upload: Upload, operating_point: str | None
    ) -> answers.Verification:
        """Verify a signature and record the decision."""
        from service.decisions.verify import verify

        registry, encoder = self._registry_and_encoder
        answer = verify(
            writer_id,
            upload,
            encoder=encoder,
            registry=registry,
            operating_point=operating_point,
            asked=asked(),
        )
        return answers.Verification.of(as_json(answer.as_dict()))

    def identify(self, upload: Upload, top: int) -> answers.Identification:
        """Identify a signature and record the decision."""
        from service.decisions.identify import identify

        services = self._services
        answer = identify(
            upload,
            encoder=services.encoder,
            registry=services.registry,
            gallery=services.gallery,
            top=top,
            asked=asked(),
        )
        return answers.Identification.of(as_json(answer.as_dict()))

    def enroll(self, writer_id: str, name: str, uploads: Sequence[Upload]) -> answers.Enrollment:
        """Enroll references of a writer, who is created if they are new."""
        try:
            done = self._enroll(writer_id, name, uploads)
        except ImagesRefused as error:
            return answers.Enrollment.of(as_json({"refused": [asdict(x) for x in error.refused]}))
        return answers.Enrollment.of(
            as_json(
                {
                    "references": [_reference(one) for one in done.references],
                    "refused": [asdict(one) for one in done.refused],
                    "warnings": [asdict(one) for one in done.warnings],
                }
            )
        )

    def _enroll(self, writer_id: str, name: str, uploads: Sequence[Upload]) -> Enrollment:
        from service.writers.enroll import create_writer, enroll

        services = self._services
        registry = services.registry
        parts: Any = {
            "encoder": services.encoder,
            "registry": registry,
            "gallery": services.gallery,
            "caller": caller(),
        }
        try:
            known = registry.writers.get(writer_id)
        except UnknownWriter:
            _, made = create_writer(writer_id, name, uploads, **parts)
            return made
        if name and name != known.name:
            note(f"{writer_id} is known already; the name given with --name is not used.")
        return enroll(writer_id, uploads, **parts)

    def writers(self, search: str | None) -> Iterator[answers.Writer]:
        """Go through the writers, all or those with `search` in their id or name."""
        cursor = None
        while True:
            page = self._registry.writers.page(cursor, PAGE, search)
            for one in page.writers:
                yield answers.Writer.of(as_json(asdict(one)))
            cursor = page.next_cursor
            if cursor is None:
                return

    def writer(self, writer_id: str) -> answers.ShownWriter:
        """Look up a writer, and how their references stand."""
        from service.writers.standing import reference_standings

        registry, encoder = self._registry_and_encoder
        found = registry.writers.get(writer_id)
        standings = reference_standings(writer_id, encoder=encoder, registry=registry)
        shown = asdict(found) | {"references": [asdict(one) for one in standings]}
        return answers.ShownWriter.of(as_json(shown))

    def rename_writer(self, writer_id: str, name: str) -> answers.Writer:
        """Rename a writer."""
        renamed = self._registry.writers.rename(writer_id, name, actor=caller())
        return answers.Writer.of(as_json(asdict(renamed)))

    def erase_writer(self, writer_id: str) -> Sequence[answers.HeldDecision]:
        """Erase a writer for good; return the decisions that a hold keeps whole."""
        from service.writers.erase import erase_writer

        services = self._services
        erased = erase_writer(
            writer_id, registry=services.registry, gallery=services.gallery, caller=caller()
        )
        return [answers.HeldDecision.of(as_json(asdict(one))) for one in erased.held]

    def decisions(self, wanted: Mapping[str, Any], limit: int) -> Iterator[answers.DecisionHead]:
        """Go through recorded decisions, the newest first, `limit` of them at most."""
        from index.registry.audit.stored import DecisionFilter
        from service.audit.records import head_of

        cursor = None
        while limit > 0:
            page = self._registry.decisions.page(DecisionFilter(**wanted), cursor, min(limit, PAGE))
            for one in page.decisions:
                yield answers.DecisionHead.of(as_json(head_of(one)))
            limit -= len(page.decisions)
            cursor = page.next_cursor
            if cursor is None:
                return

    def decision(self, decision_id: str) -> answers.Decision:
        """Look up a decision, with all that it rests on."""
        from service.audit.records import record_of

        stored = self._registry.decisions.get(decision_id)
        return answers.Decision.of(as_json(record_of(stored)))

    def replay_decision(self, decision_id: str) -> answers.Replay:
        """Decide a decision anew."""
        from service.audit.replaying import replay

        done = replay(decision_id, services=self._services, caller=caller())
        return answers.Replay.of(as_json(asdict(done)))

    def keys(self) -> Iterator[answers.Key]:
        """Go through the keys of programs, the oldest first."""
        from service.auth.keys import shown_key

        for key in self._registry.keys.all():
            yield answers.Key.of(as_json(shown_key(key)))

    def create_key(self, name: str, scopes: str, expires: str | None) -> answers.MadeKey:
        """Make a key."""
        from service.auth.keys import make_key, scopes_of

        made = make_key(self._registry, name, scopes_of(scopes), _span(expires), caller())
        return _made(made)

    def rotate_key(self, prefix: str, expires: str | None, overlap: str) -> answers.MadeKey:
        """Make a key in place of another.

        Raises:
            UnknownKey: there is no such key in use.
        """
        from service.auth.keys import duration_of, rotate_key

        old = self._registry.keys.find(prefix)
        if old is None:
            raise UnknownKey(prefix)
        spans = _span(expires), duration_of(overlap)
        return _made(rotate_key(self._registry, old, *spans, caller()))

    def revoke_key(self, prefix: str) -> None:
        """Revoke a key."""
        self._registry.keys.revoke(prefix, caller())


def _span(text: str | None) -> timedelta | None:
    from service.auth.keys import duration_of

    return None if text is None else duration_of(text)


def _made(made: tuple[Key, str]) -> answers.MadeKey:
    from service.auth.keys import shown_key

    key, text = made
    return answers.MadeKey.of(as_json({**shown_key(key), "key": text}))


def _reference(stored: Reference) -> dict[str, Any]:
    """A reference as JSON; its warnings may have been stored by an earlier version."""
    shown = asdict(stored)
    shown["quality"]["warnings"] = [as_stored(one) for one in shown["quality"].get("warnings", ())]
    return shown


def as_json(answer: Mapping[str, Any]) -> Any:
    """The same as it would have come over HTTP."""
    return json.loads(json.dumps(answer, default=plain))
