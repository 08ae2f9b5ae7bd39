"""A full disk and a file that is not the one from before are told as what they are."""

import os
import shutil
import subprocess
from contextlib import suppress

import pytest

from index.errors import RegistryFull, RegistryReplaced
from index.registry.disk import database_file as files
from index.registry.disk.database_file import DatabaseFile
from index.registry.registry import Registry
from index.registry.schema_version import upgrade

MODEL = "a" * 64


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 96 MiB in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("Mounting a small file system takes the rights of root.")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk):
    with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(bytes(2**16)):
            pass


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_nothing_is_written_to_a_file_that_nobody_finds_again(registry, database_file, how):
    registry.require_usable()
    registry.writers.create("C-1", "")
    copy = database_file.with_suffix(".copy")
    shutil.copy(database_file, copy)
    database_file.unlink()
    if how == "replaced":
        copy.rename(database_file)
    with pytest.raises(RegistryReplaced, match=how):
        registry.require_usable()
    with pytest.raises(RegistryReplaced, match="restart"):
        registry.writers.create("C-2", "")


def test_a_full_disk_is_told_and_erasing_works_on_it(small_disk, new_references, monkeypatch):
    url = f"sqlite:///{small_disk / 'registry.db'}"
    upgrade(url)
    registry = Registry(url)
    registry.models.register(MODEL, "test", 128)
    registry.writers.create("C-1", "The Name Of Ada:", MODEL, new_references(3))
    assert registry.keep_reserve()
    registry.require_usable()
    fill(small_disk)
    with pytest.raises(RegistryFull, match="disk that the registry is on is full"):
        registry.require_usable()
    created = 0
    with pytest.raises(RegistryFull, match="Nothing was changed"):  # noqa: PT012  # Some still fit.
        for created in range(100):
            registry.writers.create(f"D-{created}", "x" * 200)
    assert registry.writers.knows(f"D-{created - 1}") == (created > 0)
    assert not registry.writers.knows(f"D-{created}")
    assert not registry.keep_reserve() or (small_disk / "registry.db-reserve").exists()
    assert registry.writers.erase("C-1").reference_count == 3
    assert not (small_disk / "registry.db-reserve").exists()
    assert not registry.keep_reserve() or not registry.purge.attempt(small_disk / "no", lambda: 0)
    (small_disk / "filler").unlink()
    registry.require_usable()
    assert registry.keep_reserve()
    assert registry.purge.attempt(small_disk / "no", lambda: 0) == []
    content = b"".join(path.read_bytes() for path in small_disk.iterdir())
    assert b"The Name Of Ada:" not in content
    registry.writers.create("C-2", "")
    registry.close()


def test_a_disk_that_cannot_be_written_to_is_not_usable(tmp_path, monkeypatch):
    path = tmp_path / "registry.db"
    path.touch()
    file = DatabaseFile(path)
    file.require_room()
    assert list(tmp_path.iterdir()) == [path]

    def refuse(*_args):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(files.os, "open", refuse)
    with pytest.raises(RegistryFull, match="Read-only"):
        file.require_room()


def test_the_reserve_is_for_its_owner_alone_and_takes_real_room(tmp_path):
    path = tmp_path / "registry.db"
    path.touch()
    file = DatabaseFile(path)
    assert file.keep_reserve()
    reserve = tmp_path / "registry.db-reserve"
    assert reserve.stat().st_mode & 0o777 == 0o600
    assert reserve.stat().st_blocks * 512 >= files.RESERVE_BYTES
    assert file.release_reserve()
    assert not file.release_reserve()
