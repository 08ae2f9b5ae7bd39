"""The client that waits for each answer."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from pathlib import Path
from typing import Generic, ParamSpec, Self, TypeVar, overload

import httpx

from service.client import operations
from service.client.connection import (
    TIMEOUT_S,
    Connection,
    errors_as_ours,
    response_of,
    sent_form,
)
from service.client.errors import ClientError
from service.client.requests import (
    DONE,
    Call,
    Download,
    Pages,
    Request,
    Response,
    read,
    require_success,
)
from service.client.retries import Attempts, Retries

P = ParamSpec("P")
T = TypeVar("T")


class Stream:
    """A body that comes in piece by piece; iterate over it once, or `read` it whole.

    Attributes:
        media_type: what it is, such as `image/png`.
    """

    def __init__(self, came: httpx.Response, server: str) -> None:
        self._came, self._server = came, server
        self.media_type = response_of(came, b"").media_type

    def __iter__(self) -> Iterator[bytes]:
        with errors_as_ours(self._server):
            yield from self._came.iter_bytes()

    def read(self) -> bytes:
        """Return all of it.

        Raises:
            NoAnswer: the connection broke before it had all come.
        """
        return b"".join(self)


class Asked(Generic[P, T]):
    """A method that asks one thing: `build` makes the request of the method's arguments."""

    def __init__(self, build: Callable[P, Call[T]]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: "Client", owner: type) -> Callable[P, T]: ...
    def __get__(self, client: "Client | None", owner: type) -> "Self | Callable[P, T]":
        if client is None:
            return self

        @wraps(self._build)
        def method(*args: P.args, **kwargs: P.kwargs) -> T:
            return client.send(self._build(*args, **kwargs))

        return method


class Listed(Generic[P, T]):
    """A method that goes through a long list, asking for a page at a time."""

    def __init__(self, build: Callable[P, Pages[T]]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: "Client", owner: type) -> Callable[P, Iterator[T]]: ...
    def __get__(self, client: "Client | None", owner: type) -> "Self | Callable[P, Iterator[T]]":
        if client is None:
            return self

        @wraps(self._build)
        def method(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            return client.each(self._build(*args, **kwargs))

        return method


class Streamed(Generic[P]):
    """A method that fetches a body: `with client.reference_image(...) as stream:`."""

    def __init__(self, build: Callable[P, Download]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(
        self, client: "Client", owner: type
    ) -> Callable[P, AbstractContextManager[Stream]]: ...
    def __get__(
        self, client: "Client | None", owner: type
    ) -> "Self | Callable[P, AbstractContextManager[Stream]]":
        if client is None:
            return self

        @wraps(self._build)
        def method(*args: P.args, **kwargs: P.kwargs) -> AbstractContextManager[Stream]:
            return client.stream(self._build(*args, **kwargs))

        return method


class Client:
    """A Countersign server, to be asked from one thread or several.

    Every method raises `ClientError`: what each means is drawn in `service.client.errors`. A
    request that failed for the moment is sent again, a POST with the same Idempotency-Key.
    """

    def __init__(
        self,
        server: str,
        key: str | None = None,
        *,
        key_file: str | Path | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: Retries | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Open a client; nothing is sent yet.

        Args:
            server: its address, such as https://countersign.example.
            key: a key of yours; else that in `key_file`, in COUNTERSIGN_KEY, or in the file that
                COUNTERSIGN_KEY_FILE names; else none is sent.
            key_file: a file with a key and nothing else.
            timeout_s: for each part of an answer to come.
            retries: how often to try, and after how long.
            transport: what carries requests, in the place of a network.

        Raises:
            Misconfigured: naming what cannot be used.
        """
        self._connection = Connection.of(server, key, key_file, timeout_s)
        self._retries = retries or Retries()
        self._http = httpx.Client(**self._connection.options(), transport=transport)

    verify = Asked(operations.verify)
    identify = Asked(operations.identify)
    compare = Asked(operations.compare)
    enroll = Asked(operations.enroll)
    add_references = Asked(operations.add_references)
    writers = Listed(operations.writers)
    writer = Asked(operations.writer)
    rename_writer = Asked(operations.rename_writer)
    erase_writer = Asked(operations.erase_writer)
    references = Asked(operations.references)
    reference_image = Streamed(operations.reference_image)
    erase_reference = Asked(operations.erase_reference)
    erasures = Asked(operations.erasures)
    decisions = Listed(operations.decisions)
    decision = Asked(operations.decision)
    decision_image = Streamed(operations.decision_image)
    decision_evidence = Streamed(operations.decision_evidence)
    replay_decision = Asked(operations.replay_decision)
    hold_decision = Asked(operations.hold_decision)
    review_decision = Asked(operations.review_decision)
    review_queue = Asked(operations.review_queue)
    keys = Listed(operations.keys)
    create_key = Asked(operations.create_key)
    revoke_key = Asked(operations.revoke_key)
    rotate_key = Asked(operations.rotate_key)
    about = Asked(operations.about)
    model = Asked(operations.model)

    def __repr__(self) -> str:
        return f"Client({self._connection.server!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """Carry out a call of `service.client.operations`.

        Raises:
            ClientError: it failed, at the last attempt.
        """
        attempts = Attempts(call, self._retries)
        while True:
            try:
                return read(call, self._exchange(attempts.request))
            except ClientError as error:
                wait_s = attempts.failed(error)
            if wait_s is None:
                return call.read(DONE)
            time.sleep(wait_s)

    def each(self, pages: Pages[T]) -> Iterator[T]:
        """Give what is on all pages of a list, asking for the next one when it is needed.

        Raises:
            ClientError: a page cannot be had.
        """
        cursor = None
        while True:
            page = self.send(pages.page(cursor))
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    @contextmanager
    def stream(self, download: Download) -> Iterator[Stream]:
        """Open a body; another attempt is made until it begins, and none after.

        Raises:
            ClientError: it cannot be had.
        """
        attempts = Attempts(Call(download.request, require_success), self._retries)
        while (came := self._opened(attempts)) is None:
            pass
        try:
            yield Stream(came, self._connection.server)
        finally:
            came.close()

    def _opened(self, attempts: Attempts[None]) -> httpx.Response | None:
        """One attempt to open a body; None after a wait for the next."""
        server = self._connection.server
        try:
            with errors_as_ours(server):
                request = self._http.build_request(**sent_form(attempts.request))
                came = self._http.send(request, stream=True)
            if not came.is_success:
                with errors_as_ours(server):
                    body = came.read()
                require_success(response_of(came, body))
        except ClientError as error:
            time.sleep(attempts.failed(error) or 0)
            return None
        return came

    def _exchange(self, request: Request) -> Response:
        with errors_as_ours(self._connection.server):
            came = self._http.send(self._http.build_request(**sent_form(request)))
            return response_of(came, came.content)
