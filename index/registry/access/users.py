"""People who sign in on the page: added, changed, locked out; each with what proves who they are.

A change and its entry in the audit chain are one transaction, and so is the end of the sessions
that a change ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, bindparam, delete, insert, or_, select, update

from index.errors import UnknownUser, UserExists
from index.registry.audit.chain import AuditEvent, append
from index.registry.database import Database, WriteLock
from index.registry.schema import SessionRow, UserRow


@dataclass(frozen=True)
class User:
    """Someone who may sign in; `totp_secret` counts from its confirmation on."""

    username: str
    role: str
    password_hash: str | None
    link_expires_at: datetime | None
    totp_secret: str | None
    totp_confirmed_at: datetime | None
    recovery_sha256: Sequence[str]
    created_at: datetime
    disabled_at: datetime | None

    @property
    def state(self) -> Literal["active", "invited", "disabled"]:
        """Whether they can sign in, have yet to set a password, or may not any more."""
        if self.disabled_at is not None:
            return "disabled"
        return "invited" if self.password_hash is None else "active"

    @property
    def has_second_factor(self) -> bool:
        """Whether a code is asked for besides the password."""
        return self.totp_confirmed_at is not None


@dataclass(frozen=True)
class Link:
    """A one-time link to set a password: the hash of its token, and until when it holds."""

    sha256: str
    expires_at: datetime


class Users:
    """The people who may sign in; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, username: str) -> User | None:
        """Return the user of a name, if there is one; one lookup."""
        with self._database.read() as connection:
            row = connection.execute(_FIND, {"username": username}).first()
        return None if row is None else _user(row)

    def all(self) -> list[User]:
        """Return everyone, disabled ones too, in order of their names."""
        with self._database.read() as connection:
            return [_user(row) for row in connection.execute(_SELECT.order_by(UserRow.username))]

    def of_link(self, link_sha256: str) -> User | None:
        """Return whose link to set a password this is, if it still holds."""
        held = (
            UserRow.link_sha256 == link_sha256,
            UserRow.link_expires_at > datetime.now(UTC),
            UserRow.disabled_at.is_(None),
        )
        with self._database.read() as connection:
            row = connection.execute(_SELECT.where(*held)).first()
        return None if row is None else _user(row)

    def add(self, username: str, role: str, link: Link | None, caller: str) -> User:
        """Add someone, with a link to set a password if they need one.

        Raises:
            UserExists: there is one of this name.
        """
        with self._database.write(WriteLock.ACCESS) as connection:
            if connection.execute(_FIND, {"username": username}).first() is not None:
                raise UserExists(username)
            connection.execute(
                insert(UserRow).values(
                    username=username,
                    role=role,
                    link_sha256=None if link is None else link.sha256,
                    link_expires_at=None if link is None else link.expires_at,
                    recovery_sha256=[],
                    created_at=datetime.now(UTC),
                )
            )
            append(connection, _event("user.added", caller, username, role=role))
            return _get(connection, username)

    def set_role(self, username: str, role: str, caller: str) -> User:
        """Give someone another role, from their next request on.

        Raises:
            UnknownUser: there is none of this name.
        """
        return self._change(username, caller, {"role": role}, role=role)

    def disable(self, username: str, caller: str) -> User:
        """Let someone sign in no more, and end their sessions.

        Raises:
            UnknownUser: there is none of this name.
        """
        values = {
            "disabled_at": datetime.now(UTC),
            "password_hash": None,
            "link_sha256": None,
            "link_expires_at": None,
        }
        return self._change(username, caller, values, end_sessions=True, disabled=True)

    def reset(self, username: str, link: Link, caller: str) -> User:
        """Take someone's password and second factor, and give them a link to set a new one.

        Raises:
            UnknownUser: there is none of this name.
        """
        values = {
            "password_hash": None,
            "disabled_at": None,
            "link_sha256": link.sha256,
            "link_expires_at": link.expires_at,
            **_NO_SECOND_FACTOR,
        }
        return self._change(username, caller, values, end_sessions=True, reset=True)

    def set_password_by_link(self, link_sha256: str, password_hash: str) -> User | None:
        """Set a password once, whoever holds the link; None if it does not hold any more."""
        found = self.of_link(link_sha256)
        if found is None:
            return None
        with self._database.write(WriteLock.ACCESS) as connection:
            changed = connection.execute(
                update(UserRow)
                .where(UserRow.link_sha256 == link_sha256, UserRow.disabled_at.is_(None))
                .values(password_hash=password_hash, link_sha256=None, link_expires_at=None)
            )
            if not changed.rowcount:
                return None  # Used by somebody else, just now.
            _end_sessions(connection, found.username)
            caller = f"user:{found.username}"
            append(connection, _event("user.changed", caller, found.username, change="password"))
            return _get(connection, found.username)

    def set_password(self, username: str, password_hash: str, session_id: str) -> User:
        """Set a password, and end all sessions but the one in which that is done.

        Raises:
            UnknownUser: there is none of this name.
        """
        with self._database.write(WriteLock.ACCESS) as connection:
            _update(connection, username, {"password_hash": password_hash})
            _end_sessions(connection, username, but=session_id)
            append(
                connection,
                _event("user.changed", f"user:{username}", username, change="password"),
            )
            return _get(connection, username)

    def offer_second_factor(self, username: str, secret: str) -> None:
        """Keep a secret that counts only once a code of it was shown.

        Raises:
            UnknownUser: there is none of this name.
        """
        with self._database.write(WriteLock.ACCESS) as connection:
            _update(connection, username, {**_NO_SECOND_FACTOR, "totp_secret": secret})

    def confirm_second_factor(
        self, username: str, step: int, recovery: Sequence[str], session_id: str
    ) -> User:
        """Ask for codes from now on; `recovery` are the hashes of codes that help without it.

        All sessions end but the one in which that is done.

        Raises:
            UnknownUser: there is none of this name.
        """
        values = {
            "totp_confirmed_at": datetime.now(UTC),
            "totp_step": step,
            "recovery_sha256": list(recovery),
        }
        caller = f"user:{username}"
        return self._change(username, caller, values, but=session_id, second_factor=True)

    def remove_second_factor(self, username: str, caller: str, session_id: str) -> User:
        """Ask for no codes any more, and end all sessions but the one in which that is done.

        Raises:
            UnknownUser: there is none of this name.
        """
        values = _NO_SECOND_FACTOR
        return self._change(username, caller, values, but=session_id, second_factor=False)

    def take_step(self, username: str, step: int) -> bool:
        """Use up a time step's code; return False if it, or a later one, was used already."""
        with self._database.write(WriteLock.ACCESS) as connection:
            unused = or_(UserRow.totp_step.is_(None), UserRow.totp_step < step)
            changed = connection.execute(
                update(UserRow).where(UserRow.username == username, unused).values(totp_step=step)
            )
            return changed.rowcount == 1

    def take_recovery(self, username: str, code_sha256: str) -> bool:
        """Use up a recovery code; return False if it is none, or was used already."""
        with self._database.write(WriteLock.ACCESS) as connection:
            codes = list(_get(connection, username).recovery_sha256)
            if code_sha256 not in codes:
                return False
            codes.remove(code_sha256)
            _update(connection, username, {"recovery_sha256": codes})
            details = {"recovery_codes_left": len(codes)}
            append(connection, _event("user.changed", f"user:{username}", username, **details))
            return True

    def _change(
        self,
        username: str,
        caller: str,
        values: dict[str, Any],
        *,
        end_sessions: bool = False,
        but: str | None = None,
        **details: object,
    ) -> User:
        """Change someone; end their sessions, or all `but` one, if asked to."""
        with self._database.write(WriteLock.ACCESS) as connection:
            _update(connection, username, values)
            if end_sessions or but is not None:
                _end_sessions(connection, username, but)
            append(connection, _event("user.changed", caller, username, **details))
            return _get(connection, username)


