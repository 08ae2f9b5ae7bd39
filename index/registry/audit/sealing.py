"""Hashes the content of rows: one form for one content, salted where it is about a person."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime

SALT_BYTES = 32


def canonical(content: Mapping[str, object]) -> str:
    """Return content as JSON in its one form: sorted keys, shortest floats, no spaces.

    Times are written in ISO 8601, to the microsecond.

    Raises:
        ValueError: a number is not finite: SQL and JSON would keep something else.
    """
    return _ENCODER.encode(content)


def seal(content: Mapping[str, object], salt: bytes) -> str:
    """Return the HMAC-SHA-256 of content, 64 hexadecimal digits: nobody guesses it back."""
    return hmac.new(salt, canonical(content).encode(), hashlib.sha256).hexdigest()


def text_sha256(text: str) -> str:
    """Return the SHA-256 of text, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    raise TypeError(f"Expected what JSON can hold, or a time; got {type(value).__name__}.")


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=_moment)
