"""`countersign keys`: the keys of programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from service.cli.output import json_option, note, print_json, show, table
from service.cli.places.choice import place, server_options

if TYPE_CHECKING:
    from service.client.answers import Key, MadeKey


@click.group("keys")
def keys_group() -> None:
    """Make, list, rotate and revoke the keys that programs send.

    A key is shown once, when it is made; the registry keeps a hash. Running servers go by a change
    with their next request. With --server, a key of scope admin is needed.

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
@server_options
@json_option
def create(name: str, scopes: str, expires: str | None, as_json: bool) -> None:
    """Make a key for a program, NAME, and print it: this once.

    \b
    Examples:
      countersign keys create teller --scopes verify,read --expires 90d
      countersign keys create prometheus --scopes metrics --json | jq -r .key
    """
    with place() as here_or_there:
        made = here_or_there.create_key(name, scopes, expires)
    _show_made(made, as_json)


@keys_group.command("list")
@server_options
@json_option
def list_keys(as_json: bool) -> None:
    """Show the keys, oldest first; their secrets are kept nowhere.

    \b
    Examples:
      countersign keys list
      countersign keys list --json | jq '.keys[] | select(.state == "valid")'
    """
    with place() as here_or_there:
        every = list(here_or_there.keys())
    if as_json:
        print_json({"keys": [key.raw for key in every]})
    elif not every:
        show("There are no keys. `countersign keys create NAME --scopes ...` makes one.")
    else:
        columns = ("Prefix", "Name", "Scopes", "State", "Expires", "Last used")
        show(table(columns, [_row(key) for key in every]))


@keys_group.command()
@click.argument("prefix")
@click.option(
    "--expires",
    metavar="SPAN",
    help="How long the new key is of use; default: as long as the old one was made for.",
)
@click.option(
    "--overlap",
    metavar="SPAN",
    default="1d",
    show_default=True,
    help="How long the old key goes on being of use.",
)
@server_options
@json_option
def rotate(prefix: str, expires: str | None, overlap: str, as_json: bool) -> None:
    """Make a key in place of another, and print it: this once.

    It has the name and the scopes of the other one.

    \b
    Examples:
      countersign keys rotate 5f0c93a1b2d4 --overlap 12h
    """
    with place() as here_or_there:
        made = here_or_there.rotate_key(prefix, expires, overlap)
    _show_made(made, as_json)


@keys_group.command()
@click.argument("prefix")
@server_options
@json_option
def revoke(prefix: str, as_json: bool) -> None:
    """Let a key be of no use any more.

    All servers on this registry refuse it from their next request on.

    \b
    Examples:
      countersign keys revoke 5f0c93a1b2d4
    """
    with place() as here_or_there:
        here_or_there.revoke_key(prefix)
    if as_json:
        print_json({"prefix": prefix, "revoked": True})
    else:
        show(f"Revoked the key {prefix}.")


def _show_made(made: MadeKey, as_json: bool) -> None:
    if as_json:
        print_json(made.raw)
        return
    note("This is the key. It is shown this once and kept nowhere; store it now.")
    show(str(made.key))


def _row(key: Key) -> tuple[str, ...]:
    expires = "never" if key.expires_at is None else f"{key.expires_at:%Y-%m-%d %H:%M}"
    used = "never" if key.last_used_at is None else f"{key.last_used_at:%Y-%m-%d %H:%M}"
    return key.prefix, key.name, ",".join(key.scopes), key.state, expires, used
