"""What fails for the moment is sent again: how often, when, and as the same request."""

import re
import socket
import time
from datetime import UTC, datetime
from uuid import UUID

import pytest

from service.client import Retries
from service.client.errors import (
    Conflict,
    NoAnswer,
    RateLimited,
    ServerFailed,
    TimedOut,
    Unavailable,
    UnknownWriter,
)
from service.client.requests import retry_after_s

from .conftest import DROP, QUICK

IDENTIFIED = {
    "verdict": "not_enrolled",
    "candidates": [],
    "threshold": 0.5,
    "gallery_size": 0,
    "quality": {"ink_height_px": 1, "ink_width_px": 1, "ink_fraction": 0.1, "contrast": 9},
    "model": {"name": "lean", "id": "ab", "rule": "cd"},
}


def keys_sent(server):
    return [one.headers.get("idempotency-key") for one in server.seen]


def test_every_attempt_has_the_same_key_and_the_same_fields(server, asker, problem):
    server.say(DROP, problem(503, "overloaded"), IDENTIFIED)
    with asker(server.address) as client:
        assert client.ask("identify", b"image", top=3).verdict == "not_enrolled"
        client.ask("identify", b"image", top=3)
    first, second, third, other = keys_sent(server)
    assert first == second == third != other
    assert UUID(first).version == UUID(other).version == 4
    bodies = [one.body for one in server.seen[:3]]
    for name in (b'name="top"', b"image"):
        assert all(name in body for body in bodies)


def test_only_posts_have_an_idempotency_key(server, asker):
    server.say((204, b"", {}))
    with asker(server.address) as client:
        client.ask("erase_writer", "C-1")
    assert keys_sent(server) == [None]


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (503, "overloaded", Unavailable),
        (429, "rate-limited", RateLimited),
        (409, "idempotency-in-progress", Conflict),
    ],
)
def test_attempts_are_bounded(server, asker, problem, status, code, error):
    server.say(problem(status, code))
    with asker(server.address) as client, pytest.raises(error):
        client.ask("about")
    assert len(server.seen) == QUICK.attempts


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "internal-error"), (409, "writer-exists"), (422, "invalid-input"), (507, "disk-full")],
)
def test_what_stays_so_is_not_sent_again(server, asker, problem, status, code):
    server.say(problem(status, code))
    with asker(server.address) as client, pytest.raises((ServerFailed, Exception), match=code):
        client.ask("about")
    assert len(server.seen) == 1


def test_a_server_that_is_not_there_is_tried_and_told(asker):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # And does not listen.
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with asker(address) as client, pytest.raises(NoAnswer, match=re.escape(address)) as raised:
            client.ask("about")
    assert not raised.value.sent


def test_a_server_that_says_nothing_times_out(asker):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        options = {"timeout_s": 0.2, "retries": Retries(attempts=1)}
        begun = time.monotonic()
        with asker(address, **options) as client, pytest.raises(TimedOut) as raised:
            client.ask("about")
        assert time.monotonic() - begun < 5
    assert raised.value.sent


def test_the_server_says_when_to_come_back(server, asker, problem):
    server.say(problem(429, "rate-limited", retry_after=1), IDENTIFIED)
    with asker(server.address, retries=Retries(attempts=2, first_wait_s=0)) as client:
        begun = time.monotonic()
        client.ask("identify", b"image")
        waited_s = time.monotonic() - begun
    assert 1 <= waited_s < 3


def test_a_wait_that_is_too_long_is_the_callers_affair(server, asker, problem):
    server.say(problem(429, "rate-limited", retry_after=3600))
    with asker(server.address) as client, pytest.raises(RateLimited) as raised:
        client.ask("about")
    assert raised.value.retry_after_s == 3600
    assert len(server.seen) == 1


def test_what_was_erased_before_the_connection_broke_is_erased(server, asker, problem):
    server.say(DROP, problem(404, "unknown-writer"))
    with asker(server.address) as client:
        assert client.ask("erase_writer", "C-1") == ()
        # Nobody erased this one: no answer was lost.
        with pytest.raises(UnknownWriter):
            client.ask("erase_writer", "C-1")


def test_a_broken_connection_excuses_no_lookup(server, asker, problem):
    server.say(DROP, problem(404, "unknown-writer"))
    with asker(server.address) as client, pytest.raises(UnknownWriter):
        client.ask("writer", "C-1")


def test_a_body_is_asked_for_again_until_it_begins(server, asker, problem):
    server.say(DROP, problem(503, "overloaded"), (200, b"png", {"Content-Type": "image/png"}))
    with asker(server.address) as client:
        assert client.fetch("decision_image", "5f") == ("image/png", [b"png"])
        server.say(problem(404, "unknown-writer"))
        with pytest.raises(UnknownWriter):
            client.fetch("decision_image", "5f")
    assert len(server.seen) == 4


def test_a_body_that_breaks_off_is_told(server, asker):
    server.say((200, b"", {"Content-Type": "image/png", "Content-Length": "9"}))
    with asker(server.address) as client, pytest.raises(NoAnswer):
        client.fetch("decision_image", "5f")


def test_waits_grow_and_are_spread_and_bounded():
    policy = Retries(attempts=9, first_wait_s=1, longest_wait_s=4)
    broken = NoAnswer("gone")
    for attempt, most in ((1, 1), (2, 2), (3, 4), (8, 4)):
        waits = [policy.wait_s(attempt, broken) for _ in range(200)]
        assert 0 <= min(waits) < most / 4
        assert most * 3 / 4 < max(waits) <= most
    assert policy.wait_s(9, broken) is None
    assert Retries(attempts=1).wait_s(1, broken) is None


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7),
        (" 0 ", 0),
        ("Sat, 31 Jan 2026 12:00:30 GMT", 30),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("", None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(said, seconds):
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert retry_after_s({"retry-after": said}, now) == seconds
