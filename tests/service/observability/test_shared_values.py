"""Numbers of several processes in one folder, of those that live and those that are gone."""

import errno
import os
import stat
import subprocess
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path

import pytest

from service.observability.metrics import Answered, Metrics
from service.observability.shared_values import (
    FILE_BYTES,
    folder_of_metrics,
    forget_living,
    share_values,
)


def in_worker(folder: Path, place: int, count: int) -> None:
    """Answer so many requests as the worker of a place, in a process that ends then."""

    def work():
        share_values(folder, place)
        metrics = Metrics(folder, place)
        metrics.ready()
        metrics.tell_of_worker({"countersign_index_size": ("Size.", 10.0 + place)})
        for _ in range(count):
            metrics.answered(Answered("/v1/identify", "POST", 200, 0.02))
        os._exit(0)

    process = get_context("fork").Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == 0


def told(folder: Path) -> list[str]:
    return Metrics(folder).text().decode().splitlines()


REQUESTS = 'countersign_http_requests_total{method="POST",route="/v1/identify",status="200"}'


def test_processes_are_told_of_together(tmp_path):
    with folder_of_metrics(tmp_path) as folder:
        in_worker(folder, 0, 3)
        in_worker(folder, 1, 4)
        lines = told(folder)
        assert f"{REQUESTS} 7.0" in lines
        assert "countersign_workers_ready 2.0" in lines
        assert 'countersign_index_size{worker="0"} 10.0' in lines
        assert 'countersign_index_size{worker="1"} 11.0' in lines
        bucket = 'countersign_http_request_duration_seconds_bucket{le="0.025",method="POST",'
        assert f'{bucket}route="/v1/identify"}} 7.0' in lines


def test_of_a_worker_that_is_gone_its_counts_stay_and_its_gauges_go(tmp_path):
    with folder_of_metrics(tmp_path) as folder:
        in_worker(folder, 0, 3)
        in_worker(folder, 1, 4)
        forget_living(folder, 1)
        lines = told(folder)
        assert f"{REQUESTS} 7.0" in lines
        assert "countersign_workers_ready 1.0" in lines
        assert not [line for line in lines if 'worker="1"' in line]


def test_who_takes_a_place_counts_on_from_where_the_other_was(tmp_path):
    with folder_of_metrics(tmp_path) as folder:
        in_worker(folder, 0, 3)
        in_worker(folder, 0, 4)
        lines = told(folder)
        assert f"{REQUESTS} 7.0" in lines
        assert "countersign_workers_ready 1.0" in lines
        assert len(list(folder.glob("counter_*.db"))) == 1


def test_the_folder_is_private_new_and_gone_afterwards(tmp_path):
    with folder_of_metrics(tmp_path) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        in_worker(folder, 0, 3)
        assert list(folder.glob("*.db"))
    assert not folder.exists()
    with folder_of_metrics(tmp_path) as another:
        assert not list(another.glob("*.db"))


def test_what_a_killed_server_left_is_removed_and_a_running_ones_is_not(tmp_path):
    program = (
        "import sys, time; from pathlib import Path;"
        "from service.observability.shared_values import folder_of_metrics\n"
        "with folder_of_metrics(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'counter_0.db').touch(); print(folder, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    other = Path(process.stdout.readline().strip())
    try:
        with folder_of_metrics(tmp_path) as folder:
            assert folder != other
            assert (other / "counter_0.db").exists()
    finally:
        process.kill()
        process.communicate()
    assert other.exists()
    with folder_of_metrics(tmp_path) as folder:
        assert sorted(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("name", ["a-file", "a-folder"])
def test_what_else_lies_there_keeps_no_server_from_starting(tmp_path, name):
    there = tmp_path / "metrics" / name
    there.parent.mkdir()
    there.touch() if name == "a-file" else there.mkdir()
    with folder_of_metrics(tmp_path) as folder:
        assert folder.is_dir()


def no_room(*_args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_has_its_room_from_its_start(tmp_path):
    """On a full disk, a page that was never written could not be had, and would end the process."""
    with folder_of_metrics(tmp_path) as folder:
        in_worker(folder, 0, 3)
        files = list(folder.glob("*.db"))
        assert files
        for file in files:
            assert file.stat().st_size == FILE_BYTES
            assert file.stat().st_blocks * 512 >= FILE_BYTES


def test_what_there_is_no_room_for_is_not_shared_and_stops_nothing(tmp_path):
    with folder_of_metrics(tmp_path) as folder:

        def work():
            share_values(folder, 0)
            metrics = Metrics(folder)
            for number in range(20_000):
                metrics.problem(f"code-{number}", 422)
            for _ in range(5):
                metrics.problem("code-0", 422)
            os._exit(0)

        process = get_context("fork").Process(target=work)
        process.start()
        process.join()
        assert process.exitcode == 0
        lines = told(folder)
        assert 'countersign_problems_total{code="code-0",status="422"} 6.0' in lines
        assert 2_000 < len([line for line in lines if "problems_total{" in line]) < 20_000
        (file,) = folder.glob("counter_*.db")
        assert file.stat().st_size == FILE_BYTES
        in_worker(folder, 0, 1)  # Who takes its place finds it full, and goes on too.


def test_a_full_disk_at_the_start_stops_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with folder_of_metrics(tmp_path) as folder:
        in_worker(folder, 0, 3)
        assert not list(folder.glob("*.db"))
        assert not list(folder.glob("*.new"))
        assert not [line for line in told(folder) if not line.startswith("#")]


def test_a_folder_that_cannot_be_made_is_made_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "metrics").touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    with folder_of_metrics(tmp_path) as folder:
        assert folder.parent == elsewhere
        in_worker(folder, 0, 3)
        assert f"{REQUESTS} 3.0" in told(folder)
    assert not list(elsewhere.iterdir())
