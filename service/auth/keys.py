"""Keys of programs, `cs_<prefix>_<secret>`: made, checked and rotated.

A secret has 256 random bits, so its plain SHA-256 tells nothing of it, and a check costs a lookup
and a comparison in constant time.
"""

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from index.errors import GalleryError
from index.registry.access.keys import Key, NewKey
from index.registry.registry import Registry
from service.auth.identity import Identity
from service.auth.scopes import SCOPES
from service.errors import InvalidInput, Unauthorized

logger = logging.getLogger(__name__)

PREFIX_BYTES, SECRET_BYTES = 6, 32
MAX_NAME = 200
OVERLAP = timedelta(days=1)
LONGEST = timedelta(days=3660)

_KEY = re.compile(rf"cs_([0-9a-f]{{{2 * PREFIX_BYTES}}})_([0-9a-f]{{{2 * SECRET_BYTES}}})")
_DURATION = re.compile(r"([1-9][0-9]{0,4})(m|h|d)")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def make_key(
    registry: Registry, name: str, scopes: Collection[str], lasts: timedelta | None, caller: str
) -> tuple[Key, str]:
    """Make a key; return it with the text that its holder sends, which is kept nowhere.

    Raises:
        InvalidInput: the name or the scopes are not as expected.
    """
    new, text = _drawn(name, scopes, lasts)
    return registry.keys.create(new, caller), text


def rotate_key(
    registry: Registry, old: Key, lasts: timedelta | None, overlap: timedelta, caller: str
) -> tuple[Key, str]:
    """Make a key in place of another, which goes on being of use for `overlap`.

    Without `lasts`, the new one lasts as long as the other was made for.

    Raises:
        UnknownKey: the other one was revoked, or is gone.
    """
    if lasts is None and old.expires_at is not None:
        lasts = old.expires_at - old.created_at
    new, text = _drawn(old.name, old.scopes, lasts)
    until = datetime.now(UTC) + overlap
    return registry.keys.rotate(old.prefix, new, until, caller), text


def shown_key(key: Key) -> dict[str, Any]:
    """Return a key as answers and commands show it: times are not text yet."""
    return {
        "prefix": key.prefix,
        "name": key.name,
        "scopes": list(key.scopes),
        "state": key.state(datetime.now(UTC)),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "replaced_by": key.replaced_by,
    }


def key_identity(registry: Registry, authorization: str) -> Identity:
    """Return whom a request with this header `Authorization` is from.

    Raises:
        Unauthorized: there is no such key, or it is of no use any more.
    """
    scheme, _, text = authorization.partition(" ")
    given = _KEY.fullmatch(text.strip()) if scheme.lower() == "bearer" else None
    if given is None:
        raise Unauthorized(
            "Expected the header 'Authorization: Bearer cs_<prefix>_<secret>'; something else "
            "came. Send the key as it was printed when it was made.",
            "malformed",
        )
    prefix, secret = given.groups()
    key = registry.keys.find(prefix)
    # An unknown prefix is compared too: how long an answer takes tells nothing of prefixes.
    kept = "" if key is None else key.secret_sha256
    matches = hmac.compare_digest(secret_sha256(secret), kept)
    if key is None or not matches:
        raise Unauthorized("The key is not known here. Check that it is whole.", "unknown")
    now = datetime.now(UTC)
    if (state := key.state(now)) != "valid":
        raise Unauthorized(f"The key {prefix} is {state}. Ask for a new one.", state)
    _note_use(registry, key, now)
    return Identity(f"key:{prefix}", frozenset(key.scopes), "key")


def secret_sha256(secret: str) -> str:
    """Return what is kept of a secret or a token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def scopes_of(text: str) -> list[str]:
    """Read scopes with commas between them, in the order of `SCOPES`.

    Raises:
        InvalidInput: one of them is none.
    """
    return _checked_scopes([part.strip() for part in text.split(",") if part.strip()])


def duration_of(text: str) -> timedelta:
    """Read a time span such as 90d, 12h or 30m.

    Raises:
        InvalidInput: it is not of this form, or longer than ten years.
    """
    given = _DURATION.fullmatch(text)
    if given is None or int(given[1]) * _UNITS[given[2]] > LONGEST:
        raise InvalidInput(
            f"Expected a time span such as 90d, 12h or 30m, of ten years at most; {text[:20]!r} "
            "came."
        )
    return int(given[1]) * _UNITS[given[2]]


def _drawn(name: str, scopes: Collection[str], lasts: timedelta | None) -> tuple[NewKey, str]:
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidInput(f"Expected a name of 1 to {MAX_NAME} printable characters.")
    prefix, secret = secrets.token_hex(PREFIX_BYTES), secrets.token_hex(SECRET_BYTES)
    expires_at = None if lasts is None else datetime.now(UTC) + lasts
    new = NewKey(prefix, secret_sha256(secret), name, _checked_scopes(scopes), expires_at)
    return new, f"cs_{prefix}_{secret}"


def _checked_scopes(scopes: Collection[str]) -> list[str]:
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        came = f"{', '.join(map(repr, unknown))}" if unknown else "none"
        raise InvalidInput(f"Expected scopes among {', '.join(SCOPES)}; {came} came.")
    return [scope for scope in SCOPES if scope in scopes]


def _note_use(registry: Registry, key: Key, now: datetime) -> None:
    try:
        registry.keys.note_use(key, now)
    except GalleryError as error:
        # A full disk must not keep anybody from what needs no room, as erasing.
        logger.warning("When a key was used could not be noted: %s", error)
