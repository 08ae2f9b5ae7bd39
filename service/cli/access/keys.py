"""`countersign keys`: the keys of programs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from service.cli.failures import fail
from service.cli.output import json_option, note, print_json, show, table
from service.cli.session import caller, open_registry_alone

if TYPE_CHECKING:
    from index.registry.access.keys import Key


@click.group("keys")
def keys_group() -> None:
    """Make, list, rotate and revoke the keys that programs send.

    A key is shown once, when it is made; the registry keeps a hash. Running servers go by a change
    with their next request.

    \b
    Examples:
      countersign keys create "nightly import" --scopes enroll,read --expires 90d
      countersign keys list
      countersign keys rotate 5f0c93a1b2d4 --overlap 12h
      countersign keys revoke 5f0c93a1b2d4
    """


@keys_group.command()
@click.argument("name")
@click.option(
    "--scopes",
    required=True,
    metavar="SCOPE,...",
    help="verify, identify, enroll, read, review, audit, erase, metrics, admin.",
)
@click.option(
    "--expires", metavar="SPAN", help="How long it is of use: 90d, 12h, 30m; default: no end."
)
@json_option
def create(name: str, scopes: str, expires: str | None, as_json: bool) -> None:
    """Make a key for a program, NAME, and print it: this once.

    \b
    Examples:
      countersign keys create teller --scopes verify,read --expires 90d
      countersign keys create prometheus --scopes metrics --json | jq -r .key
    """
    from service.auth.keys import make_key, scopes_of

    with open_registry_alone() as (_, registry):
        made, text = make_key(registry, name, scopes_of(scopes), _span(expires), caller())
    _show_made(made, text, as_json)


@keys_group.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """Show the keys, oldest first; their secrets are kept nowhere.

    \b
    Examples:
      countersign keys list
      countersign keys list --json | jq '.keys[] | select(.state == "valid")'
    """
    with open_registry_alone() as (_, registry):
        every = registry.keys.all()
    if as_json:
        print_json({"keys": [_as_dict(key) for key in every]})
    elif not every:
        show("There are no keys. `countersign keys create NAME --scopes ...` makes one.")
    else:
        columns = ("Prefix", "Name", "Scopes", "State", "Expires", "Last used")
        show(table(columns, [_row(key) for key in every]))


@keys_group.command()
@click.argument("prefix")
@click.option("--expires", metavar="SPAN", help="How long the new key is of use; default: no end.")
@click.option(
    "--overlap",
    metavar="SPAN",
    default="1d",
    show_default=True,
    help="How long the old key goes on being of use.",
)
@json_option
def rotate(prefix: str, expires: str | None, overlap: str, as_json: bool) -> None:
    """Make a key in place of another, and print it: this once.

    It has the name and the scopes of the other one.

    \b
    Examples:
      countersign keys rotate 5f0c93a1b2d4 --overlap 12h
    """
    from service.auth.keys import duration_of, rotate_key

    with open_registry_alone() as (_, registry):
        old = registry.keys.find(prefix)
        if old is None:
            fail(f"There is no key {prefix!r}; `countersign keys list` shows those there are.")
        overlapping = duration_of(overlap)
        made, text = rotate_key(registry, old, _span(expires), overlapping, caller())
    _show_made(made, text, as_json)


@keys_group.command()
@click.argument("prefix")
@json_option
def revoke(prefix: str, as_json: bool) -> None:
    """Let a key be of no use any more.

    All servers on this registry refuse it from their next request on.

    \b
    Examples:
      countersign keys revoke 5f0c93a1b2d4
    """
    with open_registry_alone() as (_, registry):
        key = registry.keys.revoke(prefix, caller())
    if as_json:
        print_json(_as_dict(key))
    else:
        show(f"Revoked the key {prefix} ({key.name}).")


def _span(text: str | None) -> timedelta | None:
    from service.auth.keys import duration_of

    return None if text is None else duration_of(text)


def _show_made(key: Key, text: str, as_json: bool) -> None:
    if as_json:
        print_json(_as_dict(key) | {"key": text})
        return
    note("This is the key. It is shown this once and kept nowhere; store it now.")
    show(text)


def _as_dict(key: Key) -> dict[str, Any]:
    return {
        "prefix": key.prefix,
        "name": key.name,
        "scopes": list(key.scopes),
        "state": key.state(datetime.now(UTC)),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "replaced_by": key.replaced_by,
    }


def _row(key: Key) -> tuple[str, ...]:
    expires = "never" if key.expires_at is None else f"{key.expires_at:%Y-%m-%d %H:%M}"
    used = "never" if key.last_used_at is None else f"{key.last_used_at:%Y-%m-%d %H:%M}"
    state = key.state(datetime.now(UTC))
    return key.prefix, key.name, ",".join(key.scopes), state, expires, used
