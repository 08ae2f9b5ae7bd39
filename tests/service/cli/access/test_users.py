"""`countersign users`: a link once, roles, states, sessions."""

import json

import pytest

from index.registry.registry import Registry
from service.auth.people import begin_session, set_password_by_link
from service.settings import read_settings


@pytest.fixture
def ada(registry, run):
    done = run("users", "add", "ada", "--role", "clerk", "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def kept(registry, data_dir):
    kept = Registry(f"sqlite:///{data_dir}/registry.db")
    yield kept
    kept.close()


def users(run):
    return {
        one["username"]: one for one in json.loads(run("users", "list", "--json").stdout)["users"]
    }


def test_a_person_is_added_by_a_link_that_sets_a_password_once(ada, run, kept):
    assert ada["state"] == "invited"
    address, _, token = ada["link"].partition("#")
    assert address == f"http://127.0.0.1:{read_settings({}).port}/set-password"
    set_password_by_link(kept, token, "correct horse battery")
    assert users(run)["ada"]["state"] == "active"
    assert token not in run("users", "list").stdout


def test_the_link_leads_where_people_reach_the_server(registry, run):
    done = run("users", "add", "ben", "--role", "auditor", "--address", "https://sign.example/")
    assert done.stdout.startswith("https://sign.example/set-password#")
    assert done.stdout.count("\n") == 1


def test_roles_change_and_people_are_disabled_and_reset(ada, run):
    assert run("users", "role", "ada", "admin").exit_code == 0
    assert users(run)["ada"]["role"] == "admin"
    assert run("users", "disable", "ada").exit_code == 0
    assert users(run)["ada"]["state"] == "disabled"
    again = json.loads(run("users", "reset", "ada", "--json").stdout)
    assert (again["state"], again["link"] != ada["link"]) == ("invited", True)


def test_sessions_are_shown_and_ended(ada, run, kept):
    for _ in range(3):
        begin_session(kept, "ada", "clerk", "192.0.2.7", "Firefox", None)
    shown = json.loads(run("users", "sessions", "ada", "--json").stdout)["sessions"]
    assert len(shown) == 3
    assert "192.0.2.7" in run("users", "sessions", "ada").stdout
    done = run("users", "sessions", "ada", "--end", shown[0]["session_id"], "--json")
    assert len(json.loads(done.stdout)["sessions"]) == 2
    assert "signed in nowhere" in run("users", "sessions", "ada", "--end", "all").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "Ada Lovelace", "--role", "clerk"], "expected a user name"),
        (["add", "ada", "--role", "clerk"], "There is a user 'ada' already"),
        (["add", "ben", "--role", "king"], "king"),
        (["role", "nobody", "clerk"], "There is no user 'nobody'"),
        (["disable", "nobody"], "There is no user 'nobody'"),
        (["reset", "nobody"], "There is no user 'nobody'"),
        (["sessions", "nobody"], "There is no user 'nobody'"),
        (["sessions", "ada", "--end", "nothing"], "There is no session 'nothing'"),
    ],
)
def test_what_cannot_be_done_is_said(ada, run, arguments, said):
    done = run("users", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
