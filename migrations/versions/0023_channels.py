"""Numbers kept for a channel until a set time.

Revision ID: 0023
Revises: 0022
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("schedules", sa.Column("channels_return_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("slots", sa.Column("channel", sa.String(length=32), nullable=True))


def downgrade() -> None:
    op.drop_column("slots", "channel")
    op.drop_column("schedules", "channels_return_at")
