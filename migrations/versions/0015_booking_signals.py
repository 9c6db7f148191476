"""Signs that numbers are held for resale, and what was answered to them.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "booking_signals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("facts", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("answer", sa.String(32), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cleared_by", sa.String(), nullable=True),
        sa.Column("cleared_why", sa.String(), nullable=True),
        sa.CheckConstraint("(cleared_at IS NULL) = (cleared_by IS NULL)", name=op.f("ck_booking_signals_cleared")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_booking_signals_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_signals")),
    )
    op.create_index(op.f("ix_booking_signals_account_id"), "booking_signals", ["account_id"], unique=False)


def downgrade() -> None:
    op.drop_table("booking_signals")