_NO_SECOND_FACTOR: dict[str, Any] = {
    "totp_secret": None,
    "totp_confirmed_at": None,
    "totp_step": None,
    "recovery_sha256": [],
}
_SELECT = select(UserRow.__table__)
_FIND = _SELECT.where(UserRow.username == bindparam("username"))


def _update(connection: Connection, username: str, values: dict[str, Any]) -> None:
    changed = connection.execute(
        update(UserRow).where(UserRow.username == username).values(**values)
    )
    if not changed.rowcount:
        raise UnknownUser(username)


def _end_sessions(connection: Connection, username: str, but: str | None = None) -> None:
    others = delete(SessionRow).where(SessionRow.username == username)
    if but is not None:
        others = others.where(SessionRow.session_id != but)
    connection.execute(others)


def _get(connection: Connection, username: str) -> User:
    row = connection.execute(_FIND, {"username": username}).first()
    if row is None:
        raise UnknownUser(username)
    return _user(row)


def _user(row: Row[*tuple[Any, ...]]) -> User:
    return User(
        username=row.username,
        role=row.role,
        password_hash=row.password_hash,
        link_expires_at=row.link_expires_at,
        totp_secret=row.totp_secret,
        totp_confirmed_at=row.totp_confirmed_at,
        recovery_sha256=tuple(row.recovery_sha256),
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


def _event(kind: str, caller: str, username: str, **details: object) -> AuditEvent:
    return AuditEvent(kind, caller, subject=f"user:{username}", details=details)
