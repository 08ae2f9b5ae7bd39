"""By what an erasure can be repeated on a backup.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Both databases add a column without a default in place. Writers of before have no token: a
    # backup of before has none either, and both are known by the time of their enrollment.
    with op.batch_alter_table("writers") as writers:
        writers.add_column(sa.Column("erasure_token", sa.LargeBinary(), nullable=True))
    with op.batch_alter_table("erasures") as erasures:
        erasures.add_column(sa.Column("subject_sha256", sa.String(64), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("erasures") as erasures:
        erasures.drop_column("subject_sha256")
    with op.batch_alter_table("writers") as writers:
        writers.drop_column("erasure_token")
