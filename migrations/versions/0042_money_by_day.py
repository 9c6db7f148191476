"""Money is found by the day on which it moved.

Revision ID: 0042
Revises: 0041
"""

from __future__ import annotations

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_payments_merchant_paid_at", "payments", ["merchant", "paid_at"])
    op.create_index("ix_refunds_succeeded_at", "refunds", ["succeeded_at"])


def downgrade() -> None:
    op.drop_index("ix_refunds_succeeded_at", "refunds")
    op.drop_index("ix_payments_merchant_paid_at", "payments")
