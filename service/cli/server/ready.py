"""`countersign ready`: whether the server of these settings can answer, for whoever watches it."""

from __future__ import annotations

import http.client
import ssl
from typing import TYPE_CHECKING

import click

from service.cli.failures import EXIT_NO
from service.cli.output import json_option, print_json, show

if TYPE_CHECKING:
    from service.settings import Settings

PATIENCE_S = 5.0
# Where a server listens on every address, it is asked on this machine's own.
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # Nobody listens here.


@click.command()
@json_option
@click.pass_context
def ready(ctx: click.Context, as_json: bool) -> None:
    """Ask the server on this machine whether it can answer.

    It is asked where the COUNTERSIGN_* variables say that it listens. The exit code is 0 if it
    can and 1 if not.

    \b
    Examples:
      countersign ready
      COUNTERSIGN_PORT=8080 countersign ready --json
    """
    from service.settings import read_settings

    status, reason = _asked(read_settings())
    if as_json:
        print_json({"ready": status == http.HTTPStatus.OK, "status": status, "reason": reason})
    else:
        show("The server is ready." if status == http.HTTPStatus.OK else f"Not ready: {reason}")
    if status != http.HTTPStatus.OK:
        ctx.exit(EXIT_NO)


def _asked(settings: Settings) -> tuple[int | None, str]:
    """Ask /readyz; return the status, if one came, and what is to be said of it."""
    host = EVERY_ADDRESS.get(settings.host, settings.host)
    connection: http.client.HTTPConnection
    if settings.tls_cert is None:
        connection = http.client.HTTPConnection(host, settings.port, timeout=PATIENCE_S)
    else:
        # It need not be named 127.0.0.1 in its certificate: nothing secret is said to it.
        anybody = ssl.create_default_context()
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            host, settings.port, timeout=PATIENCE_S, context=anybody
        )
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        return None, f"{settings.scheme}://{host}:{settings.port} does not answer ({error})."
    finally:
        connection.close()
    return answer.status, f"/readyz answers {answer.status}; the server's log says why."
