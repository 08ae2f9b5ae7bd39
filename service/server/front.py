"""Stands between the connections and the application: no slow caller gets hold of a thread.

A body is read on the event loop, and only a request that is whole goes to a thread. `/healthz` and
what operators ask have threads of their own, so they are answered however busy the others are. What
is refused here is answered by the application too, which is told why: every answer has the same
form, headers and line in the log.
"""

import asyncio
import io
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from service.api.access.limits import counted_address
from service.api.guard import REFUSAL, body_limit
from service.api.request_log import WHOLE_AT
from service.errors import ServiceError, TooManyRequests
from service.server.bodies import RETRY, ArrivingBody, Bodies, CallerGone, Receive
from service.server.proxies import as_forwarded
from service.settings import Network

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Environ = dict[str, Any]
WsgiApplication = Callable[[Environ, Callable[..., Any]], Any]

LIVENESS = "/healthz"
OPERATORS = frozenset({"/readyz", "/metrics"})
OPERATORS_THREADS = 2
# A usual scan is read whoever sends it: programs that write all before they read would otherwise
# see a broken connection in place of the answer.
ALWAYS_READ_BYTES = 2**20


@dataclass(frozen=True)
class Limits:
    """What a process takes on: threads, a body's time in seconds, requests of one address."""

    threads: int
    body_timeout_s: float
    requests_per_address: int


@dataclass(frozen=True)
class Answer:
    """What the application answers, whole."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Front:
    """An ASGI application in front of a WSGI application; it lives on one event loop."""

    def __init__(
        self,
        application: WsgiApplication,
        limits: Limits,
        *,
        trusted_proxies: Sequence[Network] = (),
        in_progress: Callable[[], AbstractContextManager[object]] = nullcontext,
        may_send: Callable[[Environ], bool] = lambda _environ: True,
    ) -> None:
        """`in_progress` gives a context that lasts as long as a request does.

        `may_send` says by a request's headers, on a thread, whether a large body is worth reading.
        """
        self._application = application
        self._limits = limits
        self._trusted = trusted_proxies
        self._in_progress = in_progress
        self._may_send = may_send
        self._threads = ThreadPoolExecutor(limits.threads, "request")
        self._operators = ThreadPoolExecutor(OPERATORS_THREADS, "operator")
        # Who asks whether the process is alive must not wait for one who asks about the registry.
        self._liveness = ThreadPoolExecutor(1, "liveness")
        self._bodies = Bodies(limits.body_timeout_s)
        self._of_address: Counter[str] = Counter()
        self._open = 0
        self._idle = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        self._open += 1
        self._idle.clear()
        try:
            with self._in_progress():
                answer = await self._answer(as_forwarded(scope, self._trusted), receive)
            start = {"status": answer.status, "headers": answer.headers}
            await send({"type": "http.response.start", **start})
            await send({"type": "http.response.body", "body": answer.body})
        except CallerGone:
            return
        finally:
            self._open -= 1
            if not self._open:
                self._idle.set()

    def close(self) -> None:
        """Refuse what has not come in whole, and whatever comes from now on."""
        self._bodies.close()

    async def finish(self, patience_s: float) -> bool:
        """Wait until all that it took is answered; return whether that came to be in time."""
        if self._open:
            try:
                async with asyncio.timeout(patience_s):
                    await self._idle.wait()
            except TimeoutError:
                return False
        return True

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path = scope["path"]
        if path == LIVENESS:
            return await self._run(self._liveness, environ_of(scope, ArrivingBody()))
        if path in OPERATORS:
            return await self._run(self._operators, environ_of(scope, ArrivingBody()))
        try:
            with self._admitted(counted_address(address_of(scope))), self._bodies.holding() as body:
                length = _length(scope)
                taken = await self._is_taken(scope, length)
                if taken:
                    await self._bodies.fill(body, length, receive)
                answer = await self._run(self._threads, environ_of(scope, body))
                return answer if taken else _last(answer)
        except ServiceError as refusal:
            environ = environ_of(scope, ArrivingBody()) | {REFUSAL: refusal}
            return _last(await self._run(self._operators, environ))

    async def _is_taken(self, scope: Scope, length: int) -> bool:
        """Whether a body is read; else the request is refused by its headers alone."""
        if length > body_limit(_header(scope, b"content-type")):
            return False
        if length <= ALWAYS_READ_BYTES:
            return True
        environ = environ_of(scope, ArrivingBody())
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._may_send, environ)

    async def _run(self, threads: ThreadPoolExecutor, environ: Environ) -> Answer:
        loop = asyncio.get_running_loop()
        environ[WHOLE_AT] = time.perf_counter()
        return await loop.run_in_executor(threads, call, self._application, environ)

    @contextmanager
    def _admitted(self, address: str) -> Iterator[None]:
        """Count a request among those of its address.

        Raises:
            TooManyRequests: the address has as many in progress as it may.
        """
        most = self._limits.requests_per_address
        if self._of_address[address] >= most:
            raise TooManyRequests(
                f"{most} requests from this address are in progress, as many as one may have. "
                f"{RETRY}"
            )
        self._of_address[address] += 1
        try:
            yield
        finally:
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]  # A server meets many addresses.


def call(application: WsgiApplication, environ: Environ) -> Answer:
    """Call a WSGI application, which takes the calling thread, and return its answer whole."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(
        status: str,
        headers: list[tuple[str, str]],
        exc_info: object = None,  # noqa: ARG001  # WSGI's signature.
    ) -> None:
        started.append((status, headers))

    chunks = application(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    status, headers = started[-1]
    encoded = [(name.lower().encode("latin-1"), text.encode("latin-1")) for name, text in headers]
    return Answer(int(status.split(" ", 1)[0]), encoded, body)


def _last(answer: Answer) -> Answer:
    """Let an answer be the connection's last: what is still to come of the body is nobody's."""
    answer.headers.append((b"connection", b"close"))
    return answer


def environ_of(scope: Scope, body: ArrivingBody) -> Environ:
    """Return the WSGI environment of an ASGI request whose body has come in whole."""
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": str(scope["server"][1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": address_of(scope),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BufferedReader(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if "_" in name:
            continue  # It would be taken for the one with a hyphen.
        key = name.upper().replace("-", "_")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def address_of(scope: Scope) -> str:
    """Return the address that a request comes from, without its port."""
    return str(scope["client"][0]) if scope.get("client") else ""


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _length(scope: Scope) -> int:
    given = _header(scope, b"content-length")
    return int(given) if given.isascii() and given.isdigit() else 0
