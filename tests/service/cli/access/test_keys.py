"""`countersign keys`: made and shown once, listed, rotated, revoked."""

import json

import pytest


@pytest.fixture
def made(registry, run):
    done = run("keys", "create", "teller", "--scopes", "verify,read", "--expires", "90d", "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_key_is_shown_once(made, run):
    assert made["key"].startswith(f"cs_{made['prefix']}_")
    assert made["scopes"] == ["verify", "read"]
    listed = run("keys", "list")
    assert made["prefix"] in listed.stdout
    assert made["key"].rsplit("_", 1)[1] not in listed.stdout
    [kept] = json.loads(run("keys", "list", "--json").stdout)["keys"]
    assert kept.keys() == made.keys() - {"key"}
    assert kept["state"] == "valid"


def test_a_narrow_terminal_breaks_no_prefix(registry, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    name = "the nightly import of the branch at the market place"
    made = run("keys", "create", name, "--scopes", "verify,identify,enroll,read", "--json")
    assert json.loads(made.stdout)["prefix"] in run("keys", "list").stdout


def test_stdout_holds_the_key_alone(registry, run):
    done = run("keys", "create", "teller", "--scopes", "verify")
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith("cs_")
    assert "this once" in done.stderr


def test_a_key_is_rotated_and_revoked(made, run):
    rotated = json.loads(run("keys", "rotate", made["prefix"], "--json").stdout)
    assert rotated["scopes"] == made["scopes"]
    assert run("keys", "revoke", rotated["prefix"]).exit_code == 0
    states = {
        one["prefix"]: (one["state"], one["replaced_by"])
        for one in json.loads(run("keys", "list", "--json").stdout)["keys"]
    }
    assert states[made["prefix"]] == ("valid", rotated["prefix"])
    assert states[rotated["prefix"]] == ("revoked", None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "x", "--scopes", "root"], "Expected scopes among verify"),
        (["create", "x", "--scopes", "read", "--expires", "soon"], "90d, 12h or 30m"),
        (["create", "", "--scopes", "read"], "Expected a name"),
        (["revoke", "nothing"], "There is no key 'nothing'"),
        (["rotate", "nothing"], "There is no key 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_said(registry, run, arguments, said):
    done = run("keys", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr


def test_an_empty_list_says_how_to_make_one(registry, run):
    assert "countersign keys create" in run("keys", "list").stdout
