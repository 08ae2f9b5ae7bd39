"""What attacks and breakdowns do to the running server: slow callers, killed processes, full disks.

    python -m benchmarks.attacks [NAME ...]

Each attack runs against a server of its own with invented writers, and prints what callers saw.
Filling the disk mounts a small file system in memory, for which it must be root.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from encoder.synthesis import encode_png, synthetic_writer
from index.registry.schema_version import upgrade

WRITERS = 4
START_S = 60.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DISK_MIB = 96
ROUNDS = 60


@dataclass
class Server:
    """A server's process, and how to talk to it."""

    process: subprocess.Popen[bytes]
    port: int
    data: Path

    def call(
        self, method: str, path: str, body: bytes | None = None, media_type: str = ""
    ) -> tuple[int, bytes]:
        """Return status and body; 0 where the connection broke."""
        caller = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            caller.request(method, path, body, {"Content-Type": media_type} if media_type else {})
            answer = caller.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        except http.client.HTTPException:
            return 0, b""
        finally:
            caller.close()

    def send(self, path: str, **form: object) -> tuple[int, bytes]:
        """Post a form."""
        boundary, body = encode_multipart(form)
        return self.call("POST", path, body, f"multipart/form-data; boundary={boundary}")

    def workers(self) -> set[int]:
        """Return the numbers of the processes that answer."""
        pid = self.process.pid
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return {int(one) for one in listed.split()}


@contextmanager
def serving(data: Path, **more: str) -> Iterator[Server]:
    """Run a server on a folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environ = {name: value for name, value in os.environ.items() if "COUNTERSIGN" not in name}
    environ |= {"COUNTERSIGN_DATA_DIR": str(data), "COUNTERSIGN_PORT": str(port)} | more
    upgrade(f"sqlite:///{data / 'registry.db'}")
    with (data.parent / f"{data.name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.serve"], env=environ, stdout=log, stderr=log
        )
    server = Server(process, port, data)
    try:
        wait_until(lambda: server.call("GET", "/readyz")[0] == 200, START_S)
        yield server
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_until(condition: Callable[[], bool], patience_s: float) -> float:
    """Return after how many seconds a condition came true; NaN if it did not."""
    started_s = time.monotonic()
    while not condition():
        if time.monotonic() - started_s > patience_s:
            return float("nan")
        time.sleep(0.05)
    return time.monotonic() - started_s


def scan(writer: int, number: int) -> FileStorage:
    """Return an invented signature as a form's file."""
    image = encode_png(synthetic_writer(writer).genuine(number))
    return FileStorage(BytesIO(image), f"{writer}-{number}.png")


def enroll(server: Server, count: int = WRITERS) -> None:
    """Enroll invented writers with two references each."""
    for writer in range(count):
        form = {"writer_id": f"W-{writer}", "name": f"The Name Of {writer}"}
        images = [scan(writer, number) for number in range(2)]
        server.send("/v1/writers", **form, images=images)


def timed(server: Server, path: str, count: int) -> str:
    """Ask for a page so many times; return how long it took, and how often it failed."""
    took_ms, failed = [], 0
    for _ in range(count):
        started_s = time.perf_counter()
        failed += server.call("GET", path)[0] != 200
        took_ms.append((time.perf_counter() - started_s) * 1000)
    p50, p99, worst = np.percentile(took_ms, [50, 99, 100])
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst {worst:.1f} ms, failed {failed} of {count}"


@contextmanager
def busy(server: Server, callers: int) -> Iterator[list[int]]:
    """Verify all the time, from several callers; give the list that their statuses go to."""
    over, statuses = threading.Event(), list[int]()
    probe = encode_png(synthetic_writer(0).genuine(7))

    def verify() -> None:
        while not over.is_set():
            image = FileStorage(BytesIO(probe), "probe.png")
            statuses.append(server.send("/v1/writers/W-0/verify", image=image)[0])

    threads = [threading.Thread(target=verify) for _ in range(callers)]
    for one in threads:
        one.start()
    try:
        yield statuses
    finally:
        over.set()
        for one in threads:
            one.join()


def slow_bodies(folder: Path) -> None:
    """Hold eight bodies back while every thread verifies."""
    with serving(folder) as server, ExitStack() as held:
        enroll(server)
        for _ in range(8):
            caller = held.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            caller.sendall(
                b"POST /v1/identify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                b"multipart/form-data; boundary=x\r\nContent-Length: 90000\r\n\r\n--"
            )
        with busy(server, 8) as statuses:
            for path in ("/healthz", "/readyz"):
                print(f"  {path}: {timed(server, path, 200)}")
        print(f"  verifications meanwhile: {tally(statuses)}")


