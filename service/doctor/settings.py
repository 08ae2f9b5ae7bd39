"""Checks of the settings: which there are, and where each has its value from."""

from collections.abc import Iterator

from service.doctor.finding import Finding, Installation, ok
from service.redaction import shown
from service.settings import PREFIX


def settings(installation: Installation) -> Iterator[Finding]:
    """Give each setting with its origin; secrets are hidden."""
    for name, origin in installation.origins.items():
        value = getattr(installation.settings, name)
        yield ok(PREFIX + name.upper(), f"{shown(name, value)} ({origin})")
