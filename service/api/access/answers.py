"""Answers about who may do what: keys, and who is signed in."""

from collections.abc import Sequence
from datetime import UTC, datetime

from apiflask import Schema
from apiflask.fields import AwareDateTime, List, Nested, String

from index.registry.access.keys import Key as KeptKey
from service.api.answers.images import Json
from service.api.requests import about


class Key(Schema):
    """A program's key, without its secret."""

    prefix = String(metadata=about("Names the key; the audit trail says `key:` before it."))
    name = String(metadata=about("What it is for.", "nightly import"))
    scopes = List(String(), metadata=about("What its holder may do.", ["verify", "read"]))
    state = String(
        metadata=about("`valid`, `expired` or `revoked`.", "valid")
        | {"enum": ["valid", "expired", "revoked"]}
    )
    created_at = AwareDateTime(metadata=about("When it was made."))
    expires_at = AwareDateTime(
        allow_none=True, metadata=about("When it stops being of use; null for never.")
    )
    last_used_at = AwareDateTime(allow_none=True, metadata=about("To the minute; null for never."))
    replaced_by = String(
        allow_none=True, metadata=about("The prefix of the key that it was rotated to.")
    )


class MadeKey(Key):
    """A key that was just made, with its secret, which is shown this once."""

    key = String(
        allow_none=True,
        metadata=about(
            "What its holder sends as `Authorization: Bearer`. Null where an answer is given "
            "again by its `Idempotency-Key`: the secret is kept nowhere."
        ),
    )


class Keys(Schema):
    """Every key, oldest first."""

    keys = List(Nested(Key))


def key(kept: KeptKey) -> Json:
    """Fill `Key`."""
    return {
        "prefix": kept.prefix,
        "name": kept.name,
        "scopes": list(kept.scopes),
        "state": kept.state(datetime.now(UTC)),
        "created_at": kept.created_at,
        "expires_at": kept.expires_at,
        "last_used_at": kept.last_used_at,
        "replaced_by": kept.replaced_by,
    }


def keys(every: Sequence[KeptKey]) -> Json:
    """Fill `Keys`."""
    return {"keys": [key(one) for one in every]}
