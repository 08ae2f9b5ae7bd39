"""Checks of what ends on a day: callers' keys, and the server's certificate."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from service.doctor.finding import Finding, Installation, failure, ok, warning
from service.observability.certificates import certificate_expires_s

ENDS_SOON = timedelta(days=14)
_SHOWN = 5


def keys(installation: Installation) -> Iterator[Finding]:
    """Does a caller's key end soon, or has one ended that nobody revoked?"""
    ending = installation.registry.expired.keys_at(installation.now + ENDS_SOON)
    if not ending:
        yield ok("keys", f"none ends within {ENDS_SOON.days} days")
        return
    told = ", ".join(f"{name} ({ends:%F})" for name, ends in ending[:_SHOWN])
    more = f" and {len(ending) - _SHOWN} more" if len(ending) > _SHOWN else ""
    remedy = "Give their callers new ones, and revoke those that nobody needs."
    yield warning("keys", f"these have ended, or end soon: {told}{more}", remedy)


def certificate(installation: Installation) -> Iterator[Finding]:
    """Does the certificate of COUNTERSIGN_TLS_CERT end soon?"""
    path = installation.settings.tls_cert
    if path is None:
        yield ok("certificate", "none is used here")
        return
    try:
        ends = datetime.fromtimestamp(certificate_expires_s(path), UTC)
    except ValueError as error:
        remedy = "Set COUNTERSIGN_TLS_CERT to a certificate in PEM."
        yield failure("certificate", f"{path} is none ({error})", remedy)
        return
    said = f"{path} ends on {ends:%F}"
    remedy = "Put a new certificate in its place, and start the server again."
    if ends <= installation.now:
        yield failure("certificate", said, remedy)
    elif ends <= installation.now + ENDS_SOON:
        yield warning("certificate", said, remedy)
    else:
        yield ok("certificate", said)
