"""Refunds that two people decide about.

Revision ID: 0040
Revises: 0039
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

_TEXT, _WORD, _AT = sa.String(), sa.String(length=32), sa.DateTime(timezone=True)
_STANDING = sa.text("done_at IS NULL")


def upgrade() -> None:
    op.add_column("refunds", sa.Column("by_hand", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "refund_decisions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("refund_id", sa.Uuid(), nullable=False),
        sa.Column("way", _WORD, nullable=False),
        sa.Column("why", _TEXT, nullable=False),
        sa.Column("first_by", _TEXT, nullable=False),
        sa.Column("proposed_at", _AT, nullable=False),
        sa.Column("second_by", _TEXT, nullable=True),
        sa.Column("decided_at", _AT, nullable=True),
        sa.Column("done_at", _AT, nullable=True),
        sa.CheckConstraint("(second_by IS NULL) = (decided_at IS NULL)", name="decided"),
        sa.CheckConstraint("second_by <> first_by", name="two_people"),
        sa.CheckConstraint("done_at IS NULL OR decided_at IS NOT NULL", name="done"),
        sa.ForeignKeyConstraint(["refund_id"], ["refunds.id"], name="fk_refund_decisions_refund_id"),
        sa.PrimaryKeyConstraint("id", name="pk_refund_decisions"),
    )
    op.create_index("ix_refund_decisions_refund_id", "refund_decisions", ["refund_id"])
    op.create_index(
        "uq_refund_decisions_standing",
        "refund_decisions",
        ["refund_id"],
        unique=True,
        postgresql_where=_STANDING,
        sqlite_where=_STANDING,
    )


def downgrade() -> None:
    op.drop_table("refund_decisions")
    op.drop_column("refunds", "by_hand")
