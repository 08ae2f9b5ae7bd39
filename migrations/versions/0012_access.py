"""Who may do what: users, sessions, failed tries, counts of limits, and when a key was used.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SHA256 = sa.String(64)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("api_keys") as keys:
        keys.add_column(sa.Column("last_used_at", MOMENT, nullable=True))
        keys.add_column(sa.Column("replaced_by", sa.String(32), nullable=True))
    op.create_table(
        "users",
        sa.Column("username", sa.String(200), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("link_sha256", SHA256, nullable=True),
        sa.Column("link_expires_at", MOMENT, nullable=True),
        sa.Column("totp_secret", sa.String(64), nullable=True),
        sa.Column("totp_confirmed_at", MOMENT, nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=True),
        sa.Column("recovery_sha256", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("disabled_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("username", name="pk_users"),
        sa.UniqueConstraint("link_sha256", name="uq_users_link_sha256"),
    )
    op.create_table(
        "sessions",
        sa.Column("token_sha256", SHA256, nullable=False),
        sa.Column("session_id", sa.String(16), nullable=False),
        sa.Column("username", sa.String(200), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_sessions"),
        sa.UniqueConstraint("session_id", name="uq_sessions_session_id"),
        sa.ForeignKeyConstraint(
            ["username"],
            ["users.username"],
            name="fk_sessions_username_users",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_sessions_username", "sessions", ["username"])
    op.create_table(
        "sign_in_tries",
        sa.Column("name_sha256", SHA256, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name_sha256", name="pk_sign_in_tries"),
    )
    op.create_table(
        "rate_counts",
        sa.Column("key_sha256", SHA256, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key_sha256", name="pk_rate_counts"),
    )
    op.create_index("ix_rate_counts_expires_at_s", "rate_counts", ["expires_at_s"])


def downgrade() -> None:
    for table in ("rate_counts", "sign_in_tries", "sessions", "users"):
        op.drop_table(table)
    with op.batch_alter_table("api_keys") as keys:
        keys.drop_column("replaced_by")
        keys.drop_column("last_used_at")
