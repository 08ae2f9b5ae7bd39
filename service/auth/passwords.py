"""Passwords: which are taken, how they are hashed, and how one is checked.

The rules are those of NIST SP 800-63B: a length, no composition, nothing that many people use.
"""

import re
import threading
import unicodedata
from functools import cache
from importlib.resources import files

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from service.errors import InvalidInput

MIN_LENGTH, MAX_LENGTH = 12, 256
# Words that are near at hand on this page.
NEAR = ("countersign", "signature")
# Runs of keys that look long and are not.
ROWS = ("0123456789" * 2, "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")

# RFC 9106's second recommendation, 64 MiB and three passes: some 50 ms on a core. Two at a time in
# a process, so that many tries at once cannot take its memory.
_HASHER = PasswordHasher(time_cost=3, memory_cost=2**16, parallelism=1)
_AT_A_TIME = threading.Semaphore(2)
_AROUND = re.compile(r"^[^a-z]+|[^a-z]+$")
_REPEATED = re.compile(r"(.+?)\1+", re.DOTALL)


def hash_password(password: str) -> str:
    """Return what is kept of a password."""
    with _AT_A_TIME:
        return _HASHER.hash(_normal(password))


def is_password(password: str, password_hash: str | None) -> bool:
    """Whether this is the password; without a hash it takes as long, and is False."""
    nobodys = _nobodys_hash()
    with _AT_A_TIME:
        try:
            _HASHER.verify(password_hash or nobodys, _normal(password))
        except (VerificationError, InvalidHashError):
            return False
    return password_hash is not None


def require_good(password: str, username: str) -> None:
    """Refuse a password that is short, or that others would guess.

    Raises:
        InvalidInput: saying what was expected.
    """
    password = _normal(password)
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        _refuse(f"expected {MIN_LENGTH} to {MAX_LENGTH} characters; {len(password)} came.")
    lowered = password.lower()
    if any(row.find(lowered) >= 0 or row[::-1].find(lowered) >= 0 for row in ROWS):
        _refuse("expected more than a row of keys.")
    if (piece := _REPEATED.fullmatch(lowered)) is not None:
        _refuse(f"expected more than {len(piece[1])} characters that repeat.")
    core = _AROUND.sub("", lowered)
    names = {username.lower(), *re.split(r"[^a-z]+", username.lower())} - {""}
    if core in _common() or core in NEAR or core in names:
        _refuse("expected one that others would not guess; many people use this one.")


def _refuse(reason: str) -> None:
    raise InvalidInput(
        f"password: {reason} Several words in a row are good.", {"password": [reason]}
    )


def _normal(password: str) -> str:
    # The same keys give the same password, whichever device composes the letters.
    return unicodedata.normalize("NFKC", password)


@cache
def _common() -> frozenset[str]:
    text = (files("service.auth") / "common_passwords.txt").read_text(encoding="ascii")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash("nobody's password")
