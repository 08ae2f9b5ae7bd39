"""Who is signed in, by the hash of the token in their cookie, and tries to sign in that failed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, or_, select, update

from index.errors import UnknownSession
from index.registry.audit.chain import AuditEvent, append
from index.registry.database import Database, WriteLock
from index.registry.schema import SessionRow, SignInTryRow, UserRow

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Session:
    """Someone signed in; `session_id` names it in lists, and lets nobody in."""

    session_id: str
    username: str
    role: str
    created_at: datetime
    seen_at: datetime
    address: str
    agent: str


@dataclass(frozen=True)
class Patience:
    """How failed tries under one name slow down the next, in numbers and seconds.

    After `free` failures each further one doubles the wait, from a second on; from `locked` on it
    is `lock_s`. A failure is forgotten `lock_s` after the last.
    """

    free: int
    locked: int
    lock_s: float

    def wait_s(self, failures: int) -> float:
        """Return how long after the last of so many failures the next try may come."""
        if failures >= self.locked:
            return self.lock_s
        return 0.0 if failures < self.free else 2.0 ** (failures - self.free)


class Sessions:
    """Who is signed in; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, token_sha256: str, session: Session, earlier_sha256: str | None = None) -> None:
        """Let someone be signed in, in place of an earlier session, if there is one.

        Sessions that have run out are deleted by the way.
        """
        with self._database.write(WriteLock.ACCESS) as connection:
            over = or_(
                _run_out(session.created_at), SessionRow.token_sha256 == (earlier_sha256 or "")
            )
            connection.execute(delete(SessionRow).where(over))
            connection.execute(
                insert(SessionRow).values(
                    token_sha256=token_sha256,
                    session_id=session.session_id,
                    username=session.username,
                    created_at=session.created_at,
                    seen_at=session.seen_at,
                    address=session.address,
                    agent=session.agent,
                )
            )
            caller = f"user:{session.username}"
            append(connection, AuditEvent("sign-in.done", caller, subject=caller))

    def find(self, token_sha256: str) -> Session | None:
        """Return the session of a token, if it holds; one lookup, and a writing once a minute."""
        now = datetime.now(UTC)
        with self._database.read() as connection:
            row = connection.execute(_FIND, {"token_sha256": token_sha256}).first()
        if row is None or now - row.seen_at >= IDLE or now - row.created_at >= LONGEST:
            return None
        if now - row.seen_at >= SEEN_EVERY:
            with self._database.write(WriteLock.ACCESS) as connection:
                connection.execute(
                    update(SessionRow)
                    .where(SessionRow.token_sha256 == token_sha256)
                    .values(seen_at=now)
                )
        return _session(row)

    def of_user(self, username: str) -> list[Session]:
        """Return a user's sessions that hold, the last one first."""
        now = datetime.now(UTC)
        held = _SELECT.where(SessionRow.username == username, ~_run_out(now))
        with self._database.read() as connection:
            rows = connection.execute(held.order_by(SessionRow.created_at.desc())).all()
        return [_session(row) for row in rows]

    def end(self, username: str, session_id: str, caller: str) -> None:
        """End a session of a user.

        Raises:
            UnknownSession: they have none of this id.
        """
        with self._database.write(WriteLock.ACCESS) as connection:
            ended = connection.execute(
                delete(SessionRow).where(
                    SessionRow.username == username, SessionRow.session_id == session_id
                )
            )
            if not ended.rowcount:
                raise UnknownSession(session_id)
            event = AuditEvent("sign-in.ended", caller, subject=f"user:{username}")
            append(connection, event)


class SignInTries:
    """Failed tries by the name's hash, known or not; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, name_sha256: str, patience: Patience, user: str | None) -> float:
        """Count a try as failed until it succeeds; return 0.0, or in how many seconds it may come.

        Counted beforehand, since tries that come at once would otherwise all be free. `user` is
        named on the audit chain when the name is locked; None for one that is not known.
        """
        now = datetime.now(UTC)
        with self._database.write(WriteLock.ACCESS) as connection:
            forgotten = SignInTryRow.last_at < now - timedelta(seconds=patience.lock_s)
            connection.execute(delete(SignInTryRow).where(forgotten))
            own = SignInTryRow.name_sha256 == name_sha256
            row = connection.execute(
                select(SignInTryRow.failures, SignInTryRow.last_at).where(own)
            ).first()
            if row is None:
                connection.execute(
                    insert(SignInTryRow).values(name_sha256=name_sha256, failures=1, last_at=now)
                )
                return 0.0
            left_s = patience.wait_s(row.failures) - (now - row.last_at).total_seconds()
            if left_s > 0:
                return float(left_s)
            failures = row.failures + 1
            connection.execute(
                update(SignInTryRow).where(own).values(failures=failures, last_at=now)
            )
            if failures == patience.locked and user is not None:
                append(connection, AuditEvent("sign-in.locked", "server", "refused", user))
            return 0.0

    def clear(self, name_sha256: str) -> None:
        """Forget a name's failures: somebody has shown who they are."""
        with self._database.write(WriteLock.ACCESS) as connection:
            connection.execute(delete(SignInTryRow).where(SignInTryRow.name_sha256 == name_sha256))


_SELECT = select(SessionRow.__table__, UserRow.role).join(
    UserRow, UserRow.username == SessionRow.username
)
# Run with every request of the page, so built once.
_FIND = _SELECT.where(
    SessionRow.token_sha256 == bindparam("token_sha256"), UserRow.disabled_at.is_(None)
)


def _run_out(now: datetime) -> Any:
    return or_(SessionRow.seen_at <= now - IDLE, SessionRow.created_at <= now - LONGEST)


def _session(row: Row[*tuple[Any, ...]]) -> Session:
    return Session(
        session_id=row.session_id,
        username=row.username,
        role=row.role,
        created_at=row.created_at,
        seen_at=row.seen_at,
        address=row.address,
        agent=row.agent,
    )
