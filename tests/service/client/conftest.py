"""A small HTTP server that says what a test tells it to, and both clients asked in one way."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from service.client import AsyncClient, Client, Retries

DROP = "drop"  # In the place of an answer: hang up without one.
QUICK = Retries(attempts=3, first_wait_s=0.01, longest_wait_s=0.5)


@dataclass
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Scripted:
    """A server that gives its answers in their order, and the last one from then on."""

    address: str = ""
    answers: list[Any] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def say(self, *answers: Any) -> None:
        """What to answer next: a JSON value, (status, JSON), (status, JSON, headers) or DROP."""
        self.answers = list(answers)

    def next(self) -> Any:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def asked(self) -> list[tuple[str, str]]:
        return [(one.method, one.path) for one in self.seen]


def as_problem(status: int, code: str, **members: Any) -> tuple[int, Any, dict[str, str]]:
    body = {
        "type": f"urn:countersign:problem:{code}",
        "title": members.pop("title", code),
        "status": status,
        "detail": f"detail of {code}",
        "instance": "urn:uuid:1",
        "code": code,
    }
    headers = {"Content-Type": "application/problem+json"}
    if "retry_after" in members:
        headers["Retry-After"] = str(members.pop("retry_after"))
    return status, body | members, headers


@pytest.fixture
def problem():
    """An answer of RFC 9457: `problem(404, "unknown-writer", member=...)`."""
    return as_problem


def _handler(scripted: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            scripted.seen.append(Seen(self.command, self.path, headers, body))
            said = scripted.next()
            if said == DROP:
                self.close_connection = True
                self.connection.shutdown(2)
                return
            status, value, headers = said if isinstance(said, tuple) else (200, said, {})
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            for name, text in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@pytest.fixture
def server() -> Iterator[Scripted]:
    """A real HTTP server on loopback whose answers the test writes down beforehand."""
    scripted = Scripted()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(scripted)) as listening:
        listening.daemon_threads = True
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        scripted.address = f"http://127.0.0.1:{listening.server_port}"
        yield scripted
        listening.shutdown()
        thread.join()


class Asker:
    """A client, synchronous or not, asked in one way."""

    def __init__(self, kind: str, address: str, **options: Any) -> None:
        options = {"retries": QUICK} | options
        self.runner = asyncio.Runner() if kind == "async" else None
        self.client = (Client if kind == "sync" else AsyncClient)(address, **options)

    def ask(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        """What a method answers."""
        answer = getattr(self.client, name)(*args, **kwargs)
        return self.runner.run(_awaited(answer)) if self.runner else answer

    def all(self, name: str, /, *args: Any, **kwargs: Any) -> list[Any]:
        """All that a list has."""
        answer = getattr(self.client, name)(*args, **kwargs)
        return self.runner.run(_collected(answer)) if self.runner else list(answer)

    def fetch(self, name: str, /, *args: Any, **kwargs: Any) -> tuple[str, list[bytes]]:
        """The media type of a body, and its pieces."""
        opened = getattr(self.client, name)(*args, **kwargs)
        if self.runner:
            return self.runner.run(_fetched(opened))
        with opened as stream:
            return stream.media_type, list(stream)

    def close(self) -> None:
        if self.runner:
            self.runner.run(self.client.close())
            self.runner.close()
        else:
            self.client.close()


async def _awaited(answer):
    return await answer


async def _collected(answer):
    return [one async for one in answer]


async def _fetched(opened):
    async with opened as stream:
        return stream.media_type, [one async for one in stream]


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which client."""
    return request.param


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COUNTERSIGN_KEY", raising=False)
    monkeypatch.delenv("COUNTERSIGN_KEY_FILE", raising=False)


@pytest.fixture
def asker(kind: str):
    """Open a client of either kind: `with asker(address, key="cs_a_b") as client:`."""

    @contextmanager
    def opened(address: str, **options: Any) -> Iterator[Asker]:
        made = Asker(kind, address, **options)
        try:
            yield made
        finally:
            made.close()

    return opened
