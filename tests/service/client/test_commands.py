"""What commands ask of a server, and what they make of answers that are hard to come by."""

import json
import os

import pytest
from click.testing import CliRunner

from service.cli import main

DECISION = {
    "decision_id": "5f3c",
    "decided_at": "2026-01-31T12:00:00Z",
    "kind": "verify",
    "verdict": "inconclusive",
    "writer_id": "C-1",
    "score": -0.25,
    "caller": "key:ab12",
    "state": "whole",
}
REPLAY = {"decision_id": "5f3c", "outcome": "equal", "differences": [], "reasons": []}
NEW_KEY = {
    "prefix": "ab12",
    "name": "till",
    "scopes": ["verify", "read"],
    "state": "valid",
    "created_at": "2026-01-31T12:00:00Z",
    "expires_at": "2026-05-01T12:00:00Z",
    "last_used_at": None,
    "replaced_by": None,
    "key": "cs_ab12_secret",
}


@pytest.fixture
def run(server, tmp_path, monkeypatch):
    """Run a command by the scripted server."""
    for name in os.environ:
        if name.startswith("COUNTERSIGN_"):
            monkeypatch.delenv(name)
    key = tmp_path / "key"
    key.write_text("cs_a_b\n")

    def invoke(*arguments):
        options = ["--server", server.address, "--key", str(key)]
        return CliRunner().invoke(main, [*arguments, *options], catch_exceptions=False)

    return invoke


def test_decisions_are_listed(server, run):
    server.say({"decisions": [DECISION] * 3, "next_cursor": "more"})
    done = run("decisions", "list", "--writer", "C-1", "--from", "2026-01-01", "--limit", "2")
    assert done.exit_code == 0, done.output
    assert done.stdout.count("inconclusive") == 2
    assert "-0.250" in done.stdout
    (asked,) = server.asked
    assert asked[1] == "/v1/decisions?writer_id=C-1&limit=2&from=2026-01-01T00%3A00%3A00%2B00%3A00"
    assert server.seen[0].headers["authorization"] == "Bearer cs_a_b"
    server.say({"decisions": [DECISION], "next_cursor": None})
    done = run("decisions", "list", "--unreviewed", "--json")
    assert json.loads(done.stdout) == {"decisions": [DECISION]}
    assert "reviewed=false" in server.asked[-1][1]


def test_the_option_goes_before_the_key_of_the_environment(server, run, monkeypatch):
    monkeypatch.setenv("COUNTERSIGN_KEY", "cs_of_environment")
    server.say({"keys": []})
    assert run("keys", "list").exit_code == 0
    assert server.seen[0].headers["authorization"] == "Bearer cs_a_b"


def test_a_replay_says_what_differs_and_what_is_gone(server, run):
    differs = {"what": "score", "recorded": 0.71, "now": 0.69}
    server.say(REPLAY | {"outcome": "different", "differences": [differs]})
    done = run("decisions", "replay", "5f3c")
    assert done.exit_code == 1
    assert all(word in done.stdout for word in ("score", "0.71", "0.69"))
    server.say(REPLAY | {"outcome": "impossible", "reasons": ["Reference 7 was erased since."]})
    done = run("decisions", "replay", "5f3c")
    assert (done.exit_code, "Reference 7 was erased since." in done.stdout) == (3, True)
    done = run("decisions", "replay", "5f3c", "--json")
    assert (done.exit_code, json.loads(done.stdout)["outcome"]) == (3, "impossible")


def test_a_key_is_asked_for_and_shown_once(server, run):
    server.say((201, NEW_KEY, {}))
    done = run("keys", "create", "till", "--scopes", "verify, read", "--expires", "90d")
    assert (done.exit_code, done.stdout) == (0, "cs_ab12_secret\n")
    assert "shown this once" in done.stderr
    assert json.loads(server.seen[0].body) == {
        "name": "till",
        "scopes": ["verify", "read"],
        "expires_in": "90d",
    }
    done = run("keys", "rotate", "ab12", "--overlap", "12h", "--json")
    assert json.loads(done.stdout) == NEW_KEY
    assert json.loads(server.seen[1].body) == {"overlap": "12h"}


def test_keys_are_listed_without_secrets(server, run):
    server.say({"keys": [{name: one for name, one in NEW_KEY.items() if name != "key"}]})
    done = run("keys", "list")
    assert "2026-05-01" in done.stdout
    server.say((204, b"", {}))
    assert run("keys", "revoke", "ab12").exit_code == 0
    assert server.asked[-1] == ("DELETE", "/v1/keys/ab12")


def test_an_erasure_says_what_a_hold_keeps(server, run):
    held = {"decision_id": "5f3c", "reason": "12 O 34/26", "held_until": "2029-05-04T00:00:00Z"}
    server.say({"held": [held]})
    done = run("writers", "erase", "C-1", "--yes")
    assert (done.exit_code, done.stdout) == (0, "C-1 is erased.\n")
    assert "Decision 5f3c is held until 2029-05-04" in done.stderr
    assert "12 O 34/26" in done.stderr
    assert json.loads(run("writers", "erase", "C-1", "--yes", "--json").stdout)["held"] == [held]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ((401, "unauthorized", {}), "--key FILE"),
        ((403, "missing-scope", {"scope": "read"}), "detail of missing-scope"),
        ((429, "rate-limited", {"retry_after": 3000}), "Try again in 3000 seconds"),
        ((404, "unknown-decision", {}), "detail of unknown-decision"),
    ],
)
def test_what_a_server_refuses_ends_in_2(server, run, problem, said, words):
    status, code, members = said
    server.say(problem(status, code, **members))
    done = run("decisions", "show", "5f3c")
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in done.stderr
    told = json.loads(run("decisions", "show", "5f3c", "--json").stderr)
    assert (told["status"], told["code"], told["instance"]) == (status, code, "urn:uuid:1")
    assert "cs_a_b" not in done.stderr
