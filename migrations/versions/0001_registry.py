"""Writers, references, embeddings, the change log, the audit trail, keys.

Revision ID: 0001
Revises:
"""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
WRITER_ID = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
SHA256 = sa.String(64)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    registry = op.create_table(
        "registry",
        sa.Column("registry_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("registry_id", name="pk_registry"),
    )
    op.bulk_insert(registry, [{"registry_id": uuid4().hex}])
    _create_gallery()
    _create_logs()
    _create_keys()


def _create_gallery() -> None:
    op.create_table(
        "writers",
        sa.Column("writer_id", WRITER_ID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("writer_id", name="pk_writers"),
    )
    op.create_table(
        "signature_references",
        sa.Column("reference_id", ROW_NUMBER, nullable=False),
        sa.Column("writer_id", WRITER_ID, nullable=False),
        sa.Column("sha256", SHA256, nullable=False),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("filename", sa.Text(), nullable=True),
        sa.Column("quality", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("cleaned_png", sa.LargeBinary(), nullable=False),
        sa.Column("image", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("reference_id", name="pk_signature_references"),
        sa.UniqueConstraint("writer_id", "sha256", name="uq_signature_references_writer_id_sha256"),
        sa.ForeignKeyConstraint(
            ["writer_id"],
            ["writers.writer_id"],
            name="fk_signature_references_writer_id_writers",
            ondelete="CASCADE",
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "models",
        sa.Column("model_id", SHA256, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.Column("writer_count", sa.BigInteger(), nullable=False),
        sa.Column("reference_count", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("model_id", name="pk_models"),
    )
    op.create_table(
        "embeddings",
        sa.Column("reference_id", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("model_id", SHA256, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("reference_id", "model_id", name="pk_embeddings"),
        sa.ForeignKeyConstraint(
            ["reference_id"],
            ["signature_references.reference_id"],
            name="fk_embeddings_reference_id_signature_references",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.model_id"], name="fk_embeddings_model_id_models"
        ),
    )


def _create_logs() -> None:
    op.create_table(
        "revisions",
        sa.Column("revision", ROW_NUMBER, nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("reference_id", sa.BigInteger(), nullable=False),
        sa.Column("model_id", SHA256, nullable=True),
        sa.PrimaryKeyConstraint("revision", name="pk_revisions"),
        sa.CheckConstraint(
            "(kind = 'put' AND model_id IS NOT NULL) OR (kind = 'erase' AND model_id IS NULL)",
            name=op.f("ck_revisions_kind"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "decisions",
        sa.Column("sequence", ROW_NUMBER, nullable=False),
        sa.Column("decision_id", sa.String(32), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("writer_id", WRITER_ID, nullable=True),
        sa.Column("operating_point", sa.String(64), nullable=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("log_lr", sa.Double(), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("non_match_threshold", sa.Double(), nullable=True),
        sa.Column("model_id", SHA256, nullable=False),
        sa.Column("reference_ids", sa.JSON(), nullable=False),
        sa.Column("candidates", sa.JSON(), nullable=True),
        sa.Column("probe_sha256", SHA256, nullable=False),
        sa.Column("caller", sa.String(200), nullable=False),
        sa.Column("previous_sha256", SHA256, nullable=False),
        sa.Column("sha256", SHA256, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_decisions"),
        sa.UniqueConstraint("decision_id", name="uq_decisions_decision_id"),
        sa.CheckConstraint("kind IN ('verify', 'identify')", name=op.f("ck_decisions_kind")),
        sqlite_autoincrement=True,
    )


def _create_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("secret_sha256", SHA256, nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("key_id", name="pk_api_keys"),
        sa.UniqueConstraint("secret_sha256", name="uq_api_keys_secret_sha256"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("caller", sa.String(200), nullable=False),
        sa.Column("idempotency_key", sa.String(200), nullable=False),
        sa.Column("request_sha256", SHA256, nullable=False),
        sa.Column("writer_id", WRITER_ID, nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("caller", "idempotency_key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_index("ix_idempotency_keys_writer_id", "idempotency_keys", ["writer_id"])


def downgrade() -> None:
    for table in (
        "idempotency_keys",
        "api_keys",
        "decisions",
        "revisions",
        "embeddings",
        "models",
        "signature_references",
        "writers",
        "registry",
    ):
        op.drop_table(table)
