"""The tables of the registry, typed; their history is kept by the package `migrations`."""

from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, kept and given back in UTC (SQLite itself forgets the zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse a naive time, whose zone nobody knows."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("Expected a datetime with a time zone, got a naive one.")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give the time its zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite numbers rows by itself only in a column declared exactly INTEGER, which is 64 bits there.
RowNumber = BigInteger().with_variant(Integer, "sqlite")
# Byte order on every database: a page's cursor then means the same everywhere.
WriterIdText = String(64).with_variant(String(64, collation="C"), "postgresql")
Sha256Text = String(64)

WriterId = Annotated[str, mapped_column(WriterIdText)]
Sha256 = Annotated[str, mapped_column(Sha256Text)]
Moment = Annotated[datetime, mapped_column(UtcDateTime)]


class Base(DeclarativeBase):
    """The registry's metadata; every constraint has a name, so that a migration can drop it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class RegistryRow(Base):
    """One row: the registry's own name, by which a snapshot knows whose it is."""

    __tablename__ = "registry"
    registry_id: Mapped[str] = mapped_column(String(32), primary_key=True)


class WriterRow(Base):
    """Someone enrolled; `search_text` is id and name folded for a search without case.

    `erasure_token` is random and goes with the row; its hash is all that an erasure keeps, and
    finds the row in a backup. NULL for who was enrolled before there were tokens.
    """

    __tablename__ = "writers"
    writer_id: Mapped[str] = mapped_column(WriterIdText, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    search_text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[Moment]
    erasure_token: Mapped[bytes | None] = mapped_column(LargeBinary)


class ReferenceRow(Base):
    """A reference signature; the images come last, so that SQLite reads past them rarely."""

    __tablename__ = "signature_references"
    # The constraint's index also finds a writer's references; the other, who else has an image.
    __table_args__ = (
        UniqueConstraint("writer_id", "sha256"),
        Index(None, "sha256"),
        {"sqlite_autoincrement": True},  # A number is never given out twice.
    )
    reference_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    writer_id: Mapped[str] = mapped_column(
        WriterIdText, ForeignKey("writers.writer_id", ondelete="CASCADE")
    )
    sha256: Mapped[Sha256]
    media_type: Mapped[str] = mapped_column(String(64))
    filename: Mapped[str | None] = mapped_column(Text)
    quality: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[Moment]
    cleaned_png: Mapped[bytes] = mapped_column(LargeBinary)
    image: Mapped[bytes] = mapped_column(LargeBinary)


class ModelRow(Base):
    """A model by its hash; the counts are kept with every change, so that they cost nothing."""

    __tablename__ = "models"
    model_id: Mapped[str] = mapped_column(Sha256Text, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    dimension: Mapped[int]
    writer_count: Mapped[int] = mapped_column(BigInteger)
    reference_count: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[Moment]


class ModelFilesRow(Base):
    """What a model is made of, for every server to open; apart from the counts, which change."""

    __tablename__ = "model_files"
    model_id: Mapped[str] = mapped_column(
        Sha256Text, ForeignKey("models.model_id"), primary_key=True
    )
    manifest: Mapped[bytes] = mapped_column(LargeBinary)
    network: Mapped[bytes] = mapped_column(LargeBinary)


class ModelSwitchRow(Base):
    """A line for each time that a model became the active one; the last line's model is it."""

    __tablename__ = "model_switches"
    __table_args__ = ({"sqlite_autoincrement": True},)
    sequence: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    model_id: Mapped[str] = mapped_column(Sha256Text, ForeignKey("models.model_id"))
    switched_at: Mapped[Moment]
    caller: Mapped[str] = mapped_column(String(200))


class GalleryCalibrationRow(Base):
    """What was worked out from the enrolled references for a model's rule; never changed.

    `rule_id` is what the rule of `base_rule_id` becomes by it. `parameters` hold numbers about the
    gallery as a whole, opaque here: nothing of any one writer, so an erasure leaves them.
    """

    __tablename__ = "gallery_calibrations"
    __table_args__ = (Index(None, "model_id"), {"sqlite_autoincrement": True})
    calibration_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    model_id: Mapped[str] = mapped_column(Sha256Text, ForeignKey("models.model_id"))
    base_rule_id: Mapped[str] = mapped_column(String(64))
    rule_id: Mapped[str] = mapped_column(String(64))
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    writer_count: Mapped[int] = mapped_column(BigInteger)
    reference_count: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[Moment]
    caller: Mapped[str] = mapped_column(String(200))


class CalibrationSwitchRow(Base):
    """A line for each time that another calibration was put to use; a model's last one decides.

    NULL is the model's own rule, as before the first line.
    """

    __tablename__ = "calibration_switches"
    __table_args__ = (Index(None, "model_id"), {"sqlite_autoincrement": True})
    sequence: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    model_id: Mapped[str] = mapped_column(Sha256Text, ForeignKey("models.model_id"))
    calibration_id: Mapped[int | None] = mapped_column(
        RowNumber, ForeignKey("gallery_calibrations.calibration_id")
    )
    switched_at: Mapped[Moment]
    caller: Mapped[str] = mapped_column(String(200))


class EmbeddingRow(Base):
    """A reference seen by a model: a unit vector as little-endian float32 bytes, and its pieces.

    `pieces` is what the model keeps of the signature's pieces of strokes besides the vector, opaque
    here; NULL from a model that knows none. It comes last: most readers want the vector alone.
    """

    __tablename__ = "embeddings"
    reference_id: Mapped[int] = mapped_column(
        RowNumber,
        ForeignKey("signature_references.reference_id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    model_id: Mapped[str] = mapped_column(
        Sha256Text, ForeignKey("models.model_id"), primary_key=True
    )
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    pieces: Mapped[bytes | None] = mapped_column(LargeBinary)


class RevisionRow(Base):
    """A line of the change log: an embedding was put, or a reference erased for all models.

    It names the reference and never holds what was erased. Lines are only ever appended.
    """

    __tablename__ = "revisions"
    __table_args__ = (
        CheckConstraint(
            "(kind = 'put' AND model_id IS NOT NULL) OR (kind = 'erase' AND model_id IS NULL)",
            name="kind",
        ),
        {"sqlite_autoincrement": True},
    )
    revision: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    mark: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(8))
    reference_id: Mapped[int] = mapped_column(BigInteger)
    model_id: Mapped[str | None] = mapped_column(Sha256Text)


class SharedIndexRow(Base):
    """An index that several processes share: its place in the log, and the lease to write to it.

    `fence` rises with every taking of the lease; `expires_at_s` is Unix time by the database's own
    clock, 0 when the lease was given back. `address` holds no password.
    """

    __tablename__ = "shared_indexes"
    model_id: Mapped[str] = mapped_column(Sha256Text, primary_key=True)
    address: Mapped[str] = mapped_column(Text, primary_key=True)
    collection: Mapped[str | None] = mapped_column(String(255))
    revision: Mapped[int] = mapped_column(BigInteger)
    mark: Mapped[int] = mapped_column(BigInteger)
    fence: Mapped[int] = mapped_column(BigInteger)
    expires_at_s: Mapped[float] = mapped_column(Double)


class DecisionRow(Base):
    """A line of the audit trail; each carries the hash of the one before it.

    No foreign keys: the trail outlives the writers, references and models that it speaks of.
    `chain_version` says which columns `sha256` covers. Its default is for servers of the version
    before it, which write lines of version 1 until they are replaced. From version 3 on the hash is
    salted, so that nothing can be guessed back from it once `salt` was replaced by an erasure.
    """

    __tablename__ = "decisions"
    __table_args__ = (
        CheckConstraint("kind IN ('verify', 'identify')", name="kind"),
        Index(None, "probe_sha256"),  # Whom the same image matched before.
        Index(None, "writer_id"),
        Index(None, "created_at"),
        {"sqlite_autoincrement": True},
    )
    sequence: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    decision_id: Mapped[str] = mapped_column(String(32), unique=True)
    created_at: Mapped[Moment]
    kind: Mapped[str] = mapped_column(String(16))
    verdict: Mapped[str] = mapped_column(String(32))
    writer_id: Mapped[str | None] = mapped_column(WriterIdText)
    operating_point: Mapped[str | None] = mapped_column(String(64))
    score: Mapped[float | None] = mapped_column(Double)
    log_lr: Mapped[float | None] = mapped_column(Double)
    threshold: Mapped[float | None] = mapped_column(Double)
    non_match_threshold: Mapped[float | None] = mapped_column(Double)
    model_id: Mapped[Sha256]
    reference_ids: Mapped[list[int]] = mapped_column(JSON)
    candidates: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    probe_sha256: Mapped[Sha256]
    caller: Mapped[str] = mapped_column(String(200))
    previous_sha256: Mapped[Sha256]
    sha256: Mapped[Sha256]
    chain_version: Mapped[int] = mapped_column(server_default="1")
    details_sha256: Mapped[Sha256 | None]
    salt: Mapped[bytes | None] = mapped_column(LargeBinary)


class DecisionRuleRow(Base):
    """A rule that decided, as it was: canonical JSON, by its hash."""

    __tablename__ = "decision_rules"
    rule_sha256: Mapped[str] = mapped_column(Sha256Text, primary_key=True)
    rule_id: Mapped[str] = mapped_column(String(64))
    rule: Mapped[str] = mapped_column(Text)


class DecisionDetailsRow(Base):
    """What a decision rests on: canonical JSON, whose hash is the decision's `details_sha256`."""

    __tablename__ = "decision_details"
    sequence: Mapped[int] = mapped_column(
        RowNumber, ForeignKey("decisions.sequence"), primary_key=True, autoincrement=False
    )
    details: Mapped[str] = mapped_column(Text)


class DecisionImageRow(Base):
    """The query image of a decision, as it came, for as long as it is kept."""

    __tablename__ = "decision_images"
    sequence: Mapped[int] = mapped_column(
        RowNumber, ForeignKey("decisions.sequence"), primary_key=True, autoincrement=False
    )
    media_type: Mapped[str] = mapped_column(String(64))
    image: Mapped[bytes] = mapped_column(LargeBinary)


class DecisionMentionRow(Base):
    """A writer whom a decision speaks of, besides the one in its own row: a candidate, say."""

    __tablename__ = "decision_mentions"
    __table_args__ = (Index(None, "sequence"),)
    writer_id: Mapped[str] = mapped_column(WriterIdText, primary_key=True)
    sequence: Mapped[int] = mapped_column(
        RowNumber, ForeignKey("decisions.sequence"), primary_key=True, autoincrement=False
    )


class DecisionHoldRow(Base):
    """A decision that must stay whole until a day; `erased_writer` waits for it to be erased."""

    __tablename__ = "decision_holds"
    __table_args__ = (Index(None, "held_until"),)
    sequence: Mapped[int] = mapped_column(
        RowNumber, ForeignKey("decisions.sequence"), primary_key=True, autoincrement=False
    )
    reason: Mapped[str] = mapped_column(Text)
    held_by: Mapped[str] = mapped_column(String(200))
    held_since: Mapped[Moment]
    held_until: Mapped[Moment]
    erased_writer: Mapped[WriterId | None]


class ReviewRow(Base):
    """What a person said of a decision; its hash, salted, is on the audit chain."""

    __tablename__ = "reviews"
    __table_args__ = (
        CheckConstraint("outcome IN ('accept', 'reject', 'unsure', 'escalate')", name="outcome"),
        UniqueConstraint("sequence", "reviewer"),
        {"sqlite_autoincrement": True},
    )
    review_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    sequence: Mapped[int] = mapped_column(RowNumber, ForeignKey("decisions.sequence"))
    reviewer: Mapped[str] = mapped_column(String(200))
    outcome: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(200))
    comment: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Moment]
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[Sha256]


class ReviewTaskRow(Base):
    """A decision that waits for a person, and who has taken it on until when."""

    __tablename__ = "review_tasks"
    __table_args__ = (Index(None, "done_at"),)
    sequence: Mapped[int] = mapped_column(
        RowNumber, ForeignKey("decisions.sequence"), primary_key=True, autoincrement=False
    )
    why: Mapped[str] = mapped_column(String(16))
    claimed_by: Mapped[str | None] = mapped_column(String(200))
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AuditEntryRow(Base):
    """An entry of the audit chain; each carries the hash of the one before it.

    It holds no personal data: `actor_hmac` and `subject_hmac` stand for rows of `audit_names`.
    `chain_version` says which columns `sha256` covers; `content_sha256` is of a row elsewhere.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index(None, "kind"),
        Index(None, "content_sha256"),
        {"sqlite_autoincrement": True},
    )
    sequence: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    created_at: Mapped[Moment]
    kind: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(64))
    actor_hmac: Mapped[Sha256 | None]
    subject_hmac: Mapped[Sha256 | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    content_sha256: Mapped[Sha256 | None]
    previous_sha256: Mapped[Sha256]
    sha256: Mapped[Sha256]
    chain_version: Mapped[int]


class AuditNameRow(Base):
    """Whom an entry of the audit chain is by (`actor`) or about (`subject`), with the salt."""

    __tablename__ = "audit_names"
    __table_args__ = (
        CheckConstraint("part IN ('actor', 'subject')", name="part"),
        Index(None, "text"),
    )
    sequence: Mapped[int] = mapped_column(
        RowNumber, ForeignKey("audit_entries.sequence"), primary_key=True, autoincrement=False
    )
    part: Mapped[str] = mapped_column(String(8), primary_key=True)
    text: Mapped[str] = mapped_column(String(200))
    salt: Mapped[bytes] = mapped_column(LargeBinary)


class ErasureRow(Base):
    """An erasure, without what it erased; `traces` to look for on disk stay until it is purged.

    `subject_sha256` finds what was erased in a backup, and tells nothing without one
    (`index.registry.disk.subjects`); NULL where an older version erased.
    """

    __tablename__ = "erasures"
    __table_args__ = (Index(None, "purged_at"), {"sqlite_autoincrement": True})
    erasure_id: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    erased_at: Mapped[Moment]
    reference_count: Mapped[int] = mapped_column(BigInteger)
    purged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    traces: Mapped[bytes | None] = mapped_column(LargeBinary)
    subject_sha256: Mapped[str | None] = mapped_column(Sha256Text)


class ApiKeyRow(Base):
    """A program's key by its prefix; only the hash of its secret is kept.

    `replaced_by` is the prefix of the key that it was rotated to; `last_used_at` is to the minute.
    """

    __tablename__ = "api_keys"
    key_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    secret_sha256: Mapped[str] = mapped_column(Sha256Text, unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[Moment]
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    replaced_by: Mapped[str | None] = mapped_column(String(32))


class UserRow(Base):
    """Someone who signs in on the page; no password and no link is kept, only their hashes.

    `totp_step` is the last time step whose code was taken: none is taken twice.
    """

    __tablename__ = "users"
    username: Mapped[str] = mapped_column(String(200), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str | None] = mapped_column(Text)
    link_sha256: Mapped[str | None] = mapped_column(Sha256Text, unique=True)
    link_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    totp_secret: Mapped[str | None] = mapped_column(String(64))
    totp_confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    totp_step: Mapped[int | None] = mapped_column(BigInteger)
    recovery_sha256: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[Moment]
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SessionRow(Base):
    """Someone signed in, by the hash of the token in their cookie; `seen_at` is to the minute."""

    __tablename__ = "sessions"
    __table_args__ = (Index(None, "username"),)
    token_sha256: Mapped[str] = mapped_column(Sha256Text, primary_key=True)
    session_id: Mapped[str] = mapped_column(String(16), unique=True)
    username: Mapped[str] = mapped_column(
        String(200), ForeignKey("users.username", ondelete="CASCADE")
    )
    created_at: Mapped[Moment]
    seen_at: Mapped[Moment]
    address: Mapped[str] = mapped_column(String(64))
    agent: Mapped[str] = mapped_column(String(200))


class SignInTryRow(Base):
    """Failed tries to sign in under a name, known or not, by the name's hash."""

    __tablename__ = "sign_in_tries"
    name_sha256: Mapped[str] = mapped_column(Sha256Text, primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[Moment]


class RateCountRow(Base):
    """How often something was asked in one window of a limit, by all processes together."""

    __tablename__ = "rate_counts"
    __table_args__ = (Index(None, "expires_at_s"),)
    key_sha256: Mapped[str] = mapped_column(Sha256Text, primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    expires_at_s: Mapped[float] = mapped_column(Double)


class IdempotencyKeyRow(Base):
    """The answer to a request that a caller may repeat; erased with the writer it speaks of."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "created_at"), Index(None, "writer_id"))
    caller: Mapped[str] = mapped_column(String(200), primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    request_sha256: Mapped[Sha256]
    writer_id: Mapped[WriterId | None]
    status: Mapped[int | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[Moment]
