"""Who proved a phone and who consented, and when a payment's number was last sent.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Columns without a reference: for one, SQLite would have to rebuild the table. The invariants see to them.
_COLUMNS = (
    ("accounts", "phone_proven_by_id", sa.Uuid()),
    ("consents", "given_by_id", sa.Uuid()),
    ("payments", "opening_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    for table, name, kind in _COLUMNS:
        op.add_column(table, sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    for table, name, _ in reversed(_COLUMNS):
        op.drop_column(table, name)
