"""What decisions rest on, what people say of them, and what keeps them whole.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
WRITER_ID = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
SHA256 = sa.String(64)
MOMENT = sa.DateTime(timezone=True)
ADDED = (
    "review_tasks",
    "reviews",
    "decision_holds",
    "decision_mentions",
    "decision_images",
    "decision_details",
    "decision_rules",
)


def upgrade() -> None:
    # Both may be NULL, so SQLite adds them in place.
    op.add_column("decisions", sa.Column("details_sha256", SHA256, nullable=True))
    op.add_column("decisions", sa.Column("salt", sa.LargeBinary(), nullable=True))
    op.create_index("ix_decisions_writer_id", "decisions", ["writer_id"])
    op.create_index("ix_decisions_created_at", "decisions", ["created_at"])
    op.create_index("ix_audit_entries_content_sha256", "audit_entries", ["content_sha256"])
    _create_details()
    _create_reviews()


def _create_details() -> None:
    op.create_table(
        "decision_rules",
        sa.Column("rule_sha256", SHA256, nullable=False),
        sa.Column("rule_id", sa.String(64), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("rule_sha256", name="pk_decision_rules"),
    )
    op.create_table(
        "decision_details",
        _of_decision(),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_decision_details"),
        _to_decision("decision_details"),
    )
    op.create_table(
        "decision_images",
        _of_decision(),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("image", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_decision_images"),
        _to_decision("decision_images"),
    )
    op.create_table(
        "decision_mentions",
        sa.Column("writer_id", WRITER_ID, nullable=False),
        _of_decision(),
        sa.PrimaryKeyConstraint("writer_id", "sequence", name="pk_decision_mentions"),
        _to_decision("decision_mentions"),
    )
    op.create_index("ix_decision_mentions_sequence", "decision_mentions", ["sequence"])
    op.create_table(
        "decision_holds",
        _of_decision(),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("held_by", sa.String(200), nullable=False),
        sa.Column("held_since", MOMENT, nullable=False),
        sa.Column("held_until", MOMENT, nullable=False),
        sa.Column("erased_writer", WRITER_ID, nullable=True),
        sa.PrimaryKeyConstraint("sequence", name="pk_decision_holds"),
        _to_decision("decision_holds"),
    )
    op.create_index("ix_decision_holds_held_until", "decision_holds", ["held_until"])


def _create_reviews() -> None:
    op.create_table(
        "reviews",
        sa.Column("review_id", ROW_NUMBER, nullable=False),
        sa.Column("sequence", ROW_NUMBER, nullable=False),
        sa.Column("reviewer", sa.String(200), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(200), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", SHA256, nullable=False),
        sa.PrimaryKeyConstraint("review_id", name="pk_reviews"),
        sa.CheckConstraint("outcome IN ('accept', 'reject', 'unsure', 'escalate')", name="outcome"),
        sa.UniqueConstraint("sequence", "reviewer", name="uq_reviews_sequence_reviewer"),
        _to_decision("reviews"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "review_tasks",
        _of_decision(),
        sa.Column("why", sa.String(16), nullable=False),
        sa.Column("claimed_by", sa.String(200), nullable=True),
        sa.Column("claimed_until", MOMENT, nullable=True),
        sa.Column("done_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("sequence", name="pk_review_tasks"),
        _to_decision("review_tasks"),
    )
    op.create_index("ix_review_tasks_done_at", "review_tasks", ["done_at"])


def downgrade() -> None:
    """Forget what decisions rest on; those of version 3 have no hash that the schema can tell."""
    for table in ADDED:
        op.drop_table(table)
    op.drop_index("ix_audit_entries_content_sha256", "audit_entries")
    op.drop_index("ix_decisions_created_at", "decisions")
    op.drop_index("ix_decisions_writer_id", "decisions")
    op.drop_column("decisions", "salt")
    op.drop_column("decisions", "details_sha256")


def _of_decision() -> sa.Column[int]:
    return sa.Column("sequence", ROW_NUMBER, autoincrement=False, nullable=False)


def _to_decision(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["sequence"], ["decisions.sequence"], name=f"fk_{table}_sequence_decisions"
    )
