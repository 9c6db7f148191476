"""What a card is known by that one of two people has named.

Revision ID: 0047
Revises: 0044
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("refund_decisions", sa.Column("card_hash", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("refund_decisions", "card_hash")
