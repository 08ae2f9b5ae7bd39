"""Callers that send slowly, too much, or in another protocol keep nobody else waiting."""

import asyncio
import json
import socket
import time
from contextlib import ExitStack, suppress

import pytest

from service.errors import BodyTooSlow, Overloaded
from service.server import bodies
from service.server.bodies import Bodies

# A connection preface, an empty SETTINGS frame and a POST whose DATA is shorter than its length:
# HEADERS with literal fields, END_HEADERS but not END_STREAM.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return (
        len(payload).to_bytes(3, "big")
        + bytes([kind, flags])
        + stream.to_bytes(4, "big")
        + (payload)
    )


def short_http2_post(port: int) -> bytes:
    def field(name: bytes, value: bytes) -> bytes:
        return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value

    headers = b"".join(
        [
            field(b":method", b"POST"),
            field(b":scheme", b"http"),
            field(b":path", b"/v1/writers"),
            field(b":authority", f"127.0.0.1:{port}".encode()),
            field(b"content-type", b"application/json"),
            field(b"content-length", b"100"),
        ]
    )
    return PREFACE + frame(4, 0, 0, b"") + frame(1, 4, 1, headers) + frame(0, 0, 1, b"short")


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def slow_post(port: int, length: int = 10_000, forwarded: str = "") -> socket.socket:
    caller = connect(port)
    told = f"X-Forwarded-For: {forwarded}\r\n" if forwarded else ""
    head = (
        f"POST /v1/writers HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{told}"
        f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {length}\r\n\r\n--x"
    )
    caller.sendall(head.encode())
    return caller


def answer(caller: socket.socket) -> tuple[int, dict]:
    received = b""
    with suppress(ConnectionResetError):
        while piece := caller.recv(65536):
            received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body)


def test_bodies_shorter_than_their_length_in_http2_block_nobody(settings, tmp_path, serving):
    with serving(settings, tmp_path / "log") as server, ExitStack() as callers:
        for _ in range(8):
            caller = callers.enter_context(connect(server.port))
            caller.sendall(short_http2_post(server.port))
        time.sleep(0.5)
        started_s = time.monotonic()
        assert server.call("GET", "/v1/writers")[0] == 200
        assert time.monotonic() - started_s < 1


def test_slow_bodies_keep_nobody_waiting_and_are_told(settings, tmp_path, serving):
    with (
        serving(settings, tmp_path / "log", COUNTERSIGN_BODY_TIMEOUT="2") as server,
        ExitStack() as callers,
    ):
        slow = [callers.enter_context(slow_post(server.port)) for _ in range(8)]
        took_s = []
        for path in ("/healthz", "/readyz", "/v1/writers") * 10:
            started_s = time.monotonic()
            assert server.call("GET", path)[0] == 200
            took_s.append(time.monotonic() - started_s)
        assert sorted(took_s)[-2] < 0.1  # The machine that tests may be busy with another test.
        for caller in slow:
            status, problem = answer(caller)
            assert (status, problem["code"]) == (408, "body-too-slow")
            assert "3 of 10000 bytes" in problem["detail"]
            assert problem["instance"].startswith("urn:uuid:")


def test_headers_that_do_not_come_to_an_end_are_hung_up_on(settings, tmp_path, serving):
    with serving(settings, tmp_path / "log") as server, connect(server.port) as caller:
        caller.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        started_s = time.monotonic()
        assert caller.recv(100) == b""
        assert time.monotonic() - started_s < 20


def test_one_address_has_so_many_requests_at_a_time(settings, tmp_path, serving):
    with (
        serving(settings, tmp_path / "log", COUNTERSIGN_REQUESTS_PER_ADDRESS="3") as server,
        ExitStack() as callers,
    ):
        slow = [callers.enter_context(slow_post(server.port)) for _ in range(3)]
        time.sleep(0.3)
        refused = connect(server.port)
        refused.sendall(b"GET /v1/writers HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        head = refused.recv(65536)
        refused.close()
        assert b" 429 " in head.split(b"\r\n")[0]
        assert b"retry-after: 1" in head
        assert b"too-many-requests" in head
        assert server.call("GET", "/healthz")[0] == 200  # Who looks after it is not refused.
        slow.pop().close()
        time.sleep(0.3)
        assert server.call("GET", "/v1/writers")[0] == 200


def test_addresses_of_one_site_have_so_many_together(settings, tmp_path, serving):
    """Whoever has one address of IPv6 has 2**64."""
    environ = {"COUNTERSIGN_REQUESTS_PER_ADDRESS": "2", "COUNTERSIGN_TRUSTED_PROXIES": "127.0.0.1"}
    with serving(settings, tmp_path / "log", **environ) as server, ExitStack() as callers:
        for number in (1, 2):
            slow = slow_post(server.port, forwarded=f"2001:db8::{number}")
            callers.enter_context(slow)
        time.sleep(0.3)

        def status(address: str) -> int:
            return server.call("GET", "/v1/writers", headers={"X-Forwarded-For": address})[0]

        assert status("2001:db8::3") == 429
        assert status("2001:db8:0:1::3") == 200


def test_addresses_and_headers_reach_the_application_as_they_came(settings, tmp_path, serving):
    with serving(settings, tmp_path / "log") as server:
        for path in ("/v1/writers/%FF%00", "/v1/writers/a%2Fb", "/%F0%9F%98%80"):
            status, body = server.call("GET", path)
            assert status in {404, 422}
            assert json.loads(body)["status"] == status
        head = connect(server.port)
        head.sendall(
            b"HEAD /docs HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Odd: \xff\xfe\r\n"
            b"Connection: close\r\n\r\n"
        )
        received = head.recv(65536)
        head.close()
        assert received.startswith(b"HTTP/1.1 200")
        assert received.endswith(b"\r\n\r\n")


def test_a_body_that_keeps_a_slow_phones_pace_has_more_time(monkeypatch):
    monkeypatch.setattr(bodies, "PACE_BYTES_PER_S", 10_000)

    async def sending(pause_s: float, pieces: int) -> int:
        left = pieces

        async def receive() -> dict:
            nonlocal left
            await asyncio.sleep(pause_s)
            left -= 1
            return {"type": "http.request", "body": b"x" * 1000, "more_body": left > 0}

        reader = Bodies(0.3)
        with reader.holding() as body:
            await reader.fill(body, 1000 * pieces, receive)
            return body.received

    assert asyncio.run(sending(0.05, 20)) == 20_000  # A second, where the time alone is 0.3 s.
    with pytest.raises(BodyTooSlow, match="of 20000 bytes"):
        asyncio.run(sending(0.2, 20))


def test_bodies_beyond_the_memory_for_them_are_refused(monkeypatch):
    monkeypatch.setattr(bodies, "MAX_HELD_BYTES", 2500)

    async def receive() -> dict:
        return {"type": "http.request", "body": b"x" * 1000, "more_body": False}

    async def fill() -> None:
        reader = Bodies(1)
        with reader.holding() as first, reader.holding() as second, reader.holding() as third:
            await reader.fill(first, 1000, receive)
            await reader.fill(second, 1000, receive)
            with pytest.raises(Overloaded, match="memory"):
                await reader.fill(third, 1000, receive)
        with reader.holding() as again:
            await reader.fill(again, 1000, receive)
            assert again.read() == b"x" * 1000

    asyncio.run(fill())
