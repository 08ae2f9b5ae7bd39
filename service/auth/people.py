"""People who sign in on the page: added with a link to set a password, signed in, signed out."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from index.registry.access.sessions import Patience, Session
from index.registry.access.users import Link, User
from index.registry.registry import Registry
from service.auth import second_factor
from service.auth.identity import Identity
from service.auth.keys import secret_sha256
from service.auth.passwords import hash_password, is_password, require_good
from service.auth.scopes import ROLES
from service.errors import CodeNeeded, InvalidInput, RateLimited, SignInRefused, Unauthorized

TOKEN_BYTES = 32
LINK_LASTS = timedelta(hours=24)
MAX_AGENT = 200
PATIENCE = Patience(free=3, locked=10, lock_s=3600.0)
USERNAME_EXPECTED = (
    "expected a user name of 1 to 64 of the characters a-z 0-9 . _ @ - with a letter or digit first"
)
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


@dataclass(frozen=True)
class SignIn:
    """What somebody shows to sign in, and where they are; `earlier` is what their cookie held."""

    username: str
    password: str
    code: str | None
    address: str
    agent: str
    earlier: str | None = None


def add_user(registry: Registry, username: str, role: str, caller: str) -> tuple[User, str]:
    """Add someone; return them with the token of the link by which they set a password.

    Raises:
        InvalidInput: the name or the role is not as expected.
        UserExists: there is one of this name.
    """
    if not _USERNAME.fullmatch(username):
        raise InvalidInput(f"{USERNAME_EXPECTED}; {username[:80]!r} came.")
    link, token = _link()
    return registry.users.add(username, checked_role(role), link, caller), token


def reset_user(registry: Registry, username: str, caller: str) -> tuple[User, str]:
    """Take someone's password and second factor; return the token of a link to set a new one.

    Raises:
        UnknownUser: there is none of this name.
    """
    link, token = _link()
    user = registry.users.reset(username, link, caller)
    registry.sign_in_tries.clear(_name_sha256(username))
    return user, token


def checked_role(role: str) -> str:
    """Return a role that there is.

    Raises:
        InvalidInput: there is none of this name.
    """
    if role not in ROLES:
        raise InvalidInput(f"Expected a role among {', '.join(ROLES)}; {role[:40]!r} came.")
    return role


def set_password_by_link(registry: Registry, token: str, password: str) -> User:
    """Set a password by a one-time link.

    Raises:
        InvalidInput: the link does not hold any more, or the password is not a good one.
    """
    link_sha256 = secret_sha256(token)
    user = registry.users.of_link(link_sha256)
    if user is not None:
        require_good(password, user.username)
        user = registry.users.set_password_by_link(link_sha256, hash_password(password))
    if user is None:
        raise InvalidInput(
            "link: expected one that was not used and is not a day old. Ask whoever runs the "
            "server for a new one.",
            {"link": ["It was used already, or is too old."]},
        )
    return user


def change_password(
    registry: Registry, who: Identity, current: str, code: str | None, new: str
) -> None:
    """Change the password of somebody signed in; their other sessions end.

    Raises:
        SignInRefused: the current password, or the code, is wrong.
        CodeNeeded: a code is needed besides.
        InvalidInput: the new one is not good.
        RateLimited: there were too many tries.
    """
    # First, so that a code is not used up for nothing.
    require_good(new, who.username)
    require_again(registry, who, current, code)
    registry.users.set_password(who.username, hash_password(new), who.session_id)


def require_again(registry: Registry, who: Identity, password: str, code: str | None) -> None:
    """Ask somebody signed in once more for all that they signed in with.

    Raises:
        SignInRefused: the password or the code is wrong.
        CodeNeeded: the password is right, and a code is needed besides.
        RateLimited: there were too many tries.
    """
    user = registry.users.find(who.username)
    _begin_try(registry, who.username, user)
    if user is None or not is_password(password, user.password_hash):
        raise SignInRefused("The password is wrong.", "password")
    if user.has_second_factor:
        _require_code(registry, user, code, SignInRefused("The code is wrong.", "code"))
    registry.sign_in_tries.clear(_name_sha256(who.username))


def confirm_code(registry: Registry, who: Identity, code: str) -> list[str]:
    """Ask somebody signed in for codes from now on; return their recovery codes.

    Raises:
        SignInRefused: the code is wrong.
        RateLimited: there were too many tries.
    """
    user = registry.users.find(who.username)
    _begin_try(registry, who.username, user)
    codes = None
    if user is not None:
        codes = second_factor.confirm(registry, user, code, who.session_id)
    if codes is None:
        raise SignInRefused("The code is wrong. Is the clock of your device right?", "code")
    registry.sign_in_tries.clear(_name_sha256(who.username))
    return codes


def sign_in(registry: Registry, shown: SignIn) -> str:
    """Sign somebody in; return the token for their cookie, which is kept nowhere.

    An unknown name takes as long as a known one, and is answered in the same words.

    Raises:
        SignInRefused: name, password or code is wrong.
        CodeNeeded: the password is right, and a code is needed besides.
        RateLimited: there were too many tries under this name.
    """
    user = registry.users.find(shown.username)
    _begin_try(registry, shown.username, user)
    if not is_password(shown.password, None if user is None else user.password_hash):
        raise _refused("password")
    if user is None or user.disabled_at is not None:
        raise _refused("disabled")
    if user.has_second_factor:
        _require_code(registry, user, shown.code, _refused("code"))
    registry.sign_in_tries.clear(_name_sha256(user.username))
    return begin_session(
        registry, user.username, user.role, shown.address, shown.agent, shown.earlier
    )


def begin_session(
    registry: Registry, username: str, role: str, address: str, agent: str, earlier: str | None
) -> str:
    """Let somebody be signed in who has shown who they are; return the token for their cookie.

    The session of an `earlier` token, which that cookie held, ends.
    """
    token, now = secrets.token_urlsafe(TOKEN_BYTES), datetime.now(UTC)
    session_id = secrets.token_hex(8)
    begun = Session(session_id, username, role, now, now, address, agent[:MAX_AGENT])
    registry.sessions.begin(
        secret_sha256(token), begun, None if earlier is None else secret_sha256(earlier)
    )
    return token


def session_identity(registry: Registry, token: str) -> Identity:
    """Return who is signed in by the token of a cookie.

    Raises:
        Unauthorized: nobody is, any more.
    """
    session = registry.sessions.find(secret_sha256(token))
    if session is None:
        raise Unauthorized("The session has ended. Sign in again.", "session")
    return Identity(
        f"user:{session.username}",
        ROLES.get(session.role, frozenset()),
        "user",
        session.username,
        session.session_id,
        csrf_token(token),
    )


def csrf_token(token: str) -> str:
    """Return what the page sends besides the cookie, which other sites' pages cannot read."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


def _begin_try(registry: Registry, username: str, user: User | None) -> None:
    known = None if user is None else f"user:{user.username}"
    wait_s = registry.sign_in_tries.begin(_name_sha256(username), PATIENCE, known)
    if wait_s > 0:
        raise RateLimited("Too many tries under this name.", wait_s)


def _require_code(registry: Registry, user: User, code: str | None, refused: SignInRefused) -> None:
    if not code:
        raise CodeNeeded("A code is needed besides the password: from your authenticator app.")
    if not second_factor.is_code(registry, user, code):
        raise refused


def _refused(reason: str) -> SignInRefused:
    return SignInRefused("Name, password or code is wrong.", reason)


def _name_sha256(username: str) -> str:
    return secret_sha256(f"sign-in {username}")


def _link() -> tuple[Link, str]:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return Link(secret_sha256(token), datetime.now(UTC) + LINK_LASTS), token
