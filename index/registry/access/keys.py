"""Keys of programs: made, looked up with every request, rotated and revoked.

A change and its entry in the audit chain are one transaction. A key is looked up in the database
with every request, so that what is revoked is refused by all processes at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update

from index.errors import UnknownKey
from index.registry.audit.chain import AuditEvent, append
from index.registry.database import Database, WriteLock
from index.registry.schema import ApiKeyRow

# How exactly it is known when a key was used last: each time in between costs no writing.
USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class NewKey:
    """A key to keep: its prefix and the SHA-256 of its secret, never the secret itself."""

    prefix: str
    secret_sha256: str
    name: str
    scopes: Sequence[str]
    expires_at: datetime | None


@dataclass(frozen=True)
class Key(NewKey):
    """One that the registry keeps; all times are aware, in UTC."""

    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str | None

    def state(self, now: datetime) -> Literal["valid", "expired", "revoked"]:
        """Return whether the key can be used at this time, or why not."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


class Keys:
    """The keys of programs; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, prefix: str) -> Key | None:
        """Return the key of a prefix, if there is one; one lookup."""
        with self._database.read() as connection:
            row = connection.execute(_FIND, {"prefix": prefix}).first()
        return None if row is None else _key(row)

    def all(self) -> list[Key]:
        """Return every key, revoked and expired ones too, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(_SELECT.order_by(ApiKeyRow.created_at, ApiKeyRow.key_id))
            return [_key(row) for row in rows]

    def create(self, new: NewKey, caller: str) -> Key:
        """Keep a new key."""
        with self._database.write(WriteLock.ACCESS) as connection:
            _insert(connection, new)
            append(connection, _event("key.created", caller, new))
            return _get(connection, new.prefix)

    def rotate(self, prefix: str, new: NewKey, old_until: datetime, caller: str) -> Key:
        """Keep a new key in place of another, which can be used until `old_until` at most.

        Raises:
            UnknownKey: there is none of this prefix, or it was revoked.
        """
        with self._database.write(WriteLock.ACCESS) as connection:
            old = _get(connection, prefix)
            if old.revoked_at is not None:
                raise UnknownKey(prefix)
            until = old_until if old.expires_at is None else min(old.expires_at, old_until)
            _insert(connection, new)
            connection.execute(
                update(ApiKeyRow)
                .where(ApiKeyRow.key_id == prefix)
                .values(expires_at=until, replaced_by=new.prefix)
            )
            append(connection, _event("key.rotated", caller, new, replaces=prefix))
            return _get(connection, new.prefix)

    def revoke(self, prefix: str, caller: str) -> Key:
        """Let a key be of no use from now on; once more is nothing.

        Raises:
            UnknownKey: there is none of this prefix.
        """
        with self._database.write(WriteLock.ACCESS) as connection:
            key = _get(connection, prefix)
            if key.revoked_at is None:
                connection.execute(
                    update(ApiKeyRow)
                    .where(ApiKeyRow.key_id == prefix)
                    .values(revoked_at=datetime.now(UTC))
                )
                append(connection, _event("key.revoked", caller, key))
            return _get(connection, prefix)

    def note_use(self, key: Key, now: datetime) -> None:
        """Remember that a key was used, once a minute at most."""
        if key.last_used_at is not None and now - key.last_used_at < USED_EVERY:
            return
        with self._database.write(WriteLock.ACCESS) as connection:
            earlier = or_(
                ApiKeyRow.last_used_at.is_(None), ApiKeyRow.last_used_at <= now - USED_EVERY
            )
            connection.execute(
                update(ApiKeyRow)
                .where(ApiKeyRow.key_id == key.prefix, earlier)
                .values(last_used_at=now)
            )


_SELECT = select(ApiKeyRow.__table__)
# Run with every request, so built once.
_FIND = _SELECT.where(ApiKeyRow.key_id == bindparam("prefix"))


def _insert(connection: Connection, new: NewKey) -> None:
    connection.execute(
        insert(ApiKeyRow).values(
            key_id=new.prefix,
            name=new.name,
            secret_sha256=new.secret_sha256,
            scopes=list(new.scopes),
            created_at=datetime.now(UTC),
            expires_at=new.expires_at,
        )
    )


def _get(connection: Connection, prefix: str) -> Key:
    row = connection.execute(_FIND, {"prefix": prefix}).first()
    if row is None:
        raise UnknownKey(prefix)
    return _key(row)


def _key(row: Row[*tuple[Any, ...]]) -> Key:
    return Key(
        prefix=row.key_id,
        secret_sha256=row.secret_sha256,
        name=row.name,
        scopes=tuple(row.scopes),
        expires_at=row.expires_at,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        replaced_by=row.replaced_by,
    )


def _event(kind: str, caller: str, key: NewKey, replaces: str | None = None) -> AuditEvent:
    expires_at = None if key.expires_at is None else key.expires_at.isoformat()
    details: dict[str, object] = {"scopes": list(key.scopes), "expires_at": expires_at}
    if replaces is not None:
        details["replaces"] = replaces
    return AuditEvent(kind, caller, subject=f"key:{key.prefix}", details=details)
