"""The bills of platforms, and what of them does not agree with our records.

Revision ID: 0038
Revises: 0037
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

_TEXT, _WORD, _AT = sa.String(), sa.String(length=32), sa.DateTime(timezone=True)
_DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "bill_days",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", _TEXT, nullable=False),
        sa.Column("merchant", _TEXT, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("taken_at", _AT, nullable=False),
        *(sa.Column(f"moved_{one}_fen", sa.BigInteger(), nullable=False) for one in ("payments", "refunds")),
        *(sa.Column(f"moved_{one}_fen", sa.BigInteger(), nullable=False) for one in ("fees", "other")),
        sa.PrimaryKeyConstraint("id", name="pk_bill_days"),
        sa.UniqueConstraint("provider", "merchant", "day", name="uq_bill_days_provider_merchant_day"),
    )
    op.create_table(
        "bill_lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("bill_day_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("out_trade_no", _TEXT, nullable=False),
        sa.Column("platform_trade_no", _TEXT, nullable=False),
        sa.Column("out_refund_no", _TEXT, nullable=True),
        sa.Column("platform_refund_no", _TEXT, nullable=True),
        sa.Column("amount_fen", sa.Integer(), nullable=False),
        sa.Column("currency", _TEXT, nullable=False),
        sa.Column("fee_fen", sa.Integer(), nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.ForeignKeyConstraint(["bill_day_id"], ["bill_days.id"], name="fk_bill_lines_bill_day_id"),
        sa.PrimaryKeyConstraint("id", name="pk_bill_lines"),
        sa.UniqueConstraint("bill_day_id", "place", name="uq_bill_lines_bill_day_id_place"),
    )
    op.create_index("ix_bill_lines_out_trade_no", "bill_lines", ["out_trade_no"])
    op.create_index("ix_bill_lines_out_refund_no", "bill_lines", ["out_refund_no"])
    op.create_table(
        "bill_differences",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", _TEXT, nullable=False),
        sa.Column("merchant", _TEXT, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", _WORD, nullable=False),
        sa.Column("entry", _TEXT, nullable=False),
        sa.Column("number", _TEXT, nullable=False),
        sa.Column("facts", _DOCUMENT, nullable=False),
        sa.Column("opened_at", _AT, nullable=False),
        sa.Column("ended_at", _AT, nullable=True),
        sa.Column("ended_as", _WORD, nullable=True),
        sa.Column("first_by", _TEXT, nullable=True),
        sa.Column("second_by", _TEXT, nullable=True),
        sa.Column("why", _TEXT, nullable=True),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_as IS NULL)", name="ended"),
        sa.CheckConstraint(
            "ended_as <> 'desk' OR (first_by IS NOT NULL AND second_by IS NOT NULL AND first_by <> second_by)",
            name="two_people",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bill_differences"),
        sa.UniqueConstraint(
            "provider",
            "merchant",
            "kind",
            "entry",
            "number",
            name="uq_bill_differences_provider_merchant_kind_entry_number",
        ),
    )
    op.create_index("ix_bill_differences_open", "bill_differences", ["ended_at", "day"])


def downgrade() -> None:
    op.drop_table("bill_differences")
    op.drop_table("bill_lines")
    op.drop_table("bill_days")
