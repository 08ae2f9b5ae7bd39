"""What a check finds, and what it looks at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Literal

from index.registry.registry import Registry
from index.registry.schema_version import require_current
from service.composition import build_services
from service.models.live_services import Services
from service.settings import Origin, Settings

State = Literal["ok", "warning", "failure"]


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, and what to do where it is not ok."""

    check: str
    state: State
    said: str
    remedy: str | None = None


@dataclass(frozen=True)
class Installation:
    """What is looked over; registry and services are opened when a check wants them."""

    settings: Settings
    origins: Mapping[str, Origin]
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @cached_property
    def registry(self) -> Registry:
        """The registry.

        Raises:
            SchemaMismatch: it has another schema than this version's.
        """
        require_current(self.settings.database_url)
        return Registry(self.settings.database_url)

    @cached_property
    def services(self) -> Services:
        """Model and index, built as a server builds them.

        Raises:
            StartRefused, ArtifactError, IndexUnavailable: a server would not start.
        """
        require_current(self.settings.database_url)
        return build_services(self.settings)

    def close(self) -> None:
        """Close what was opened."""
        for name in ("registry", "services"):
            opened = self.__dict__.get(name)
            if opened is not None:
                opened.close()


def ok(check: str, said: str) -> Finding:
    """Return that all is well."""
    return Finding(check, "ok", said)


def warning(check: str, said: str, remedy: str) -> Finding:
    """Return what should be looked after soon."""
    return Finding(check, "warning", said, remedy)


def failure(check: str, said: str, remedy: str) -> Finding:
    """Return what keeps it from working, or loses something."""
    return Finding(check, "failure", said, remedy)
