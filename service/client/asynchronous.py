"""The client for programs on asyncio or trio; it has the methods of `Client`, to be awaited."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Generic, ParamSpec, Self, TypeVar, overload

import anyio
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


class AsyncStream:
    """A body that comes in piece by piece; iterate over it once, or `read` it whole.

    Attributes:
        media_type: what it is, such as `image/png`.
    """

    def __init__(self, came: httpx.Response, server: str) -> None:
        self._came, self._server = came, server
        self.media_type = response_of(came, b"").media_type

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with errors_as_ours(self._server):
            async for piece in self._came.aiter_bytes():
                yield piece

    async def read(self) -> bytes:
        """Return all of it.

        Raises:
            NoAnswer: the connection broke before it had all come.
        """
        return b"".join([piece async for piece in self])


class AskedAsync(Generic[P, T]):
    """A method that asks one thing: `build` makes the request of the method's arguments."""

    def __init__(self, build: Callable[P, Call[T]]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: "AsyncClient", owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(
        self, client: "AsyncClient | None", owner: type
    ) -> "Self | Callable[P, Awaitable[T]]":
        if client is None:
            return self

        @wraps(self._build)
        async def method(*args: P.args, **kwargs: P.kwargs) -> T:
            return await client.send(self._build(*args, **kwargs))

        return method


class ListedAsync(Generic[P, T]):
    """A method that goes through a long list, asking for a page at a time."""

    def __init__(self, build: Callable[P, Pages[T]]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: "AsyncClient", owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(
        self, client: "AsyncClient | None", owner: type
    ) -> "Self | Callable[P, AsyncIterator[T]]":
        if client is None:
            return self

        @wraps(self._build)
        def method(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
            return client.each(self._build(*args, **kwargs))

        return method


class StreamedAsync(Generic[P]):
    """A method that fetches a body: `async with client.reference_image(...) as stream:`."""

    def __init__(self, build: Callable[P, Download]) -> None:
        self._build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(
        self, client: "AsyncClient", owner: type
    ) -> Callable[P, AbstractAsyncContextManager[AsyncStream]]: ...
    def __get__(
        self, client: "AsyncClient | None", owner: type
    ) -> "Self | Callable[P, AbstractAsyncContextManager[AsyncStream]]":
        if client is None:
            return self

        @wraps(self._build)
        def method(*args: P.args, **kwargs: P.kwargs) -> AbstractAsyncContextManager[AsyncStream]:
            return client.stream(self._build(*args, **kwargs))

        return method


class AsyncClient:
    """A Countersign server, to be asked from one event loop.

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
        transport: httpx.AsyncBaseTransport | None = None,
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
        self._http = httpx.AsyncClient(**self._connection.options(), transport=transport)

    verify = AskedAsync(operations.verify)
    identify = AskedAsync(operations.identify)
    compare = AskedAsync(operations.compare)
    enroll = AskedAsync(operations.enroll)
    add_references = AskedAsync(operations.add_references)
    writers = ListedAsync(operations.writers)
    writer = AskedAsync(operations.writer)
    rename_writer = AskedAsync(operations.rename_writer)
    erase_writer = AskedAsync(operations.erase_writer)
    references = AskedAsync(operations.references)
    reference_image = StreamedAsync(operations.reference_image)
    erase_reference = AskedAsync(operations.erase_reference)
    erasures = AskedAsync(operations.erasures)
    decisions = ListedAsync(operations.decisions)
    decision = AskedAsync(operations.decision)
    decision_image = StreamedAsync(operations.decision_image)
    decision_evidence = StreamedAsync(operations.decision_evidence)
    replay_decision = AskedAsync(operations.replay_decision)
    hold_decision = AskedAsync(operations.hold_decision)
    review_decision = AskedAsync(operations.review_decision)
    review_queue = AskedAsync(operations.review_queue)
    keys = ListedAsync(operations.keys)
    create_key = AskedAsync(operations.create_key)
    revoke_key = AskedAsync(operations.revoke_key)
    rotate_key = AskedAsync(operations.rotate_key)
    about = AskedAsync(operations.about)
    model = AskedAsync(operations.model)

    def __repr__(self) -> str:
        return f"AsyncClient({self._connection.server!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def send(self, call: Call[T]) -> T:
        """Carry out a call of `service.client.operations`.

        Raises:
            ClientError: it failed, at the last attempt.
        """
        attempts = Attempts(call, self._retries)
        while True:
            try:
                return read(call, await self._exchange(attempts.request))
            except ClientError as error:
                wait_s = attempts.failed(error)
            if wait_s is None:
                return call.read(DONE)
            await anyio.sleep(wait_s)

    async def each(self, pages: Pages[T]) -> AsyncIterator[T]:
        """Give what is on all pages of a list, asking for the next one when it is needed.

        Raises:
            ClientError: a page cannot be had.
        """
        cursor = None
        while True:
            page = await self.send(pages.page(cursor))
            for item in page.items:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return

    @asynccontextmanager
    async def stream(self, download: Download) -> AsyncIterator[AsyncStream]:
        """Open a body; another attempt is made until it begins, and none after.

        Raises:
            ClientError: it cannot be had.
        """
        attempts = Attempts(Call(download.request, require_success), self._retries)
        while (came := await self._opened(attempts)) is None:
            pass
        try:
            yield AsyncStream(came, self._connection.server)
        finally:
            await came.aclose()

    async def _opened(self, attempts: Attempts[None]) -> httpx.Response | None:
        """One attempt to open a body; None after a wait for the next."""
        server = self._connection.server
        try:
            with errors_as_ours(server):
                request = self._http.build_request(**sent_form(attempts.request))
                came = await self._http.send(request, stream=True)
            if not came.is_success:
                with errors_as_ours(server):
                    body = await came.aread()
                require_success(response_of(came, body))
        except ClientError as error:
            await anyio.sleep(attempts.failed(error) or 0)
            return None
        return came

    async def _exchange(self, request: Request) -> Response:
        with errors_as_ours(self._connection.server):
            came = await self._http.send(self._http.build_request(**sent_form(request)))
            return response_of(came, came.content)
