"""An index on disk: written so that it is whole or not there, and never trusted when read.

A folder holds one snapshot: a data file, and a manifest that names it with its sha256. Renaming the
manifest into place is the moment a snapshot counts. The processes of one host share the folder by a
lock on a file in it. What an index holds, and when to save it, is for the gallery.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from uuid import uuid4

from index.errors import SnapshotNotSaved, SnapshotUnusable
from index.registry.change_log import Position
from index.vectors.private_file import make_private
from index.vectors.vector_index import LocalIndex

FORMAT = 1
MAX_NUMBER = 2**63 - 1  # The change log's numbers are 64-bit.
_MANIFEST = "manifest.json"
_NEW_MANIFEST = "manifest.json.new"
_DATA_PATTERN = "index-*.faiss"


@dataclass(frozen=True)
class Origin:
    """Whose index a snapshot is: it is of no use to another registry or model."""

    registry_id: str
    model_id: str
    dimension: int


@dataclass(frozen=True)
class Manifest:
    """What a snapshot says of itself; `mark` is that of its revision in the change log."""

    format: int
    registry_id: str
    model_id: str
    dimension: int
    kind: str
    revision: int
    mark: int
    file: str
    sha256: str


class SnapshotFolder:
    """The folder in which the processes of one host keep one gallery's snapshot."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder alone among threads and processes, to save or to forget.

        Not reentrant.

        Raises:
            SnapshotNotSaved: there can be no such folder.
        """
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SnapshotNotSaved(f"its folder cannot be written ({error.strerror})") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def load(
        self, kinds: Mapping[str, type[LocalIndex]], origin: Origin
    ) -> tuple[LocalIndex, Position]:
        """Return the saved index, of one of these kinds, and its place in the change log.

        Raises:
            SnapshotUnusable: there is none, or it must not be trusted.
        """
        if not (self._path / _MANIFEST).exists():
            raise SnapshotUnusable("there is no snapshot")
        try:
            with self.locked():
                manifest = self._manifest()
                _require_origin(manifest, origin)
                if manifest.kind not in kinds:
                    raise SnapshotUnusable(
                        f"it was saved for another kind: expected one of {', '.join(kinds)}, "
                        f"found {manifest.kind!r}"
                    )
                data = self._path / manifest.file
                if _sha256(data) != manifest.sha256:
                    raise SnapshotUnusable(f"{data.name} is damaged: its sha256 has changed")
                index = kinds[manifest.kind].load(data, origin.dimension)
        except SnapshotNotSaved as error:
            raise SnapshotUnusable(error.reason) from error
        except OSError as error:
            raise SnapshotUnusable(f"its files cannot be read ({error.strerror})") from error
        return index, Position(manifest.revision, manifest.mark)

    def position(self) -> Position | None:
        """Return how far the snapshot on disk goes, by its own words; None when there is none."""
        try:
            manifest = self._manifest()
        except (OSError, SnapshotUnusable):
            return None
        return Position(manifest.revision, manifest.mark)

    def save(self, index: LocalIndex, origin: Origin, position: Position) -> None:
        """Write an index that holds at least all changes up to `position`; hold `locked`.

        What is newer than `position` may be in it: applying a change twice does no harm.

        Raises:
            SnapshotNotSaved: the snapshot before it is then still there.
        """
        data = self._path / f"index-{position.revision}-{uuid4().hex}.faiss"
        try:
            index.save(data)
            _sync(data)
            manifest = Manifest(
                FORMAT,
                **asdict(origin),
                kind=index.kind,
                revision=position.revision,
                mark=position.mark,
                file=data.name,
                sha256=_sha256(data),
            )
            self._commit(manifest)
        except OSError as error:
            raise SnapshotNotSaved(error.strerror or str(error)) from error
        finally:
            # The snapshot before it; or, on a full disk, what was written of this one.
            with suppress(OSError):
                self._remove_unnamed()

    def forget(self) -> None:
        """Remove the snapshot and whatever an interrupted save has left; hold `locked`.

        Raises:
            OSError: a file cannot be removed.
        """
        (self._path / _MANIFEST).unlink(missing_ok=True)
        (self._path / _NEW_MANIFEST).unlink(missing_ok=True)
        _sync(self._path)
        self._remove_unnamed()

    def _manifest(self) -> Manifest:
        text = (self._path / _MANIFEST).read_bytes()
        try:
            content = json.loads(text)
            manifest = Manifest(**content)
        except (ValueError, TypeError, RecursionError) as error:
            raise SnapshotUnusable("its manifest is damaged") from error
        for field in fields(manifest):
            if type(getattr(manifest, field.name)) is not field.type:
                raise SnapshotUnusable(f"its manifest is damaged: {field.name}")
        if not Path(manifest.file).match(_DATA_PATTERN) or "/" in manifest.file:
            raise SnapshotUnusable("its manifest names a file outside the folder")
        if "\0" in manifest.file or not all(
            abs(number) <= MAX_NUMBER for number in (manifest.revision, manifest.mark)
        ):
            raise SnapshotUnusable("its manifest is damaged")
        return manifest

    def _commit(self, manifest: Manifest) -> None:
        new = self._path / _NEW_MANIFEST
        make_private(new)
        new.write_text(json.dumps(asdict(manifest), indent=2) + "\n", encoding="utf-8")
        _sync(new)
        # The data file's name must be on disk before the manifest that speaks of it.
        _sync(self._path)
        new.replace(self._path / _MANIFEST)
        _sync(self._path)

    def _remove_unnamed(self) -> None:
        """Remove the data files that the manifest does not name, all if there is no manifest."""
        try:
            named = self._manifest().file
        except (FileNotFoundError, SnapshotUnusable):
            named = None
        for path in self._path.glob(_DATA_PATTERN):
            if path.name != named:
                path.unlink(missing_ok=True)
        _sync(self._path)


def _require_origin(manifest: Manifest, origin: Origin) -> None:
    expected = {"format": FORMAT, **asdict(origin)}
    for name, value in expected.items():
        found = getattr(manifest, name)
        if found != value:
            raise SnapshotUnusable(
                f"it was saved for another {name.removesuffix('_id')}: "
                f"expected {value!r}, found {found!r}"
            )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
