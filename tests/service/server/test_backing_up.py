"""A backup beside a server that enrolls and decides: all that was answered before is in it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from werkzeug.datastructures import FileStorage

from service.backup.backups import bring_back
from service.composition import build_services, prepare_folders
from service.settings import Settings, read_settings

ROOT = Path(__file__).parents[3]


def test_a_backup_holds_what_was_answered_before_it_began(
    settings: Settings, serving: Callable, scan: Callable[[int, int], bytes], tmp_path: Path
) -> None:
    enrolled: list[str] = []
    verified: list[str] = []
    ending = threading.Event()
    file = tmp_path / "busy.zip"

    def go_on(server, place: int) -> None:
        number = 0
        while not ending.is_set():
            content, writer_id = scan(4 + place, number % 8), f"W{place}-{number}"
            reference = FileStorage(BytesIO(content), "a.png")
            status, told = server.send(
                "/v1/writers", writer_id=writer_id, images=reference, name="Somebody"
            )
            assert status == 201, told
            enrolled.append(writer_id)
            query = FileStorage(BytesIO(content), "a.png")
            status, told = server.send(f"/v1/writers/{writer_id}/verify", image=query)
            assert status == 200, told
            verified.append(told["decision_id"])
            number += 1

    with serving(settings, tmp_path / "log") as server:
        threads = [threading.Thread(target=go_on, args=(server, place)) for place in range(2)]
        for thread in threads:
            thread.start()
        while len(verified) < 10:
            assert all(thread.is_alive() for thread in threads)
            time.sleep(0.05)
        before, decided = list(enrolled), list(verified)
        done = subprocess.run(
            [sys.executable, "-m", "service.cli", "backup", str(file)],
            cwd=ROOT,
            env=os.environ | {"COUNTERSIGN_DATA_DIR": str(settings.data_dir)},
            capture_output=True,
            text=True,
            check=False,
        )
        during = len(enrolled) - len(before)
        ending.set()
        for thread in threads:
            thread.join()
    assert done.returncode == 0, done.stderr
    assert during > 0, "Nobody was enrolled while the backup ran."
    other = read_settings({"COUNTERSIGN_DATA_DIR": str(tmp_path / "restored")})
    prepare_folders(other)
    bring_back(other, file, (), "test", lambda *_: None)
    restored = build_services(other)
    assert [one for one in before if not restored.registry.writers.knows(one)] == []
    report = restored.registry.decisions.verify()
    assert report.intact
    assert report.length >= len(decided)
    assert restored.gallery.check().clean
    restored.close()
