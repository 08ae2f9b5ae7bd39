"""The values that the gallery takes and gives: frozen, and free of SQL and FAISS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Writer:
    """Someone enrolled; `created_at` is aware, in UTC."""

    writer_id: str
    name: str
    reference_count: int
    created_at: datetime


@dataclass(frozen=True)
class WriterPage:
    """Some writers in the order of their ids; `next_cursor` is None on the last page."""

    writers: tuple[Writer, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class NewReference:
    """A reference signature about to be enrolled; `vector` is a (d,) float32 unit vector.

    `pieces` is what its model keeps besides the vector, opaque here; None if it keeps nothing.
    """

    image: bytes
    media_type: str
    cleaned_png: bytes
    sha256: str
    quality: Mapping[str, object]
    vector: NDArray[np.float32]
    filename: str | None = None
    pieces: bytes | None = None


@dataclass(frozen=True)
class NewEnrollment:
    """A writer to enroll in bulk, known or not, with a reference to add if there is one."""

    writer_id: str
    name: str
    reference: NewReference | None = None


@dataclass(frozen=True)
class Reference:
    """A reference signature that is enrolled, without its image."""

    reference_id: int
    writer_id: str
    sha256: str
    media_type: str
    quality: dict[str, object]
    created_at: datetime


@dataclass(frozen=True)
class StoredReference:
    """All that the registry holds of a reference under one model; `vector` is (d,) float32.

    `pieces` are None where the model keeps none. The images are None where they were not asked
    for, and b"" where they are not held.
    """

    reference: Reference
    writer_name: str
    filename: str | None
    vector: NDArray[np.float32]
    pieces: bytes | None
    image: bytes | None
    cleaned_png: bytes | None


@dataclass(frozen=True)
class StoredImage:
    """An image as it was uploaded, or its cleaned preview."""

    data: bytes
    media_type: str


@dataclass(frozen=True)
class Claim:
    """A writer's references under one model: ids (r,) int64 and unit vectors (r, d) float32.

    `pieces` are those of the r references; None where they were not asked for, or where the model
    kept none of any one of them.
    """

    writer_id: str
    name: str
    reference_ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    pieces: tuple[bytes, ...] | None = None


@dataclass(frozen=True)
class GallerySize:
    """How many writers and references one model can compare with."""

    writers: int
    references: int


@dataclass(frozen=True)
class ModelFiles:
    """What a model is made of, as the encoder reads it: a manifest and a network."""

    manifest: bytes
    network: bytes


@dataclass(frozen=True)
class KnownModel:
    """A model that the registry holds embeddings of, and how many of all references it has seen.

    `state` is `active`, `before` for the one that a rollback goes back to, or None. `kept` says
    whether the registry has its files, so that servers can change over to it.
    """

    model_id: str
    name: str
    dimension: int
    embedded: int
    references: int
    state: Literal["active", "before"] | None
    kept: bool

    @property
    def missing(self) -> int:
        """How many references the model has yet to see."""
        return self.references - self.embedded


@dataclass(frozen=True)
class DecisionRecord:
    """What was decided, from what; numbers are finite, or None where there is none.

    `candidates` are JSON objects, without names: the audit trail outlives an erased writer.
    """

    kind: Literal["verify", "identify"]
    verdict: str
    writer_id: str | None
    operating_point: str | None
    score: float | None
    log_lr: float | None
    threshold: float | None
    non_match_threshold: float | None
    model_id: str
    reference_ids: tuple[int, ...]
    candidates: Sequence[Mapping[str, object]] | None
    probe_sha256: str
    caller: str


@dataclass(frozen=True)
class ChainReport:
    """The audit trail re-computed: `broken_at` is the first decision that does not fit.

    `reason` says why: its content, its place, or a chain version that is not known here.

    A chain cannot show that its last rows were cut off: keep `length` and `head_sha256`
    somewhere else and compare.
    """

    length: int
    head_sha256: str
    broken_at: str | None
    reason: str | None = None

    @property
    def intact(self) -> bool:
        """Whether every decision is as it was written."""
        return self.broken_at is None


@dataclass(frozen=True)
class Position:
    """A place in the change log; `mark` is the random number written with that revision.

    Two histories of one registry (before and after a restored backup) can share a revision
    number, but not its mark.
    """

    revision: int
    mark: int


START = Position(revision=0, mark=0)


@dataclass(frozen=True)
class SharedIndex:
    """How far a shared index has come, and its collection; None where none was made yet."""

    collection: str | None
    position: Position


@dataclass(frozen=True)
class Changes:
    """What an index must apply to get to `position`: first take out, then put in.

    `touched` (m,) int64 are the references that were put or erased; `reference_ids` (n,) int64
    and `vectors` (n, d) float32 those of them that are in the registry now. `rows` counts the
    lines of the log read, `erasures` those of them that erased.
    """

    position: Position
    touched: NDArray[np.int64]
    reference_ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    rows: int
    erasures: int


@dataclass(frozen=True, eq=False, slots=True)
class Neighbours:
    """References near a probe, nearest first: ids (m,) int64 and cosines (m,) float32, -1 to 1."""

    reference_ids: NDArray[np.int64]
    similarities: NDArray[np.float32]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.reference_ids)


NO_NEIGHBOURS = Neighbours(np.empty(0, np.int64), np.empty(0, np.float32))


@dataclass(frozen=True)
class OpenReport:
    """Where an index came from; `reason` says why what was saved was not used, if it was not.

    `shared` is an index that a server holds for several processes.
    """

    source: Literal["snapshot", "rebuilt", "shared"]
    reason: str | None
    applied: int


@dataclass(frozen=True)
class CheckReport:
    """Index against registry: reference ids that are missing, too many, or of other vectors.

    An index of the kind flat or milvus is compared byte for byte; one of the kind ivf to one step
    of its 6-bit codes, and by the list that holds the reference.
    """

    missing: tuple[int, ...]
    extra: tuple[int, ...]
    different: tuple[int, ...]
    registry_count: int
    index_count: int
    kind: str
    revision: int

    @property
    def clean(self) -> bool:
        """Whether the index holds exactly what the registry holds."""
        return not (self.missing or self.extra or self.different)


@dataclass(frozen=True)
class ErasureReport:
    """What was ever erased, looked for in the index and in its snapshot on disk.

    `erased` counts the references; `snapshot` says why there was none to look into, if so.
    """

    erased: int
    in_index: tuple[int, ...]
    in_snapshot: tuple[int, ...]
    snapshot: str | None

    @property
    def clean(self) -> bool:
        """Whether nothing that was erased is held any more."""
        return not (self.in_index or self.in_snapshot)
