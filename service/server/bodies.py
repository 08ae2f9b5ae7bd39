"""Reads the bodies of requests on the event loop, within limits of time, pace and memory."""

import asyncio
import io
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from service.api.guard import MAX_BODY_BYTES
from service.errors import BodyTooSlow, Overloaded

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

# Beyond the time that every body has, one may go on as long as it keeps this pace, a slow phone's.
PACE_BYTES_PER_S = 32 * 2**10
LONGEST_BODY_S = 300.0
# What one process holds at a time: two of the largest requests, or many usual ones.
MAX_HELD_BYTES = 2 * MAX_BODY_BYTES
DISCONNECTED = "http.disconnect"
RETRY = "Try again in a moment."
ENDING = f"The server is about to end. {RETRY}"


class CallerGone(Exception):
    """The caller hung up before the request was whole; nobody is left who could be told."""


class Bodies:
    """All the bodies that one process reads and holds; it lives on one event loop."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._held_bytes = 0
        self._waiting: set[asyncio.Timeout] = set()
        self._closing = False

    @contextmanager
    def holding(self) -> Iterator["ArrivingBody"]:
        """Give a body to read; its memory counts until the end."""
        body = ArrivingBody()
        try:
            yield body
        finally:
            self._held_bytes -= body.received

    def close(self) -> None:
        """Refuse what has not come in whole, and whatever comes from now on."""
        self._closing = True
        now_s = asyncio.get_running_loop().time()
        for patience in self._waiting:
            patience.reschedule(now_s)

    async def fill(self, body: "ArrivingBody", length: int, receive: Receive) -> None:
        """Read a body of so many bytes whole.

        Raises:
            BodyTooSlow: it does not come in time.
            Overloaded: there is no memory for it now, or the server is about to end.
            CallerGone: it breaks off.
        """
        if self._closing:
            raise Overloaded(ENDING)
        started_s = asyncio.get_running_loop().time()
        patience = asyncio.timeout(self._timeout_s)
        try:
            async with patience:
                self._waiting.add(patience)
                while await self._next_piece(body, receive):
                    self._extend(patience, started_s, body.received)
        except TimeoutError as error:
            if self._closing:
                raise Overloaded(ENDING) from error
            raise BodyTooSlow(
                f"{body.received} of {length} bytes came in the time there is. Send it again over "
                "a faster line, or send fewer or smaller images."
            ) from error
        finally:
            self._waiting.discard(patience)

    async def _next_piece(self, body: "ArrivingBody", receive: Receive) -> bool:
        """Add what comes next to a body; return whether more is to come."""
        message = await receive()
        if message["type"] == DISCONNECTED:
            raise CallerGone
        piece = message.get("body", b"")
        if self._held_bytes + len(piece) > MAX_HELD_BYTES:
            raise Overloaded(f"The server holds as many uploads as it has memory for. {RETRY}")
        self._held_bytes += len(piece)
        body.add(piece)
        return bool(message.get("more_body"))

    def _extend(self, patience: asyncio.Timeout, started_s: float, received: int) -> None:
        if not self._closing:
            earned_s = self._timeout_s + received / PACE_BYTES_PER_S
            patience.reschedule(started_s + min(earned_s, LONGEST_BODY_S))


class ArrivingBody(io.RawIOBase):
    """A body as a file; what was read of it is let go of, so that a form is not held twice."""

    def __init__(self) -> None:
        self.received = 0
        self._pieces: deque[memoryview] = deque()

    def add(self, piece: bytes) -> None:
        """Append what has come."""
        if piece:
            self.received += len(piece)
            self._pieces.append(memoryview(piece))

    def readable(self) -> bool:
        """Say that it can be read, as a raw file must."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as the next piece goes; return with how many bytes."""
        if not self._pieces:
            return 0
        piece = self._pieces.popleft()
        count = min(len(piece), len(buffer))
        buffer[:count] = piece[:count]
        if count < len(piece):
            self._pieces.appendleft(piece[count:])
        return count