def http2(folder: Path) -> None:
    """Send bodies shorter than their length in HTTP/2."""

    def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
        return head + stream.to_bytes(4, "big") + payload

    def field(name: str, value: str) -> bytes:
        return b"".join([b"\0", *(bytes([len(x)]) + x.encode() for x in (name, value))])

    with serving(folder) as server, ExitStack() as held:
        fields = {":method": "POST", ":scheme": "http", ":path": "/v1/writers"}
        fields |= {":authority": f"127.0.0.1:{server.port}", "content-type": "application/json"}
        fields |= {"content-length": "60"}
        head = b"".join(field(name, value) for name, value in fields.items())
        attack = PREFACE + frame(4, 0, 0, b"") + frame(1, 4, 1, head) + frame(0, 0, 1, b"{")
        for _ in range(4):
            caller = held.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            caller.sendall(attack)
        time.sleep(1)
        caller = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        started_s = time.monotonic()
        try:
            caller.request("GET", "/v1/writers")
            status = str(caller.getresponse().status)
        except OSError as error:
            status = type(error).__name__
        print(f"  another caller: {status} after {time.monotonic() - started_s:.2f} s")


def kill_worker(folder: Path) -> None:
    """Kill one of two workers under load."""
    with serving(folder, COUNTERSIGN_WORKERS="2") as server:
        enroll(server)
        with busy(server, 4) as statuses:
            time.sleep(1)
            before = len(statuses)
            os.kill(min(server.workers()), signal.SIGKILL)
            took_s = wait_until(lambda: len(server.workers()) == 2, 30)
            time.sleep(3)
            print(f"  replaced after {took_s:.2f} s; alive: {len(server.workers())}")
        print(f"  before: {tally(statuses[:before])}; after: {tally(statuses[before:])}")


def kill_master(folder: Path) -> None:
    """Kill the master; are its workers gone, and is the port free?"""
    with serving(folder, COUNTERSIGN_WORKERS="2") as server:
        workers = server.workers()
        server.process.kill()
        server.process.wait()

        def gone() -> bool:
            return not any(Path(f"/proc/{pid}/cmdline").exists() for pid in workers)

        took_s = wait_until(gone, 10)
        print(f"  workers gone after {took_s:.2f} s")
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def stop_worker(folder: Path) -> None:
    """Stop one of two workers under load."""
    with serving(folder, COUNTERSIGN_WORKERS="2") as server:
        enroll(server)
        with busy(server, 4) as statuses:
            time.sleep(1)
            victim = min(server.workers())
            os.kill(victim, signal.SIGSTOP)
            took_s = wait_until(lambda: victim not in server.workers(), 30)
            again_s = wait_until(lambda: len(server.workers()) == 2, 30)
            print(f"  noticed after {took_s:.2f} s, replaced {again_s:.2f} s later")
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGCONT)
            time.sleep(2)
        print(f"  verifications: {tally(statuses)}")


