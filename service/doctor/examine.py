"""Runs every check, and turns what a check cannot do into a finding of its own.

A new check is a generator of findings in a module of its kind, and a line in CHECKS.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

from encoder.errors import EncoderError
from index.errors import GalleryError
from service.doctor import expiry, host, registry, server
from service.doctor.finding import Finding, Installation, State, failure, warning
from service.doctor.settings import settings
from service.errors import ServiceError

Check = Callable[[Installation], Iterator[Finding]]

# These look into the registry, which they cannot with another schema than this version's.
OF_REGISTRY: Mapping[str, Check] = {
    "model": registry.model,
    "index": registry.index,
    "audit trail": registry.audit_trail,
    "erasures": registry.erasures,
    "last backup": registry.last_backup,
    "clock": host.clock,
    "keys": expiry.keys,
}
CHECKS: Mapping[str, Check] = {
    "settings": settings,
    "schema": registry.schema,
    **OF_REGISTRY,
    "disk": host.disk,
    "permissions": host.permissions,
    "server": server.server,
    "certificate": expiry.certificate,
}
WORST: tuple[State, ...] = ("ok", "warning", "failure")


def examine(installation: Installation) -> Iterator[Finding]:
    """Give what every check finds, one after another; close the installation at the end."""
    with closing(installation):
        schema_fits = True
        for name, check in CHECKS.items():
            if name in OF_REGISTRY and not schema_fits:
                said = "not looked at: there is no registry of this version's schema"
                yield warning(name, said, "See to the schema first.")
                continue
            for finding in _guarded(name, check, installation):
                schema_fits &= not (name == "schema" and finding.state == "failure")
                yield finding


def worst(findings: list[Finding]) -> State:
    """Return the worst state among some findings."""
    return max((one.state for one in findings), key=WORST.index, default="ok")


def _guarded(name: str, check: Check, installation: Installation) -> Iterator[Finding]:
    try:
        yield from check(installation)
    except (EncoderError, GalleryError, ServiceError, OSError) as error:
        yield failure(name, str(error), "Do what the message says, then run this again.")
