"""Half days that a file stands for, and numbers that are not sold again once they are let go.

Revision ID: 0019
Revises: 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("schedules", sa.Column("imported_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("slots", sa.Column("surplus", sa.String(length=32), nullable=True))


def downgrade() -> None:
    op.drop_column("slots", "surplus")
    op.drop_column("schedules", "imported_at")
