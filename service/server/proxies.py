"""Believes of a request what the installation's own proxies say of it, and nobody else."""

import ipaddress
import re
from collections.abc import MutableMapping, Sequence
from typing import Any

from service.settings import Network

Scope = MutableMapping[str, Any]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

FOR, PROTO, HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"
# What proxies tell in. None of it reaches the application: what is believed takes its proper place.
FORWARDED = frozenset(
    {FOR, PROTO, HOST, b"forwarded", b"x-forwarded-port", b"x-forwarded-prefix", b"x-real-ip"}
)
SCHEMES = frozenset({"http", "https"})
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")
_WITH_PORT = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<v4>[0-9.]+))(?::[0-9]{1,5})?")


def as_forwarded(scope: Scope, trusted: Sequence[Network]) -> Scope:
    """Return an ASGI request as it came to the outermost trusted proxy.

    Each proxy appends the address that it was asked from, so the list is read from its end, up to
    the first that is none of the trusted: whatever stands before that, anybody may have written.
    """
    told = [(name, value) for name, value in scope["headers"] if name in FORWARDED]
    if not told:
        return scope
    plain = {**scope, "headers": [one for one in scope["headers"] if one[0] not in FORWARDED]}
    peer = _address(str(scope["client"][0])) if scope.get("client") else None
    if peer is None or not _is_among(peer, trusted):
        return plain
    if (scheme := _last(told, PROTO).lower()) in SCHEMES:
        plain["scheme"] = scheme
    if _HOST.fullmatch(host := _last(told, HOST)):
        headers = [one for one in plain["headers"] if one[0] != b"host"]
        plain["headers"] = [*headers, (b"host", host.encode())]
    plain["client"] = (str(_outermost(peer, _listed(told, FOR), trusted)), 0)
    return plain


def _outermost(peer: Address, listed: list[str], trusted: Sequence[Network]) -> Address:
    found = peer
    while listed and _is_among(found, trusted):
        before = _address(listed.pop())
        if before is None:
            break
        found = before
    return found


def _listed(told: Sequence[tuple[bytes, bytes]], name: bytes) -> list[str]:
    """What a header lists; several of one name are one list."""
    values = [value.decode("latin-1") for key, value in told if key == name]
    return [one.strip() for one in ",".join(values).split(",") if one.strip()]


def _last(told: Sequence[tuple[bytes, bytes]], name: bytes) -> str:
    """What the nearest proxy, which is trusted, said last; nothing, if it said nothing."""
    return next(reversed(_listed(told, name)), "")


def _address(text: str) -> Address | None:
    """Read an address, with or without a port; one of IPv4 in an IPv6 form is that of IPv4."""
    with_port = _WITH_PORT.fullmatch(text)
    bare = (with_port["v6"] or with_port["v4"]) if with_port else text
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_among(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
