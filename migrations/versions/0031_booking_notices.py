"""Which booking notice a hospital has, and which one was read before an appointment.

Revision ID: 0031
Revises: 0030
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hospitals", sa.Column("notice_version", sa.String(), nullable=True))
    op.add_column("appointments", sa.Column("notice_version", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("appointments", "notice_version")
    op.drop_column("hospitals", "notice_version")
