"""Money that only bills know, sent back by two people.

Revision ID: 0048
Revises: 0047
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)
_STANDING = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "bill_returns",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("difference_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("merchant", sa.String(), nullable=False),
        sa.Column("out_trade_no", sa.String(), nullable=False),
        sa.Column("out_refund_no", sa.String(), nullable=False),
        sa.Column("amount_fen", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("first_by", sa.String(), nullable=False),
        sa.Column("proposed_at", _AT, nullable=False),
        sa.Column("second_by", sa.String(), nullable=True),
        sa.Column("decided_at", _AT, nullable=True),
        sa.Column("asked_at", _AT, nullable=True),
        sa.Column("asked_times", sa.Integer(), nullable=False),
        sa.Column("may_be_sent", sa.Boolean(), nullable=False),
        sa.Column("last_refusal", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("ended_at", _AT, nullable=True),
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        sa.CheckConstraint("(second_by IS NULL) = (decided_at IS NULL)", name="decided"),
        sa.CheckConstraint("second_by <> first_by", name="two_people"),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="ended"),
        sa.ForeignKeyConstraint(["difference_id"], ["bill_differences.id"], name="fk_bill_returns_difference_id"),
        sa.PrimaryKeyConstraint("id", name="pk_bill_returns"),
    )
    op.create_index("ix_bill_returns_difference_id", "bill_returns", ["difference_id"])
    op.create_index(
        "uq_bill_returns_standing",
        "bill_returns",
        ["difference_id"],
        unique=True,
        postgresql_where=_STANDING,
        sqlite_where=_STANDING,
    )
    op.create_index("uq_bill_returns_out_refund_no", "bill_returns", ["out_refund_no"], unique=True)


def downgrade() -> None:
    op.drop_table("bill_returns")
