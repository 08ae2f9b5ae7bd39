"""Several processes on one registry, and one that is killed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from index.registry.change_log import START

MODEL = "a" * 64
PROGRAMS = Path(__file__).parent


@pytest.fixture
def running(database_url, child_environment):
    """Return `running(program, *arguments)`: a second process at work, ended with the test."""
    started = []

    def start(program, *arguments):
        process = subprocess.Popen(
            [sys.executable, str(PROGRAMS / program), database_url, *arguments],
            env=child_environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def enrolling(running):
    """Return `enrolling(name, batches)`: a process that enrolls, until it is killed by default."""
    return lambda name, batches=0: running("enrolling_process.py", name, str(batches))


def acknowledged(lines):
    """Return writer_id -> reference ids of the whole lines."""
    rows = (line.split() for line in lines if line.endswith("\n"))
    return {writer_id: [int(name) for name in names] for writer_id, *names in rows}


def test_what_another_process_enrolls_is_found_as_soon_as_it_is_acknowledged(
    registry, open_gallery, enrolling
):
    gallery = open_gallery()
    process = enrolling("B", batches=15)
    batches = 0
    for line in process.stdout:
        ((writer_id, names),) = acknowledged([line]).items()
        claim = registry.embeddings.claim(writer_id, MODEL)
        found = gallery.search(claim.vectors, 1)
        assert [row.reference_ids[0] for row in found] == names == claim.reference_ids.tolist()
        batches += 1
    assert process.wait() == 0
    assert batches == 15
    assert gallery.check().clean
    assert gallery.stats()["size"] == 75


def test_the_change_logs_order_is_the_order_of_commits(registry, open_gallery, enrolling):
    """A reader that follows two writing processes never sees a revision appear behind it."""
    gallery = open_gallery()
    processes = [enrolling(name, batches=12) for name in ("A", "B")]
    position, seen = START, []
    while any(process.poll() is None for process in processes):
        while changes := registry.changes.since(position, MODEL, 1000):
            assert changes.position.revision == position.revision + changes.rows
            seen += changes.reference_ids.tolist()
            position = changes.position
        gallery.search(np.eye(1, 128, dtype=np.float32), 3)
        time.sleep(0.005)
    if changes := registry.changes.since(position, MODEL, 1000):
        seen += changes.reference_ids.tolist()
    assert [process.returncode for process in processes] == [0, 0]
    assert seen == list(range(1, 121))
    assert registry.models.gallery_size(MODEL).references == 120
    assert gallery.check().clean


def test_a_process_killed_while_it_enrolls_loses_nothing_it_acknowledged(
    registry, open_gallery, enrolling
):
    for turn in range(2):
        process = enrolling(f"K{turn}")
        lines = [process.stdout.readline() for _ in range(4 + 3 * turn)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        assert process.wait() == -signal.SIGKILL
        done = acknowledged(lines)
        assert len(done) >= 4
        for writer_id, names in done.items():
            assert registry.embeddings.claim(writer_id, MODEL).reference_ids.tolist() == names
        # What was not acknowledged is there as a whole or not at all.
        for writer in registry.writers.page(limit=10_000, search=f"K{turn}-").writers:
            assert writer.reference_count == 5
        gallery = open_gallery()
        report = gallery.check()
        assert report.clean
        assert report.registry_count == registry.models.gallery_size(MODEL).references
        gallery.close()


def test_a_killed_process_loses_no_decision_that_it_acknowledged(registry, database_url, running):
    processes = [running("deciding_process.py") for _ in range(2)]
    acknowledged_ids = [one.stdout.readline().strip() for _ in range(30) for one in processes]
    for process in processes:
        process.send_signal(signal.SIGKILL)
    for process in processes:
        lines = process.stdout.readlines()
        acknowledged_ids += [line.strip() for line in lines if line.endswith("\n")]
        assert process.wait() == -signal.SIGKILL
    engine = create_engine(database_url)
    with engine.connect() as connection:
        kept = set(connection.execute(text("SELECT decision_id FROM decisions")).scalars())
    engine.dispose()
    assert kept >= set(acknowledged_ids)
    report = registry.decisions.verify()
    assert report.intact
    # Each process may have committed one more, whose id it did not come to print.
    assert 0 <= report.length - len(acknowledged_ids) <= 2
    assert running("deciding_process.py").stdout.readline()
    assert registry.decisions.verify().intact  # The chain goes on where it was cut off.
