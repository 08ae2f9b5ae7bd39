"""Time-based codes after RFC 6238, as authenticator apps show them, and codes for when one is lost.

A code is taken once: the time step of the last one is kept.
"""

import base64
import hmac
import secrets
import time

import pyotp

from index.registry.access.users import User
from index.registry.registry import Registry
from service.auth.keys import secret_sha256
from service.errors import InvalidInput

ISSUER = "Countersign"
STEP_S = 30
# Clocks may be this many steps apart.
DRIFT = 1
# 120 random bits: a plain hash of them tells nothing.
RECOVERY_CODES, RECOVERY_BYTES = 10, 15


def offer(registry: Registry, username: str) -> tuple[str, str]:
    """Return a new secret, and the URI by which an app takes it; it counts once confirmed.

    Raises:
        InvalidInput: codes of another app are asked for already: that would go without a word.
    """
    user = registry.users.find(username)
    if user is not None and user.has_second_factor:
        raise InvalidInput(
            "Codes of an authenticator app are asked for already. Stop using that app first."
        )
    secret = pyotp.random_base32()
    registry.users.offer_second_factor(username, secret)
    return secret, pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)


def confirm(registry: Registry, user: User, code: str, session_id: str) -> list[str] | None:
    """Ask the user for codes from now on; return recovery codes, or None if the code is wrong.

    It is also wrong where no app was offered that waits for it.
    """
    step = None if user.has_second_factor else _step(user, code)
    if step is None:
        return None
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    hashes = [secret_sha256(plain(one)) for one in codes]
    registry.users.confirm_second_factor(user.username, step, hashes, session_id)
    return codes


def is_code(registry: Registry, user: User, code: str) -> bool:
    """Whether this is a code of the user's that was not used before; it is used up by it."""
    step = _step(user, code)
    if step is not None:
        return registry.users.take_step(user.username, step)
    return registry.users.take_recovery(user.username, secret_sha256(plain(code)))


def plain(code: str) -> str:
    """Return a code without what people put between its letters."""
    return code.replace("-", "").replace(" ", "").upper()


def _step(user: User, code: str) -> int | None:
    if user.totp_secret is None:
        return None
    totp, now = pyotp.TOTP(user.totp_secret), int(time.time()) // STEP_S
    given = plain(code)
    for step in range(now - DRIFT, now + DRIFT + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), given.encode()):
            return step
    return None


def _recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))
