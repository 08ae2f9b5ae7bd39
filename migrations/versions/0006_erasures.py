"""The list of erasures, and how far each has come.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column(
            "erasure_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference_count", sa.BigInteger(), nullable=False),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("traces", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("erasure_id", name="pk_erasures"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_erasures_purged_at", "erasures", ["purged_at"])


def downgrade() -> None:
    op.drop_index("ix_erasures_purged_at", "erasures")
    op.drop_table("erasures")
