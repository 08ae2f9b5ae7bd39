"""`countersign users`: the people who sign in on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from service.cli.failures import fail
from service.cli.output import json_option, note, print_json, show, table
from service.cli.session import caller, open_registry_alone

if TYPE_CHECKING:
    from index.registry.access.sessions import Session
    from index.registry.access.users import User
    from service.settings import Settings

ROLE = click.Choice(["clerk", "reviewer", "auditor", "admin"])


@click.group("users")
def users_group() -> None:
    """Add, list and change the people who sign in on the page.

    Nobody types a password here: a person sets it by a link that is of use once, for a day.
    Running servers go by a change with their next request.

    \b
    Examples:
      countersign users add ada --role clerk
      countersign users list
      countersign users role ada reviewer
      countersign users reset ada
      countersign users disable ada
    """


@users_group.command()
@click.argument("username", metavar="NAME")
@click.option("--role", required=True, type=ROLE, help="What they may do.")
@click.option("--address", metavar="URL", help="Where they reach the server; for the link.")
@json_option
def add(username: str, role: str, address: str | None, as_json: bool) -> None:
    """Add a person, and print a one-time link to set a password.

    \b
    Examples:
      countersign users add ada --role clerk --address https://countersign.example
    """
    from service.auth.people import add_user

    with open_registry_alone() as (settings, registry):
        user, token = add_user(registry, username, role, caller())
    _show_link(user, _link(settings, address, token), as_json)


@users_group.command("list")
@json_option
def list_users(as_json: bool) -> None:
    """Show the people who may sign in, and who no longer may.

    \b
    Examples:
      countersign users list
      countersign users list --json | jq '.users[] | select(.role == "admin")'
    """
    with open_registry_alone() as (_, registry):
        every = registry.users.all()
    if as_json:
        print_json({"users": [_as_dict(user) for user in every]})
    elif not every:
        show("There are no users. `countersign users add NAME --role admin` adds one.")
    else:
        columns = ("Name", "Role", "State", "Second factor", "Added")
        rows = [
            (
                user.username,
                user.role,
                user.state,
                "yes" if user.has_second_factor else "no",
                f"{user.created_at:%Y-%m-%d}",
            )
            for user in every
        ]
        show(table(columns, rows))


@users_group.command()
@click.argument("username", metavar="NAME")
@json_option
def disable(username: str, as_json: bool) -> None:
    """Let a person sign in no more, and end their sessions.

    \b
    Examples:
      countersign users disable ada
    """
    with open_registry_alone() as (_, registry):
        user = registry.users.disable(username, caller())
    _show_user(user, f"{username} can sign in no more.", as_json)


@users_group.command()
@click.argument("username", metavar="NAME")
@click.option("--address", metavar="URL", help="Where they reach the server; for the link.")
@json_option
def reset(username: str, address: str | None, as_json: bool) -> None:
    """Take a password and second factor; print a new one-time link.

    Ends the person's sessions, and unlocks them if they were locked or disabled.

    \b
    Examples:
      countersign users reset ada --address https://countersign.example
    """
    from service.auth.people import reset_user

    with open_registry_alone() as (settings, registry):
        user, token = reset_user(registry, username, caller())
    _show_link(user, _link(settings, address, token), as_json)


@users_group.command()
@click.argument("username", metavar="NAME")
@click.argument("role", metavar="ROLE", type=ROLE)
@json_option
def role(username: str, role: str, as_json: bool) -> None:
    """Give a person another role.

    ROLE is clerk, reviewer, auditor or admin.

    \b
    Examples:
      countersign users role ada reviewer
    """
    with open_registry_alone() as (_, registry):
        user = registry.users.set_role(username, role, caller())
    _show_user(user, f"{username} is a {role} now.", as_json)


@users_group.command()
@click.argument("username", metavar="NAME")
@click.option("--end", metavar="SESSION", help="End this session; 'all' ends every one.")
@json_option
def sessions(username: str, end: str | None, as_json: bool) -> None:
    """Show where a person is signed in, or end it.

    \b
    Examples:
      countersign users sessions ada
      countersign users sessions ada --end all
    """
    with open_registry_alone() as (_, registry):
        if registry.users.find(username) is None:
            fail(f"There is no user {username!r}; `countersign users list` shows those there are.")
        held = registry.sessions.of_user(username)
        ending = [one.session_id for one in held] if end == "all" else [end] if end else []
        for session_id in ending:
            registry.sessions.end(username, session_id, caller())
        left = registry.sessions.of_user(username)
    _show_sessions(username, left, as_json)


def _show_sessions(username: str, held: list[Session], as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "sessions": [
                    {
                        "session_id": one.session_id,
                        "created_at": one.created_at,
                        "seen_at": one.seen_at,
                        "address": one.address,
                        "agent": one.agent,
                    }
                    for one in held
                ]
            }
        )
    elif not held:
        show(f"{username} is signed in nowhere.")
    else:
        rows = [
            (one.session_id, f"{one.created_at:%Y-%m-%d %H:%M}", one.address, one.agent)
            for one in held
        ]
        show(table(("Session", "Since", "From", "With"), rows))


def _link(settings: Settings, address: str | None, token: str) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = address or f"http://{host}:{settings.port}"
    return f"{base.rstrip('/')}/set-password#{token}"


def _show_link(user: User, link: str, as_json: bool) -> None:
    if as_json:
        print_json(_as_dict(user) | {"link": link})
        return
    note(f"Give {user.username} this link. It sets a password once, within a day.")
    show(link)


def _show_user(user: User, words: str, as_json: bool) -> None:
    if as_json:
        print_json(_as_dict(user))
    else:
        show(words)


def _as_dict(user: User) -> dict[str, Any]:
    return {
        "username": user.username,
        "role": user.role,
        "state": user.state,
        "second_factor": user.has_second_factor,
        "created_at": user.created_at,
        "link_expires_at": user.link_expires_at,
    }
