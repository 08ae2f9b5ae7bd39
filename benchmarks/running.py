"""Starts a real server on a registry of its own, and speaks to it over HTTP."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

START_TIMEOUT_S = 60.0


class Refused(RuntimeError):
    """The server answered with a problem, of this HTTP status."""

    def __init__(self, path: str, status: int, body: bytes) -> None:
        super().__init__(f"{path}: {status} {body.decode()[:300]}")
        self.status = status


@dataclass(frozen=True)
class Server:
    """A running server: its address and one kept-alive connection to it."""

    url: str
    http: urllib3.PoolManager

    def post(
        self,
        path: str,
        images: Sequence[tuple[str, str, bytes]] = (),
        fields: Sequence[tuple[str, str]] = (),
    ) -> Any:
        """POST form fields and images (field, file name, content); the answer's JSON.

        Raises:
            Refused: the answer is not 2xx.
        """
        parts: list[tuple[str, Any]] = list(fields)
        parts += [(field, (name, content, "image/png")) for field, name, content in images]
        answer = self.http.request("POST", self.url + path, fields=parts)
        if answer.status >= 300:
            raise Refused(path, answer.status, answer.data)
        return json.loads(answer.data)

    def create_writer(self, writer_id: str) -> None:
        """Add a writer without references."""
        answer = self.http.request(
            "POST", self.url + "/v1/writers", json={"writer_id": writer_id, "name": writer_id}
        )
        if answer.status != 201:
            raise Refused("/v1/writers", answer.status, answer.data)


@dataclass(frozen=True)
class Answer:
    """What came back for a request, and how long it took from the first byte to the last."""

    status: int
    headers: dict[str, str]  # Names in lower case.
    body: bytes
    milliseconds: float


class BareConnection:
    """One kept-alive connection that does next to nothing itself: what is timed is the server."""

    def __init__(self, url: str) -> None:
        address = urllib3.util.parse_url(url)
        self._host = str(address.host)
        self._socket = socket.create_connection((self._host, int(address.port or 80)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def post(
        self, path: str, body: bytes, media_type: str, more: Mapping[str, str] | None = None
    ) -> Answer:
        """POST a body with `more` headers, and time it."""
        given = {
            "Host": self._host,
            "Content-Type": media_type,
            "Content-Length": str(len(body)),
            **(more or {}),
        }
        fields = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        head = f"POST {path} HTTP/1.1\r\n{fields}\r\n"
        request = head.encode() + body
        start = time.perf_counter()
        self._socket.sendall(request)
        received = self._until(b"", lambda got: b"\r\n\r\n" in got)
        lines, _, start_of_body = received.partition(b"\r\n\r\n")
        status, *told = lines.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (f.partition(": ") for f in told)}
        length = int(headers["content-length"])
        content = self._until(start_of_body, lambda got: len(got) >= length)
        milliseconds = (time.perf_counter() - start) * 1e3
        return Answer(int(status.split()[1]), headers, content, milliseconds)

    def _until(self, received: bytes, done: Callable[[bytes], bool]) -> bytes:
        while not done(received):
            piece = self._socket.recv(2**16)
            if not piece:
                raise ConnectionError("the server closed the connection within an answer")
            received += piece
        return received


@contextlib.contextmanager
def running_server(
    model: Path | None = None,
    core: int | None = None,
    program: str = "service.cli",
    variables: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """A server with an empty registry in a temporary folder; stopped and removed afterwards.

    Args:
        model: the model folder; the shipped one by default.
        core: number of the one processor core it may use; all by default.
        program: the module that is the command line, `countersign` itself by default.
        variables: more of COUNTERSIGN_*; the data folder, if it is among them, is kept.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        settings = {"COUNTERSIGN_DATA_DIR": folder, "COUNTERSIGN_PORT": str(port)}
        if model:
            settings["COUNTERSIGN_MODEL"] = str(model)
        process = subprocess.Popen(
            [sys.executable, "-m", program, "serve", "--upgrade"],
            env={**os.environ, **settings, **(variables or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if core is not None:  # At once: its workers, started later, inherit it.
            os.sched_setaffinity(process.pid, {core})
        try:
            server = Server(f"http://127.0.0.1:{port}", urllib3.PoolManager(retries=False))
            _wait_until_ready(server, process)
            yield server
        finally:
            process.terminate()
            process.wait(60)


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if server.http.request("GET", server.url + "/readyz").status == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"the server was not ready within {START_TIMEOUT_S:.0f} s")
