"""One chain over everything that matters, and the names that lie beside it.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
SHA256 = sa.String(64)


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("sequence", ROW_NUMBER, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("actor_hmac", SHA256, nullable=True),
        sa.Column("subject_hmac", SHA256, nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("content_sha256", SHA256, nullable=True),
        sa.Column("previous_sha256", SHA256, nullable=False),
        sa.Column("sha256", SHA256, nullable=False),
        sa.Column("chain_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_audit_entries"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_entries_kind", "audit_entries", ["kind"])
    op.create_table(
        "audit_names",
        sa.Column("sequence", ROW_NUMBER, autoincrement=False, nullable=False),
        sa.Column("part", sa.String(8), nullable=False),
        sa.Column("text", sa.String(200), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", "part", name="pk_audit_names"),
        sa.CheckConstraint("part IN ('actor', 'subject')", name="part"),
        sa.ForeignKeyConstraint(
            ["sequence"],
            ["audit_entries.sequence"],
            name="fk_audit_names_sequence_audit_entries",
        ),
    )
    op.create_index("ix_audit_names_text", "audit_names", ["text"])


def downgrade() -> None:
    op.drop_table("audit_names")
    op.drop_table("audit_entries")
