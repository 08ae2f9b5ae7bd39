"""What galleries told of their own scores, and which of it decides since when.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
SHA256 = sa.String(64)


def upgrade() -> None:
    op.create_table(
        "gallery_calibrations",
        sa.Column("calibration_id", ROW_NUMBER, nullable=False),
        sa.Column("model_id", SHA256, nullable=False),
        sa.Column("base_rule_id", sa.String(64), nullable=False),
        sa.Column("rule_id", sa.String(64), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("writer_count", sa.BigInteger(), nullable=False),
        sa.Column("reference_count", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("caller", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("calibration_id", name="pk_gallery_calibrations"),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.model_id"], name="fk_gallery_calibrations_model_id_models"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_gallery_calibrations_model_id", "gallery_calibrations", ["model_id"])
    op.create_table(
        "calibration_switches",
        sa.Column("sequence", ROW_NUMBER, nullable=False),
        sa.Column("model_id", SHA256, nullable=False),
        sa.Column("calibration_id", ROW_NUMBER, nullable=True),
        sa.Column("switched_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("caller", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_calibration_switches"),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.model_id"], name="fk_calibration_switches_model_id_models"
        ),
        sa.ForeignKeyConstraint(
            ["calibration_id"],
            ["gallery_calibrations.calibration_id"],
            name="fk_calibration_switches_calibration_id_gallery_calibrations",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_calibration_switches_model_id", "calibration_switches", ["model_id"])


def downgrade() -> None:
    op.drop_table("calibration_switches")
    op.drop_table("gallery_calibrations")
