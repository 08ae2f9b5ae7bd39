"""Which columns a decision's hash covers.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Both databases add a column with a constant default in place, however many rows there are.
    with op.batch_alter_table("decisions") as decisions:
        decisions.add_column(
            sa.Column("chain_version", sa.Integer(), server_default="1", nullable=False)
        )


def downgrade() -> None:
    with op.batch_alter_table("decisions") as decisions:
        decisions.drop_column("chain_version")
