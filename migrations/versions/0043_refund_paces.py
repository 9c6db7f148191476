"""How fast the refunds of one merchant account go to its platform.

Revision ID: 0043
Revises: 0042
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

_TEXT, _AT = sa.String(), sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "refund_paces",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", _TEXT, nullable=False),
        sa.Column("merchant", _TEXT, nullable=False),
        sa.Column("next_at", _AT, nullable=False),
        sa.Column("line_at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_refund_paces"),
        sa.UniqueConstraint("provider", "merchant", name="uq_refund_paces_provider_merchant"),
    )


def downgrade() -> None:
    op.drop_table("refund_paces")
