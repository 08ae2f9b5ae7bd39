"""The file of a backup: a zip with a manifest that names every part with its size and sha256.

It is written under another name and gets its own when all of it has been read back, so a file of
that name is whole. Nothing in it is trusted when read.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Self

from index.errors import BackupNotMade, BackupUnusable
from index.vectors.private_file import PRIVATE

FORMAT = 1
CHUNK_BYTES = 2**20
_MANIFEST = "manifest.json"
_LARGEST_MANIFEST_BYTES = 2**24
# What is under way, how much of it is done, and how much there is; 0 where nobody knows.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class BackedUpPart:
    """One part of a backup, as its manifest names it."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class BackupManifest:
    """What a backup says of itself; `revision` and `mark` are its place in the change log.

    `database` is `sqlite` or `postgresql`, `made_at` ISO 8601 in UTC. `rows` counts each table's
    rows; `sequences` hold the last numbers that PostgreSQL gave out. `decisions_sha256` is the head
    of the chain of decisions, None before the first.
    """

    format: int
    software: str
    database: str
    schema: str
    registry_id: str
    made_at: str
    revision: int
    mark: int
    decisions_sha256: str | None
    rows: Mapping[str, int]
    sequences: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, BackedUpPart] = field(default_factory=dict)


class BackupWriter:
    """Writes the parts of a new backup, one after another."""

    def __init__(self, file: IO[bytes]) -> None:
        # Images and vectors do not get smaller.
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)
        self.parts: dict[str, BackedUpPart] = {}

    def add(self, part: str, chunks: Iterator[bytes]) -> None:
        """Write a part from its pieces."""
        digest, size = hashlib.sha256(), 0
        with self._open(part) as target:
            for chunk in chunks:
                target.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        self.parts[part] = BackedUpPart(size, digest.hexdigest())

    def finish(self, manifest: BackupManifest) -> None:
        """Write the manifest, and with it the end of the file."""
        content = json.dumps({**asdict(manifest), "parts": _plain(self.parts)}, indent=2)
        with self._open(_MANIFEST) as target:
            target.write(content.encode())
        self._zip.close()

    def close(self) -> None:
        """Write no more; without `finish` before it, what is there is no backup."""
        self._zip.close()

    def _open(self, part: str) -> IO[bytes]:
        entry = zipfile.ZipInfo(part)
        entry.external_attr = PRIVATE << 16
        return self._zip.open(entry, "w", force_zip64=True)


class BackupReader:
    """A backup that is there; `manifest` is read and whole, the parts are to be verified."""

    def __init__(self, path: Path) -> None:
        """Open it; `close` it.

        Raises:
            BackupUnusable: it is no backup, is cut short, or a newer version made it.
            OSError: it cannot be read.
        """
        try:
            self._zip = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise BackupUnusable(
                f"{path} is no backup of Countersign, or was cut short ({error})"
            ) from error
        try:
            self.manifest = self._manifest()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def verify(self, progress: Progress) -> None:
        """Read every part, and compare it with what the manifest says.

        Raises:
            BackupUnusable: a part is missing, too many, or not as it was written.
        """
        parts = self.manifest.parts
        if found := set(self._zip.namelist()) ^ {_MANIFEST, *parts}:
            raise BackupUnusable(f"its parts are not those of its manifest: {sorted(found)[0]!r}")
        total = sum(part.bytes for part in parts.values())
        done = 0
        for name, expected in parts.items():
            digest, size = hashlib.sha256(), 0
            for chunk in self.chunks(name):
                digest.update(chunk)
                size += len(chunk)
                progress("Verifying", done + size, total)
            if BackedUpPart(size, digest.hexdigest()) != expected:
                raise BackupUnusable(f"its part {name!r} is damaged: its sha256 has changed")
            done += size

    def chunks(self, part: str) -> Iterator[bytes]:
        """Give the content of a part in pieces.

        Raises:
            BackupUnusable: it is damaged.
        """
        with _damage_told(), self._zip.open(part) as source:
            while chunk := source.read(CHUNK_BYTES):
                yield chunk

    def _manifest(self) -> BackupManifest:
        try:
            size = self._zip.getinfo(_MANIFEST).file_size
        except KeyError as error:
            raise BackupUnusable("it has no manifest, so it is no backup of Countersign") from error
        if size > _LARGEST_MANIFEST_BYTES:
            raise BackupUnusable("its manifest is damaged")
        with _damage_told():
            return _read_manifest(self._zip.read(_MANIFEST))


@contextmanager
def new_backup(path: Path) -> Iterator[tuple[BackupWriter, Path]]:
    """Give what writes a new backup at `path`, and the name under which it is until it is whole.

    At the end it is on disk and has its own name. After an error nothing is left of it.

    Raises:
        BackupNotMade: there is a file of this name already, or no folder for it.
    """
    if not path.parent.is_dir():
        raise BackupNotMade(f"there is no folder {path.parent}")
    require_new(path)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, PRIVATE)
    try:
        with os.fdopen(handle, "w+b") as file:
            with closing(BackupWriter(file)) as writer:
                yield writer, partial
            file.flush()
            os.fsync(file.fileno())
        _give_name(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def require_new(path: Path) -> None:
    """Return when there is nothing at `path`: no backup is ever overwritten.

    Raises:
        BackupNotMade: there is something.
    """
    if os.path.lexists(path):
        raise BackupNotMade(f"{path} exists already, and no file is overwritten; name another")


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _give_name(partial: Path, path: Path) -> None:
    try:
        # Unlike a renaming, this replaces nothing that came there meanwhile.
        os.link(partial, path)
    except FileExistsError:
        require_new(path)
    except OSError:  # A file system without links.
        require_new(path)
        partial.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have a folder's new names on disk; some network shares know no such thing."""
    with suppress(OSError), closing(_Handle(folder)) as handle:
        os.fsync(handle.number)


class _Handle:
    def __init__(self, folder: Path) -> None:
        self.number = os.open(folder, os.O_RDONLY)

    def close(self) -> None:
        os.close(self.number)


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise BackupUnusable(f"it is damaged ({error})") from error


def _plain(parts: Mapping[str, BackedUpPart]) -> dict[str, Any]:
    return {name: asdict(part) for name, part in parts.items()}


def _read_manifest(text: bytes) -> BackupManifest:
    try:
        content = json.loads(text)
        _require_format(content)
        parts = {name: BackedUpPart(**part) for name, part in content.pop("parts").items()}
        manifest = BackupManifest(**content, parts=parts)
        datetime.fromisoformat(manifest.made_at)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise BackupUnusable("its manifest is damaged") from error
    numbers = [manifest.revision, manifest.mark, *manifest.sequences.values()]
    numbers += [part.bytes for part in manifest.parts.values()]
    texts = [one for one in fields(manifest) if one.type is str]
    if not all(type(one) is int for one in numbers) or not all(
        type(getattr(manifest, one.name)) is str for one in texts
    ):
        raise BackupUnusable("its manifest is damaged")
    return manifest


def _require_format(content: Mapping[str, Any]) -> None:
    if content["format"] != FORMAT:
        raise BackupUnusable(
            f"its format is {content['format']!r}, expected {FORMAT}: version "
            f"{content.get('software')!r} of Countersign made it; restore it with that version"
        )
