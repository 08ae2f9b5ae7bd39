"""Answers about who may do what: keys, and who is signed in."""

from collections.abc import Sequence

from apiflask import Schema
from apiflask.fields import AwareDateTime, Boolean, List, Nested, String

from index.registry.access.keys import Key as KeptKey
from index.registry.access.sessions import Session as HeldSession
from index.registry.access.users import User
from service.api.answers.images import Json
from service.api.answers.state import MOMENT
from service.api.requests import about
from service.auth.identity import Identity
from service.auth.keys import shown_key
from service.auth.scopes import SCOPES

# Examples, of use nowhere.
PREFIX = "5f0c93a1b2d4"
SECRET = "0123456789abcdef" * 4
APP_SECRET = "JBSWY3DPEHPK3PXP"  # noqa: S105 - Nobody's.


class Key(Schema):
    """A program's key, without its secret."""

    prefix = String(metadata=about("Names the key; the audit trail says `key:` before it.", PREFIX))
    name = String(metadata=about("What it is for.", "nightly import"))
    scopes = List(String(), metadata=about("What its holder may do.", ["verify", "read"]))
    state = String(
        metadata=about("`valid`, `expired` or `revoked`.", "valid")
        | {"enum": ["valid", "expired", "revoked"]}
    )
    created_at = AwareDateTime(metadata=about("When it was made.", MOMENT))
    expires_at = AwareDateTime(
        allow_none=True,
        metadata=about("When it stops being of use; null for never.", "2026-08-02T09:30:00Z"),
    )
    last_used_at = AwareDateTime(
        allow_none=True, metadata=about("To the minute; null for never.", MOMENT)
    )
    replaced_by = String(
        allow_none=True,
        metadata=about("The prefix of the key that it was rotated to.", "7a10d9e44f02"),
    )


class MadeKey(Key):
    """A key that was just made, with its secret, which is shown this once."""

    key = String(
        allow_none=True,
        metadata=about(
            "What its holder sends as `Authorization: Bearer`. Null where an answer is given "
            "again by its `Idempotency-Key`: the secret is kept nowhere.",
            f"cs_{PREFIX}_{SECRET}",
        ),
    )


class Keys(Schema):
    """Every key, oldest first."""

    keys = List(Nested(Key))


def key(kept: KeptKey) -> Json:
    """Fill `Key`."""
    return shown_key(kept)


def keys(every: Sequence[KeptKey]) -> Json:
    """Fill `Keys`."""
    return {"keys": [key(one) for one in every]}


class SignedIn(Schema):
    """Who is signed in, and what they may do."""

    auth = String(
        metadata=about("Whether callers show who they are here: `on` or `off`.", "on")
        | {"enum": ["on", "off"]}
    )
    username = String(allow_none=True, metadata=about("Null where nobody is signed in.", "ada"))
    role = String(allow_none=True, metadata=about("Null where nobody is signed in.", "clerk"))
    scopes = List(String(), metadata=about("What the caller may do.", ["verify", "read"]))
    csrf_token = String(
        allow_none=True,
        metadata=about("What changes carry as the header `X-CSRF-Token`.", SECRET),
    )
    second_factor = Boolean(metadata=about("Whether a code is asked for at sign-in.", False))
    provider = Boolean(
        metadata=about("Whether one can sign in through an identity provider.", False)
    )


class Session(Schema):
    """One time that somebody signed in, which still holds."""

    session_id = String(metadata=about("Names it here; lets nobody in.", PREFIX))
    created_at = AwareDateTime(metadata=about("When they signed in.", MOMENT))
    seen_at = AwareDateTime(metadata=about("When they were last here, to the minute.", MOMENT))
    address = String(metadata=about("From where.", "192.0.2.7"))
    agent = String(metadata=about("With which program.", "Mozilla/5.0"))
    current = Boolean(metadata=about("Whether it is this one.", True))


class Sessions(Schema):
    """Your sessions, the last one first."""

    sessions = List(Nested(Session))


class SecondFactor(Schema):
    """What an authenticator app takes."""

    secret = String(metadata=about("To type into the app, in base32.", APP_SECRET))
    uri = String(
        metadata=about(
            "The same as an `otpauth:` address, for a QR code or a link.",
            f"otpauth://totp/Countersign:ada?secret={APP_SECRET}&issuer=Countersign",
        )
    )


class RecoveryCodes(Schema):
    """What helps when the app is lost."""

    recovery_codes = List(
        String(), metadata=about("Each is of use once, in place of a code.", ["k3f7-2m9x-q8tn"])
    )


def nobody(auth: str, *, provider: bool = False) -> Json:
    """Fill `SignedIn` for a caller who is not known."""
    return {
        "auth": auth,
        "username": None,
        "role": None,
        "scopes": [],
        "csrf_token": None,
        "second_factor": False,
        "provider": provider,
    }


def signed_in(who: Identity, user: User | None, auth: str, *, provider: bool = False) -> Json:
    """Fill `SignedIn`; `user` is None for a key, and where nobody signs in."""
    return {
        **nobody(auth, provider=provider),
        "username": None if user is None else user.username,
        "role": None if user is None else user.role,
        "scopes": [scope for scope in SCOPES if scope in who.scopes],
        "csrf_token": who.csrf_token or None,
        "second_factor": user is not None and user.has_second_factor,
    }


def sessions(held: Sequence[HeldSession], current: str) -> Json:
    """Fill `Sessions`."""
    listed = [
        {
            "session_id": one.session_id,
            "created_at": one.created_at,
            "seen_at": one.seen_at,
            "address": one.address,
            "agent": one.agent,
            "current": one.session_id == current,
        }
        for one in held
    ]
    return {"sessions": listed}
