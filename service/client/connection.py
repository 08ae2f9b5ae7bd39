"""What both clients share in sending: address, key and timeouts, and httpx's errors as ours."""

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from service.client.errors import ClientError, Misconfigured, NoAnswer, TimedOut, UnexpectedAnswer
from service.client.requests import ANY, Request, Response

KEY_VARIABLE = "COUNTERSIGN_KEY"
KEY_FILE_VARIABLE = "COUNTERSIGN_KEY_FILE"
CONNECT_TIMEOUT_S = 5.0
TIMEOUT_S = 60.0
# A request that failed so never left.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@dataclass(frozen=True)
class Connection:
    """Where a client sends, and as whom.

    Attributes:
        server: the server's address, without a slash at its end.
        key: sent as a bearer token; None where the server asks nobody for one.
        timeout_s: for each part of an answer to come; connecting has 5 s.
    """

    server: str
    key: str | None = field(default=None, repr=False)
    timeout_s: float = TIMEOUT_S

    @classmethod
    def of(
        cls,
        server: str,
        key: str | None = None,
        key_file: str | Path | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> "Connection":
        """Check what a client was given, and find its key.

        Raises:
            Misconfigured: naming what cannot be used.
        """
        return cls(checked_address(server), find_key(key, key_file), timeout_s)

    def options(self) -> dict[str, Any]:
        """Return what httpx's clients are made with; none follows a redirect with the key."""
        headers = {"User-Agent": USER_AGENT}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        return {
            "base_url": self.server,
            "headers": headers,
            "timeout": httpx.Timeout(
                self.timeout_s, connect=min(CONNECT_TIMEOUT_S, self.timeout_s)
            ),
            "follow_redirects": False,
        }


def checked_address(server: str) -> str:
    """Return a server's address without a slash at its end.

    Raises:
        Misconfigured: it is no address of a server.
    """
    expected = "Expected the address of a server, such as https://countersign.example"
    try:
        parts = urlsplit(server)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
    except ValueError:
        usable = False
        parts = urlsplit("")
    if parts.username or parts.password:
        # It holds a password, so it is not repeated.
        raise Misconfigured(f"{expected}; what came names a user. A key goes into a file.")
    if not usable or parts.query or parts.fragment:
        raise Misconfigured(f"{expected}; {server[:200]!r} came.")
    return server.rstrip("/")


def find_key(
    key: str | None = None,
    key_file: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> str | None:
    """Return the key given, that in the file given, or what the environment names; else None.

    Raises:
        Misconfigured: the file cannot be read, or what was found cannot be a key.
    """
    environ = os.environ if environ is None else environ
    if key is None and key_file is None:
        key = environ.get(KEY_VARIABLE) or None
        key_file = environ.get(KEY_FILE_VARIABLE) or None
    if key is None:
        if key_file is None:
            return None
        key = _read_key(Path(key_file))
    key = key.strip()
    # Neither a header nor a message may come to hold anything else.
    if not key or not all("!" <= one <= "~" for one in key):
        raise Misconfigured(
            "Expected a key like cs_<prefix>_<secret>, of visible ASCII characters; what came is "
            "none. It is not repeated here."
        )
    return key


def _read_key(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Misconfigured(f"The key file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Misconfigured(
            f"The key file {path} holds no text. Expected a file with the key and nothing else."
        ) from error


def sent_form(request: Request) -> dict[str, Any]:
    """Return a request as httpx's `build_request` takes it."""
    sent: dict[str, Any] = {"method": request.method, "url": request.path}
    if request.query:
        sent["params"] = list(request.query)
    if request.images:
        sent["files"] = [
            # A part with a name of a file is one; a file without a name would be text.
            (name, (image.filename or "image", image.data, ANY))
            for name, image in request.images
        ]
        fields: dict[str, list[str]] = {}
        for name, text in request.fields:
            fields.setdefault(name, []).append(text)
        sent["data"] = fields
    elif request.body is not None:
        sent["json"] = request.body
    return sent | {"headers": dict(request.headers)}


def response_of(came: httpx.Response, body: bytes) -> Response:
    """Return an answer of httpx's as a value."""
    headers = {name.lower(): value for name, value in came.headers.items()}
    return Response(came.status_code, headers, body)


@contextmanager
def errors_as_ours(server: str) -> Iterator[None]:
    """Raise httpx's errors as this package's.

    Raises:
        ClientError: for whatever httpx raises.
    """
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise error_of(error, server) from error


def error_of(error: Exception, server: str) -> ClientError:
    """Return the error of ours for one of httpx's."""
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(
            f"{server} did not answer in time ({type(error).__name__}).", sent=_was_sent(error)
        )
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | httpx.LocalProtocolError):
        return Misconfigured(f"A request to {server} cannot be sent: {type(error).__name__}.")
    if isinstance(error, httpx.TransportError):
        why = str(error) or type(error).__name__
        return NoAnswer(f"{server} cannot be reached: {why}.", sent=_was_sent(error))
    return UnexpectedAnswer(f"The answer of {server} cannot be read: {type(error).__name__}.")


def _was_sent(error: Exception) -> bool:
    return not isinstance(error, _NOT_SENT)


def _user_agent() -> str:
    try:
        own = version("countersign")
    except PackageNotFoundError:  # The package lies beside another program, not installed.
        own = "0"
    return f"countersign-client/{own} python/{platform.python_version()} httpx/{httpx.__version__}"


USER_AGENT = _user_agent()
