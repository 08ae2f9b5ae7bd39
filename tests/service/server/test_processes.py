"""Processes that are killed or stopped: others take their place, and no answer was in vain."""

import json
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from werkzeug.datastructures import FileStorage

from service.server import supervisor
from service.server.supervisor import Heartbeat, Supervisor


def workers_of(server) -> set[int]:
    listed = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return {int(pid) for pid in listed.split()}


def until(condition, patience_s=30.0):
    give_up_at = time.monotonic() + patience_s
    while not (found := condition()):
        assert time.monotonic() < give_up_at
        time.sleep(0.05)
    return found


def answers(server) -> bool:
    with suppress(OSError):
        return server.call("GET", "/readyz")[0] == 200
    return False


def test_a_killed_worker_is_replaced_and_the_other_goes_on(settings, tmp_path, serving):
    with serving(settings, tmp_path / "log", COUNTERSIGN_WORKERS="2") as server:
        before = until(lambda: len(found := workers_of(server)) == 2 and found)
        created, over = [], threading.Event()

        def enroll():
            number = 0
            while not over.is_set():
                number += 1
                body = json.dumps({"writer_id": f"W-{number}"}).encode()
                with suppress(OSError):  # The connection may be the killed one's.
                    json_type = {"Content-Type": "application/json"}
                    if server.call("POST", "/v1/writers", body, json_type)[0] == 201:
                        created.append(number)

        load = threading.Thread(target=enroll)
        load.start()
        for _ in range(3):  # Also one that was replaced a moment ago.
            victim = max(workers_of(server))
            os.kill(victim, signal.SIGKILL)
            until(lambda gone=victim: gone not in workers_of(server))
            assert answers(server)
            until(lambda: len(workers_of(server)) == 2)
        over.set()
        load.join()
        assert len(created) > 10
        for number in created:
            assert server.call("GET", f"/v1/writers/W-{number}")[0] == 200
        assert workers_of(server) != before
        assert server.stop() == 0


def test_a_killed_master_takes_its_workers_along(settings, tmp_path, serving, free_port):
    with serving(settings, tmp_path / "log", COUNTERSIGN_WORKERS="2") as server:
        workers = until(lambda: len(found := workers_of(server)) == 2 and found)
        os.kill(min(workers), signal.SIGSTOP)  # Also one that could not end by itself.
        server.process.kill()
        server.process.wait()
        until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in workers), 5)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", server.port))


def test_a_stopped_worker_is_noticed_and_replaced(settings, tmp_path, serving):
    with serving(settings, tmp_path / "log", COUNTERSIGN_WORKERS="2") as server:
        workers = until(lambda: len(found := workers_of(server)) == 2 and found)
        until(lambda: all(answers(server) for _ in range(8)))
        victim = min(workers)
        os.kill(victim, signal.SIGSTOP)
        # The other takes what comes: only what the stopped one has accepted already must wait.
        assert any(answers(server) for _ in range(3))
        until(lambda: victim not in workers_of(server))
        until(lambda: len(workers_of(server)) == 2)
        assert answers(server)
        assert "no sign of life" in server.log.read_text()


@pytest.mark.parametrize("stop_after_s", [0.0, 0.5, 1.0, 1.5])
def test_sigterm_during_the_start_ends_it(settings, tmp_path, starting, stop_after_s):
    with starting(settings, tmp_path / "log", COUNTERSIGN_WORKERS="2") as server:
        time.sleep(stop_after_s)
        started_s = time.monotonic()
        assert server.stop() in {0, -signal.SIGTERM}
        assert time.monotonic() - started_s < 10


def test_sigterm_during_slow_bodies_ends_in_time_and_tells_them(settings, tmp_path, serving):
    with (
        serving(settings, tmp_path / "log") as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as slow,
    ):
        slow.sendall(
            b"POST /v1/identify HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9000\r\n\r\n--"
        )
        time.sleep(0.3)
        started_s = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started_s < 10
        received = slow.recv(65536)
        assert received.startswith(b"HTTP/1.1 503")
        assert b"overloaded" in received


def test_a_request_that_is_being_answered_is_answered_before_the_end(
    settings, tmp_path, serving, scan
):
    with serving(settings, tmp_path / "log") as server:
        statuses = []

        def ask():
            file = FileStorage(BytesIO(scan(1, 0)), "1.png")
            statuses.append(server.send("/v1/identify", image=file)[0])

        scan(1, 0)
        asking = [threading.Thread(target=ask) for _ in range(6)]
        for one in asking:
            one.start()
        time.sleep(0.03)
        assert server.stop() == 0
        for one in asking:
            one.join()
        assert set(statuses) <= {200, 503}


def test_workers_that_cannot_start_end_the_server():
    def fail(heartbeat: Heartbeat) -> None:
        with heartbeat.starting():
            raise SystemExit(1)

    assert Supervisor(fail, 2).run() == 1


def test_a_loop_that_hangs_is_a_stopped_worker(monkeypatch, tmp_path):
    monkeypatch.setattr(supervisor, "STOPPED_AFTER_S", 1.0)
    starts = tmp_path / "starts"

    def hang(heartbeat: Heartbeat) -> None:
        with starts.open("a") as file:
            file.write("x")
        if len(starts.read_text()) == 2:
            os.kill(os.getppid(), signal.SIGTERM)
        heartbeat._ready.value = 1
        time.sleep(60)

    started_s = time.monotonic()
    assert Supervisor(hang, 1).run() == 0
    assert starts.read_text() == "xx"
    assert time.monotonic() - started_s < 15


def test_leave_is_taken_of_each_that_ended_by_its_place():
    """The first of two ends at once, each time it is started; the other ends all after a while."""
    left = []

    def work(heartbeat: Heartbeat) -> None:
        heartbeat._ready.value = 1
        if heartbeat.place == 1:
            time.sleep(1.5)
            os.kill(os.getppid(), signal.SIGTERM)
            time.sleep(60)

    assert Supervisor(work, 2, left.append).run() == 0
    assert len(left) >= 2
    assert set(left) == {0}
