"""Keys, users, sessions, tries and counts are kept alike by both databases."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from index.errors import UnknownKey, UnknownSession, UnknownUser, UserExists
from index.registry.access.keys import NewKey
from index.registry.access.rate_counts import Count
from index.registry.access.sessions import Patience, Session
from index.registry.access.users import Link

PATIENCE = Patience(free=1, locked=3, lock_s=60.0)


def test_keys(registry):
    in_a_day = datetime.now(UTC) + timedelta(days=1)
    made = registry.keys.create(NewKey("p1", "a" * 64, "x", ["read"], in_a_day), "test")
    assert (made.scopes, made.expires_at, made.last_used_at) == (("read",), in_a_day, None)
    registry.keys.note_use(made, datetime.now(UTC))
    assert registry.keys.find("p1").last_used_at is not None
    new = NewKey("p2", "b" * 64, "x", ["read"], None)
    registry.keys.rotate("p1", new, datetime.now(UTC) + timedelta(hours=1), "test")
    assert [one.prefix for one in registry.keys.all()] == ["p1", "p2"]
    assert registry.keys.revoke("p2", "test").state(datetime.now(UTC)) == "revoked"
    with pytest.raises(UnknownKey):
        registry.keys.revoke("p3", "test")


def test_users_and_their_sessions(registry):
    link = Link("c" * 64, datetime.now(UTC) + timedelta(hours=1))
    registry.users.add("ada", "clerk", link, "test")
    with pytest.raises(UserExists):
        registry.users.add("ada", "clerk", None, "test")
    assert registry.users.set_password_by_link("c" * 64, "hash").state == "active"
    assert registry.users.set_password_by_link("c" * 64, "hash") is None
    registry.users.confirm_second_factor("ada", 7, ["d" * 64], "none")
    assert [registry.users.take_step("ada", step) for step in (7, 8, 8)] == [False, True, False]
    taken = [registry.users.take_recovery("ada", "d" * 64) for _ in range(2)]
    assert taken == [True, False]
    now = datetime.now(UTC)
    session = Session("s1", "ada", "clerk", now, now, "::1", "agent")
    registry.sessions.begin("e" * 64, session)
    assert registry.sessions.find("e" * 64) == session
    with pytest.raises(UnknownSession):
        registry.sessions.end("ada", "s2", "test")
    registry.users.disable("ada", "test")
    assert registry.sessions.of_user("ada") == []
    with pytest.raises(UnknownUser):
        registry.users.set_role("ben", "clerk", "test")


def test_tries(registry):
    tries = registry.sign_in_tries
    assert tries.begin("n", PATIENCE, "user:ada") == 0.0
    assert 0 < tries.begin("n", PATIENCE, "user:ada") <= 1
    tries.clear("n")
    assert tries.begin("n", PATIENCE, "user:ada") == 0.0


def test_counts(registry):
    ends = time.time() + 60
    registry.rate_counts.add({"f" * 64: Count(3, ends)})
    assert registry.rate_counts.add({"f" * 64: Count(4, ends + 9)})["f" * 64] == Count(7, ends)
    assert registry.rate_counts.get("f" * 64) == Count(7, ends)
    assert registry.rate_counts.get("0" * 64) is None
