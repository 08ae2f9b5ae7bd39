"""What models keep of a signature's pieces of strokes, besides its vector.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # SQLite adds a column that may be NULL in place, however many rows there are.
    with op.batch_alter_table("embeddings") as embeddings:
        embeddings.add_column(sa.Column("pieces", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("embeddings") as embeddings:
        embeddings.drop_column("pieces")
