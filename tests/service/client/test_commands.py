"""Commands that only a server can carry out, against answers of the contract's shapes."""

import json
import os

import pytest
from click.testing import CliRunner

from service.cli import main

DECISION = {
    "decision_id": "5f3c",
    "kind": "verify",
    "verdict": "inconclusive",
    "created_at": "2026-01-31T12:00:00Z",
    "writer_id": "C-1",
    "caller": "key:ab12",
    "score": -0.25,
}
NEW_KEY = {"prefix": "ab12", "name": "till", "scopes": ["verify", "read"], "key": "cs_ab12_secret"}


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


def test_a_decision_is_shown(server, run):
    server.say(DECISION)
    assert "key:ab12" in run("decisions", "show", "5f3c").stdout
    assert json.loads(run("decisions", "show", "5f3c", "--json").stdout) == DECISION


def test_a_replay_says_whether_all_is_equal(server, run):
    server.say({"equal": True})
    done = run("decisions", "replay", "5f3c")
    assert (done.exit_code, "the same again" in done.stdout) == (0, True)
    server.say({"equal": False, "reason": "The model was switched."})
    done = run("decisions", "replay", "5f3c")
    assert done.exit_code == 1
    assert "The model was switched." in done.stdout
    done = run("decisions", "replay", "5f3c", "--json")
    assert (done.exit_code, json.loads(done.stdout)["equal"]) == (1, False)


def test_a_key_is_made_and_shown_once(server, run):
    server.say((201, NEW_KEY, {}))
    done = run("keys", "create", "till", "--scopes", "verify, read", "--expires", "90d")
    assert (done.exit_code, done.stdout) == (0, "cs_ab12_secret\n")
    assert "shown this once" in done.stderr
    assert json.loads(server.seen[0].body) == {
        "name": "till",
        "scopes": ["verify", "read"],
        "expires_in_days": 90,
    }
    done = run("keys", "rotate", "ab12", "--json")
    assert json.loads(done.stdout) == NEW_KEY


def test_keys_are_listed_and_revoked(server, run):
    server.say({"keys": [{**NEW_KEY, "expires_at": "2026-05-01T12:00:00Z"}]})
    done = run("keys", "list")
    assert "2026-05-01" in done.stdout
    assert "secret" not in done.stdout
    server.say((204, b"", {}))
    assert run("keys", "revoke", "ab12").exit_code == 0
    assert server.asked[-1] == ("DELETE", "/v1/keys/ab12")


@pytest.mark.parametrize("days", ["", "d", "0d", "-1", "1.5", "3651", "9999999999", "²"])
def test_an_end_that_is_no_number_of_days_is_refused(server, run, days):
    done = run("keys", "create", "till", "--scopes", "verify", "--expires", days)
    assert done.exit_code == 2
    assert "a number of days" in done.stderr
    assert server.seen == []


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
