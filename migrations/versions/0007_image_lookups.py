"""Finding an image again: among the references of all writers, and among the decisions.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

REFERENCES = "ix_signature_references_sha256"
DECISIONS = "ix_decisions_probe_sha256"


def upgrade() -> None:
    op.create_index(REFERENCES, "signature_references", ["sha256"])
    op.create_index(DECISIONS, "decisions", ["probe_sha256"])


def downgrade() -> None:
    op.drop_index(DECISIONS, "decisions")
    op.drop_index(REFERENCES, "signature_references")
