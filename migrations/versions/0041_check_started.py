"""When a platform opened a check; by what it is known there goes with its end.

Revision ID: 0041
Revises: 0040
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("identity_checks", sa.Column("started_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE identity_checks SET started_at = created_at WHERE reference_sealed IS NOT NULL")
    op.execute(
        "UPDATE identity_checks SET reference_sealed = NULL, evidence = NULL "
        "WHERE status <> 'pending' AND (reference_sealed IS NOT NULL OR evidence IS NOT NULL)"
    )


def downgrade() -> None:
    op.drop_column("identity_checks", "started_at")
