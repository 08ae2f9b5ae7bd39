"""The reference signatures of a writer: adding, listing, showing and erasing them.

`References` gives each question and change a transaction of its own; the functions below it take
the connection of a transaction that somebody else begins and commits.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select

from index.errors import DuplicateReference, ImageNotHeld, UnknownReference, UnknownWriter
from index.registry import change_log, embeddings, models
from index.registry.access import kept_answers
from index.registry.audit import chain
from index.registry.audit.chain import ANYBODY, AuditEvent
from index.registry.audit.erasing import erase_images
from index.registry.audit.stored_image import StoredImage
from index.registry.database import Database, WriteLock, lock_also
from index.registry.disk import erasures
from index.registry.schema import EmbeddingRow, ReferenceRow, WriterRow
from index.vectors.unit_vectors import unit_vectors


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
class Reference:
    """A reference signature that is enrolled, without its image."""

    reference_id: int
    writer_id: str
    sha256: str
    media_type: str
    quality: dict[str, object]
    created_at: datetime

    @classmethod
    def of_row(cls, row: Row[*tuple[Any, ...]]) -> Self:
        """Return the reference of a row that has these columns, among others."""
        return cls(**{field.name: getattr(row, field.name) for field in fields(cls)})


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
class Holder:
    """A writer who has an image as a reference."""

    sha256: str
    writer_id: str
    reference_id: int


class References:
    """The writers' reference signatures; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        writer_id: str,
        model_id: str,
        references: Sequence[NewReference],
        *,
        actor: str = ANYBODY,
    ) -> list[Reference]:
        """Add references under a model, all or none, in the given order.

        Who did so, `actor`, is put on the audit chain with it; as by every change below.

        Raises:
            UnknownWriter: nobody is enrolled under this id.
            UnknownModel: the registry has no such model.
            ModelChanged: another model is active now.
            DuplicateReference: the writer has this very image already.
            InvalidVector: they are not finite unit vectors of the expected size.
            InvalidPieces: they are more bytes than are kept, or not one for each reference.
        """
        with self._database.write() as connection:
            added = add(connection, writer_id, model_id, references)
            if added:
                details = {"references": [one.reference_id for one in added]}
                entry = AuditEvent("reference.added", actor, subject=writer_id, details=details)
                chain.append(connection, entry)
            return added

    def held(self, images: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those of these (writer_id, sha256) that are references; thousands at most."""
        with self._database.read() as connection:
            return held(connection, images)

    def of_writer(self, writer_id: str) -> list[Reference]:
        """Return a writer's references, oldest first.

        Raises:
            UnknownWriter: nobody is enrolled under this id.
        """
        with self._database.read() as connection:
            return listed(connection, writer_id)

    def sha256_to_id(self, writer_id: str) -> dict[str, int]:
        """Return sha256 -> reference_id of a writer; empty for one who is not enrolled."""
        with self._database.read() as connection:
            return sha256_to_id(connection, writer_id)

    def image(self, writer_id: str, reference_id: int, cleaned: bool = False) -> StoredImage:
        """Return the uploaded image, or its cleaned preview.

        Raises:
            UnknownWriter: nobody is enrolled under this id.
            UnknownReference: the writer has no such reference.
            ImageNotHeld: the reference came here as a vector, without its image.
        """
        with self._database.read() as connection:
            return image(connection, writer_id, reference_id, cleaned)

    def view_image(
        self, writer_id: str, reference_id: int, *, cleaned: bool = False, actor: str = ANYBODY
    ) -> StoredImage:
        """Return an image as `image` does, and put on the audit chain who looked at it."""
        with self._database.write(WriteLock.AUDIT) as connection:
            found = image(connection, writer_id, reference_id, cleaned)
            details = {"reference": reference_id, "cleaned": cleaned}
            entry = AuditEvent("image.viewed", actor, subject=writer_id, details=details)
            chain.append(connection, entry)
            return found

    def digests(self, reference_ids: Collection[int]) -> dict[int, str]:
        """Return reference_id -> sha256 of the image, of those of these that are there."""
        with self._database.read() as connection:
            rows = connection.execute(_DIGESTS, {"reference_ids": list(reference_ids)}).all()
        return {row.reference_id: row.sha256 for row in rows}

    def images(self, reference_ids: Collection[int]) -> dict[int, tuple[str, StoredImage]]:
        """Return reference_id -> sha256 and image, of those of these that have one; few."""
        query = select(
            ReferenceRow.reference_id,
            ReferenceRow.sha256,
            ReferenceRow.media_type,
            ReferenceRow.image,
        ).where(ReferenceRow.reference_id.in_(reference_ids))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {
            row.reference_id: (row.sha256, StoredImage(row.image, row.media_type))
            for row in rows
            if row.image
        }

    def filenames(self, writer_id: str) -> dict[int, str]:
        """Return reference_id -> file name as sent, of those of a writer's that came with one."""
        with self._database.read() as connection:
            return filenames(connection, writer_id)

    def previews(self, reference_ids: Collection[int]) -> dict[int, bytes]:
        """Return reference_id -> cleaned preview, PNG, of those of these that have one; few."""
        with self._database.read() as connection:
            return previews(connection, reference_ids)

    def holders(self, digests: Collection[str]) -> list[Holder]:
        """Return whose references these images, by sha256, are; thousands at most."""
        with self._database.read() as connection:
            return holders(connection, digests)

    def erase(self, writer_id: str, reference_id: int, *, actor: str = ANYBODY) -> None:
        """Erase one reference for good, as `Writers.erase` does.

        Raises:
            UnknownWriter: nobody is enrolled under this id.
            UnknownReference: the writer has no such reference.
        """
        self._database.write_despite_full(
            lambda connection: erase(connection, writer_id, reference_id, actor)
        )
        self._database.cut_off_log()

    def sampled(self, limit: int) -> dict[int, str]:
        """Return reference_id -> writer_id of up to `limit` references, drawn at random.

        The same for the same references. Of millions, few are read.
        """
        with self._database.read() as connection:
            return sampled(connection, limit)

    def writers_of(self, reference_ids: Collection[int]) -> dict[int, str]:
        """Return reference_id -> writer_id of those of these references that are there."""
        with self._database.read() as connection:
            return embeddings.writers_of(connection, reference_ids)


_HELD = select(ReferenceRow.sha256).where(
    ReferenceRow.writer_id == bindparam("writer_id"),
    ReferenceRow.sha256.in_(bindparam("digests", expanding=True)),
)
_DIGESTS = select(ReferenceRow.reference_id, ReferenceRow.sha256).where(
    ReferenceRow.reference_id.in_(bindparam("reference_ids", expanding=True))
)
_PREVIEWS = select(ReferenceRow.reference_id, ReferenceRow.cleaned_png).where(
    ReferenceRow.reference_id.in_(bindparam("reference_ids", expanding=True))
)
_HOLDERS = (
    select(ReferenceRow.sha256, ReferenceRow.writer_id, ReferenceRow.reference_id)
    .where(ReferenceRow.sha256.in_(bindparam("digests", expanding=True)))
    .order_by(ReferenceRow.reference_id)
)
_ID_RANGE = select(
    func.coalesce(func.min(ReferenceRow.reference_id), 1),
    func.coalesce(func.max(ReferenceRow.reference_id), 0),
)
# Where ids reach so many times further than a sample, some of them are drawn and looked up,
_DENSE = 4
_DRAWS = 10  # so many times.
_INSERTED = insert(ReferenceRow).returning(ReferenceRow.reference_id, sort_by_parameter_order=True)


def add(
    connection: Connection, writer_id: str, model_id: str, references: Sequence[NewReference]
) -> list[Reference]:
    """Add references with their embeddings under one model, in the given order.

    Raises:
        UnknownWriter: nobody is enrolled under this id.
        UnknownModel: the registry has no such model.
        ModelChanged: another model is active now.
        InvalidVector: they are not finite unit vectors of the expected size.
        InvalidPieces: they are more bytes than are kept, or not one for each reference.
        DuplicateReference: the writer has this very image already.
    """
    _require_writer(connection, writer_id)
    models.require_active(connection, model_id)
    dimension = models.dimension_of(connection, model_id)
    if not references:
        return []
    vectors = unit_vectors(np.stack([reference.vector for reference in references]), dimension)
    _refuse_duplicates(connection, writer_id, references)
    created_at = datetime.now(UTC)
    with models.counted(connection, [writer_id]):
        rows = [_row(writer_id, reference, created_at) for reference in references]
        reference_ids = list(connection.execute(_INSERTED, rows).scalars())
        pieces = [reference.pieces for reference in references]
        embeddings.insert_vectors(connection, model_id, reference_ids, vectors, pieces)
    return [
        Reference(
            reference_id=reference_id,
            writer_id=writer_id,
            sha256=reference.sha256,
            media_type=reference.media_type,
            quality=dict(reference.quality),
            created_at=created_at,
        )
        for reference_id, reference in zip(reference_ids, references, strict=True)
    ]


def add_in_bulk(
    connection: Connection, model_id: str, references: Sequence[tuple[str, NewReference]]
) -> int:
    """Add references, each with its writer's id, whose writers are enrolled; return how many.

    An image that the writer has already, or that comes twice, is passed over.

    Raises:
        UnknownModel: the registry has no such model.
        ModelChanged: another model is active now.
        InvalidVector: they are not finite unit vectors of the expected size.
        InvalidPieces: they are more bytes than are kept, or not one for each reference.
    """
    models.require_active(connection, model_id)
    dimension = models.dimension_of(connection, model_id)
    by_image: dict[tuple[str, str], NewReference] = {}
    for writer_id, one in references:
        by_image.setdefault((writer_id, one.sha256), one)
    for image in held(connection, by_image):
        del by_image[image]
    if not by_image:
        return 0
    vectors = unit_vectors(np.stack([one.vector for one in by_image.values()]), dimension)
    created_at = datetime.now(UTC)
    with models.counted(connection, {writer_id for writer_id, _ in by_image}):
        rows = [_row(writer_id, one, created_at) for (writer_id, _), one in by_image.items()]
        reference_ids = list(connection.execute(_INSERTED, rows).scalars())
        pieces = [one.pieces for one in by_image.values()]
        embeddings.insert_vectors(connection, model_id, reference_ids, vectors, pieces)
    return len(rows)


def held(connection: Connection, images: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return those of these (writer_id, sha256) that are references; some thousands at a time."""
    digests: dict[str, list[str]] = defaultdict(list)
    for writer_id, digest in images:
        digests[writer_id].append(digest)
    # One lookup a writer: SQLite would scan its whole index for a list of pairs.
    return {
        (writer_id, digest)
        for writer_id, own in digests.items()
        for digest in connection.execute(_HELD, {"writer_id": writer_id, "digests": own}).scalars()
    }


def listed(connection: Connection, writer_id: str) -> list[Reference]:
    """Return a writer's references, oldest first.

    Raises:
        UnknownWriter: nobody is enrolled under this id.
    """
    _require_writer(connection, writer_id)
    rows = connection.execute(
        select(
            ReferenceRow.reference_id,
            ReferenceRow.writer_id,
            ReferenceRow.sha256,
            ReferenceRow.media_type,
            ReferenceRow.quality,
            ReferenceRow.created_at,
        )
        .where(ReferenceRow.writer_id == writer_id)
        .order_by(ReferenceRow.reference_id)
    ).all()
    return [Reference.of_row(row) for row in rows]


def sha256_to_id(connection: Connection, writer_id: str) -> dict[str, int]:
    """Return sha256 -> reference_id of a writer; empty for a writer who is not enrolled."""
    rows = connection.execute(
        select(ReferenceRow.sha256, ReferenceRow.reference_id).where(
            ReferenceRow.writer_id == writer_id
        )
    ).all()
    return {row.sha256: row.reference_id for row in rows}


def image(connection: Connection, writer_id: str, reference_id: int, cleaned: bool) -> StoredImage:
    """Return a reference's image as uploaded, or its cleaned preview.

    Raises:
        UnknownWriter: nobody is enrolled under this id.
        UnknownReference: the writer has no such reference.
        ImageNotHeld: the reference came here as a vector, without its image.
    """
    data = ReferenceRow.cleaned_png if cleaned else ReferenceRow.image
    row = connection.execute(
        select(data.label("data"), ReferenceRow.media_type).where(
            ReferenceRow.reference_id == reference_id, ReferenceRow.writer_id == writer_id
        )
    ).first()
    if row is None:
        _require_writer(connection, writer_id)
        raise UnknownReference(writer_id, reference_id)
    if not row.data:
        raise ImageNotHeld(writer_id, reference_id)
    return StoredImage(row.data, "image/png" if cleaned else row.media_type)


def filenames(connection: Connection, writer_id: str) -> dict[int, str]:
    """Return reference_id -> file name as sent, of those of a writer's that came with one."""
    rows = connection.execute(
        select(ReferenceRow.reference_id, ReferenceRow.filename).where(
            ReferenceRow.writer_id == writer_id
        )
    ).all()
    return {row.reference_id: row.filename for row in rows if row.filename is not None}


def previews(connection: Connection, reference_ids: Collection[int]) -> dict[int, bytes]:
    """Return reference_id -> cleaned preview, PNG, of those of these references that have one."""
    rows = connection.execute(_PREVIEWS, {"reference_ids": list(reference_ids)}).all()
    return {row.reference_id: row.cleaned_png for row in rows if row.cleaned_png}


def holders(connection: Connection, digests: Collection[str]) -> list[Holder]:
    """Return whose references these images, by sha256, are, in the order of references."""
    rows = connection.execute(_HOLDERS, {"digests": list(digests)}).all()
    return [Holder(*row) for row in rows]


def erase(connection: Connection, writer_id: str, reference_id: int, actor: str = ANYBODY) -> None:
    """Delete one reference and its embeddings.

    Raises:
        UnknownWriter: nobody is enrolled under this id.
        UnknownReference: the writer has no such reference.
    """
    _require_writer(connection, writer_id)
    with models.counted(connection, [writer_id]):
        found = connection.execute(
            select(ReferenceRow.sha256).where(
                ReferenceRow.reference_id == reference_id, ReferenceRow.writer_id == writer_id
            )
        ).first()
        if found is None:
            raise UnknownReference(writer_id, reference_id)
        erasures.note_reference(connection, reference_id)
        kept_answers.forget(connection, writer_id)
        connection.execute(delete(EmbeddingRow).where(EmbeddingRow.reference_id == reference_id))
        connection.execute(delete(ReferenceRow).where(ReferenceRow.reference_id == reference_id))
    change_log.log_erasures(connection, [reference_id])
    lock_also(connection, WriteLock.DECISIONS)
    images = erase_images(connection, [found.sha256])
    details = {"reference": reference_id, **images.details()}
    entry = AuditEvent("reference.erased", actor, subject=writer_id, details=details)
    chain.append(connection, entry)


def sampled(connection: Connection, limit: int) -> dict[int, str]:
    """Return reference_id -> writer_id of up to `limit` references, drawn at random."""
    lowest, highest = connection.execute(_ID_RANGE).one()
    span, rng = highest - lowest + 1, np.random.default_rng(0)
    found: dict[int, str] = {}
    if span > _DENSE * limit:
        for _ in range(_DRAWS):
            drawn = [int(one) for one in rng.integers(lowest, highest + 1, _DENSE * limit)]
            owners = embeddings.writers_of(connection, dict.fromkeys(drawn))
            found |= {one: owners[one] for one in drawn if one in owners}
            if len(found) >= limit:
                return dict(list(found.items())[:limit])
    # Few references, or few left of many: all are read.
    every = connection.execute(select(ReferenceRow.reference_id)).scalars().all()
    mixed = [int(one) for one in rng.permutation(np.sort(np.array(every, np.int64)))[:limit]]
    owners = embeddings.writers_of(connection, mixed)
    return {one: owners[one] for one in mixed if one in owners}


def _require_writer(connection: Connection, writer_id: str) -> None:
    own = select(WriterRow.writer_id).where(WriterRow.writer_id == writer_id)
    if connection.execute(own).first() is None:
        raise UnknownWriter(writer_id)


def _refuse_duplicates(
    connection: Connection, writer_id: str, references: Sequence[NewReference]
) -> None:
    seen: dict[str, int | None] = dict(sha256_to_id(connection, writer_id))
    for reference in references:
        if reference.sha256 in seen:
            raise DuplicateReference(seen[reference.sha256])
        seen[reference.sha256] = None


def _row(writer_id: str, reference: NewReference, created_at: datetime) -> dict[str, object]:
    return {
        "writer_id": writer_id,
        "sha256": reference.sha256,
        "media_type": reference.media_type,
        "filename": reference.filename,
        "quality": dict(reference.quality),
        "created_at": created_at,
        "cleaned_png": reference.cleaned_png,
        "image": reference.image,
    }
