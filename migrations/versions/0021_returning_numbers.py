"""When a freed number is to be sold again, and when it was given up.

Revision ID: 0021
Revises: 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("slots", sa.Column("returns_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("slots", sa.Column("let_go_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("slots", "let_go_at")
    op.drop_column("slots", "returns_at")
