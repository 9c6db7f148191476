"""Dependents are found by their phone, where numbers are counted by it.

Revision ID: 0030
Revises: 0029
"""

from __future__ import annotations

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_dependents_phone", "dependents", ["phone_hash"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_dependents_phone", table_name="dependents")