def full_disk(folder: Path) -> None:
    """Fill the disk; verify, enroll, look whether it is ready, and erase."""
    disk = folder / "disk"
    disk.mkdir(parents=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(disk)], check=True
    )
    try:
        (disk / "data").mkdir(mode=0o700)
        with serving(disk / "data") as server:
            enroll(server)
            with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
                while filler.write(bytes(2**20)):
                    pass
            print(f"  free: {shutil.disk_usage(disk).free} bytes")
            for path in ("/healthz", "/readyz"):
                show(f"GET {path}", *server.call("GET", path))
            show("verify", *server.send("/v1/writers/W-0/verify", image=scan(0, 7)))
            show("enroll", *server.send("/v1/writers", writer_id="W-9", images=[scan(9, 0)]))
            show("erase", *server.call("DELETE", "/v1/writers/W-1"))
            show("look up the erased", *server.call("GET", "/v1/writers/W-1"))
            (disk / "filler").unlink()
            ready_s = wait_until(lambda: server.call("GET", "/readyz")[0] == 200, 30)
            print(f"  ready {ready_s:.1f} s after there is room again")
            show("verify", *server.send("/v1/writers/W-0/verify", image=scan(0, 7)))
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def reader_during_erasure(folder: Path) -> None:
    """Hold a reader open while a writer is erased, and verify meanwhile."""
    with serving(folder) as server:
        enroll(server)
        program = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
            "c.execute('BEGIN'); c.execute('SELECT count(*) FROM writers').fetchone();"
            "print('reading', flush=True); sys.stdin.read()"
        )
        reader = subprocess.Popen(
            [sys.executable, "-c", program, str(folder / "registry.db")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if reader.stdout:
            reader.stdout.readline()
        with busy(server, 1) as statuses:
            time.sleep(1)
            before, started_s = len(statuses), time.monotonic()
            status, _ = server.call("DELETE", "/v1/writers/W-1")
            took_s = time.monotonic() - started_s
            time.sleep(2)
            print(
                f"  the erasure: {status} after {took_s:.2f} s; verifications a second before and "
                f"since: {before:.0f}, {(len(statuses) - before) / (took_s + 2):.0f}"
            )
            print(f"  name on disk: {on_disk(folder, b'The Name Of 1')}")
            reader.communicate(b"")
            gone_s = wait_until(lambda: not on_disk(folder, b"The Name Of 1"), 30)
            print(f"  gone {gone_s:.1f} s after the reader; verifications: {tally(statuses)}")


def kill_rounds(folder: Path) -> None:
    """Kill the whole server while callers enroll, again and again; is anything lost?"""
    acknowledged: list[str] = []
    for number in range(ROUNDS):
        over = threading.Event()
        with serving(folder) as server:

            def create(
                caller: int,
                over: threading.Event = over,
                server: Server = server,
                number: int = number,
            ) -> None:
                turn = 0
                while not over.is_set():
                    turn += 1
                    writer_id = f"R-{number}-{caller}-{turn}"
                    body = json.dumps({"writer_id": writer_id}).encode()
                    if server.call("POST", "/v1/writers", body, "application/json")[0] == 201:
                        acknowledged.append(writer_id)

            callers = [threading.Thread(target=create, args=(n,)) for n in range(3)]
            for one in callers:
                one.start()
            time.sleep(0.1 + 0.01 * number)
            server.process.kill()
            over.set()
            for one in callers:
                one.join()
    with serving(folder) as server:
        found = [server.call("GET", f"/v1/writers/{one}")[0] == 200 for one in acknowledged]
    lost = len(found) - sum(found)
    print(f"  {ROUNDS} rounds, {len(acknowledged)} acknowledged, {lost} lost")


def sigterm(folder: Path) -> None:
    """Ask it to end at moments of its start and of its work."""
    took_s = []
    for delay_s in np.arange(0.0, 3.0, 0.25):
        with serving_unready(folder) as server:
            time.sleep(delay_s)
            started_s = time.monotonic()
            server.process.terminate()
            server.process.wait(60)
            took_s.append(time.monotonic() - started_s)
    print(f"  during the start: the slowest end of {len(took_s)} took {max(took_s):.2f} s")


@contextmanager
def serving_unready(data: Path) -> Iterator[Server]:
    """Start a server without waiting for it."""
    with ExitStack() as stack:
        upgrade(f"sqlite:///{data / 'registry.db'}")
        environ = os.environ | {"COUNTERSIGN_DATA_DIR": str(data), "COUNTERSIGN_PORT": "18461"}
        process = subprocess.Popen(
            [sys.executable, "-m", "service.serve"],
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(process.kill)
        yield Server(process, 18461, data)


def on_disk(folder: Path, text: bytes) -> bool:
    """Whether any file holds these bytes."""
    return any(text in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def show(what: str, status: int, body: bytes) -> None:
    """Print an answer in a line."""
    detail = ""
    with suppress(ValueError, AttributeError):
        problem = json.loads(body)
        detail = f"{problem.get('code', '')}: {problem.get('detail', '')}" if status >= 400 else ""
    print(f"  {what}: {status} {detail}")


def tally(statuses: list[int]) -> str:
    """Count answers by their status; 0 is a connection that broke."""
    values, counts = np.unique(statuses, return_counts=True)
    return ", ".join(f"{count} x {value}" for value, count in zip(values, counts, strict=True))


ATTACKS: dict[str, Callable[[Path], None]] = {
    one.__name__: one
    for one in (
        slow_bodies,
        http2,
        kill_worker,
        kill_master,
        stop_worker,
        full_disk,
        reader_during_erasure,
        kill_rounds,
        sigterm,
    )
}


def main() -> None:
    """Run the attacks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="*", choices=[*ATTACKS, []], default=list(ATTACKS))
    for name in parser.parse_args().name:
        print(f"{name}: {str(ATTACKS[name].__doc__).splitlines()[0]}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            data.mkdir(mode=0o700)
            ATTACKS[name](data)


if __name__ == "__main__":
    main()
