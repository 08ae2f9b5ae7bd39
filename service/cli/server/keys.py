"""`countersign keys`: the keys by which programs are known to a server."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from service.cli.output import json_option, note, print_json, show, table
from service.cli.places.choice import server, server_options

if TYPE_CHECKING:
    from service.client.answers import NewKey


class Days(click.ParamType[timedelta]):
    """A number of days, such as `90d`."""

    name = "days"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Read the number.

        Raises:
            BadParameter: it is none.
        """
        if isinstance(value, timedelta):
            return value
        number = str(value).removesuffix("d")
        if not (number.isascii() and number.isdigit() and 0 < int(number[:6]) <= MOST_DAYS):
            self.fail(f"expected a number of days such as 90d; {value!r} came.", param, ctx)
        return timedelta(days=int(number))


MOST_DAYS = 3650


@click.group("keys")
def keys_group() -> None:
    """List, create, rotate and revoke the keys of programs.

    These ask a server, with a key of scope admin: name it with --server or COUNTERSIGN_SERVER.

    \b
    Examples:
      countersign keys list --server https://cs.example --key admin.key
      countersign keys create till --scopes verify,identify --expires 90d
    """


@keys_group.command("list")
@server_options
@json_option
def list_keys(as_json: bool) -> None:
    """List the keys, without their secrets.

    \b
    Examples:
      countersign keys list
      countersign keys list --json
    """
    with server() as there:
        found = list(there.client.keys())
    if as_json:
        print_json({"keys": [one.raw for one in found]})
        return
    rows = [
        (
            *(one.prefix, one.name, ", ".join(one.scopes)),
            *(_day(one.expires_at), _day(one.last_used_at), _day(one.revoked_at)),
        )
        for one in found
    ]
    show(table(("key", "name", "scopes", "expires", "last used", "revoked"), rows))


@keys_group.command("create")
@click.argument("name")
@click.option(
    "--scopes", metavar="SCOPE,...", required=True, help="What it may do: verify,identify,..."
)
@click.option("--expires", metavar="DAYS", type=Days(), help="When it ends, such as 90d.")
@server_options
@json_option
def create_key(name: str, scopes: str, expires: timedelta | None, as_json: bool) -> None:
    """Make a key called NAME; it is shown this once.

    \b
    Examples:
      countersign keys create till --scopes verify,identify --expires 90d
      countersign keys create audit --scopes read,audit --json
    """
    wanted = [one.strip() for one in scopes.split(",") if one.strip()]
    with server() as there:
        made = there.client.create_key(name, wanted, expires=expires)
    _show_new(made, as_json=as_json)


@keys_group.command("rotate")
@click.argument("prefix")
@server_options
@json_option
def rotate_key(prefix: str, as_json: bool) -> None:
    """Make a key in the place of another, which goes on for a while.

    PREFIX is the other's, between its first two underscores.

    \b
    Examples:
      countersign keys rotate ab12cd34
    """
    with server() as there:
        made = there.client.rotate_key(prefix)
    _show_new(made, as_json=as_json)


@keys_group.command("revoke")
@click.argument("prefix")
@server_options
@json_option
def revoke_key(prefix: str, as_json: bool) -> None:
    """Revoke the key with PREFIX at once.

    \b
    Examples:
      countersign keys revoke ab12cd34
    """
    with server() as there:
        there.client.revoke_key(prefix)
    if as_json:
        print_json({"prefix": prefix, "revoked": True})
        return
    show(f"The key {prefix} is revoked.")


def _show_new(made: NewKey, *, as_json: bool) -> None:
    if as_json:
        print_json(made.raw)
        return
    note("This key is shown this once. Keep it in a file that only its program can read.")
    show(made.key)


def _day(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d}"
