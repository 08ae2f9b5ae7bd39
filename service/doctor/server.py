"""Checks of a running server: does it answer, and is it ready?"""

import http.client
import ipaddress
import json
import ssl
from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from pathlib import Path

from service.doctor.finding import Finding, Installation, failure, ok, warning

TIMEOUT_S = 5.0
_TOLD_BYTES = 2**16


def server(installation: Installation) -> Iterator[Finding]:
    """Does a server answer at the address of the settings, and is it ready?"""
    settings = installation.settings
    place = f"{settings.host} port {settings.port}"
    try:
        status, told = _ask(settings.host, settings.port, settings.tls_cert)
    except TimeoutError:
        remedy = "Look into its log, and start it again; it replaces processes that hang itself."
        yield failure("server", f"it does not answer in {TIMEOUT_S:.0f} s at {place}", remedy)
    except (OSError, http.client.HTTPException) as error:
        said = f"none answers at {place} ({error})"
        yield warning("server", said, "Start it with `countersign serve`, if it should run.")
    else:
        if status == HTTPStatus.OK:
            yield ok("server", f"it is ready at {place}")
        else:
            said = f"it answers {status} at {place}: {_detail(told)}"
            yield failure("server", said, "Do what it says; its log has more.")


def _ask(host: str, port: int, certificate: Path | None) -> tuple[int, bytes]:
    # What listens on every address answers on loopback too.
    reached = "127.0.0.1" if _is_unspecified(host) else host
    connection: http.client.HTTPConnection
    if certificate is None:
        connection = http.client.HTTPConnection(reached, port, timeout=TIMEOUT_S)
    else:
        # Its own certificate is all that it can have here, whatever names are in it.
        context = ssl.create_default_context(cafile=str(certificate))
        context.check_hostname = False
        connection = http.client.HTTPSConnection(reached, port, timeout=TIMEOUT_S, context=context)
    with closing(connection):
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read(_TOLD_BYTES)


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _detail(told: bytes) -> str:
    try:
        return str(json.loads(told)["detail"])
    except (ValueError, KeyError, TypeError):
        return "no answer of Countersign's; another program may listen there"
