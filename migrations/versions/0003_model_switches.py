"""Files of models, and which model became the active one when.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
SHA256 = sa.String(64)


def upgrade() -> None:
    op.create_table(
        "model_files",
        sa.Column("model_id", SHA256, nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.Column("network", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("model_id", name="pk_model_files"),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.model_id"], name="fk_model_files_model_id_models"
        ),
    )
    op.create_table(
        "model_switches",
        sa.Column("sequence", ROW_NUMBER, nullable=False),
        sa.Column("model_id", SHA256, nullable=False),
        sa.Column("switched_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("caller", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_model_switches"),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.model_id"], name="fk_model_switches_model_id_models"
        ),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("model_switches")
    op.drop_table("model_files")
