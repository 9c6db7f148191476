"""Documents of every kind: which country issued it, until when it is good, and its number as printed.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("country", sa.String()),
    ("id_expires_on", sa.Date()),
    ("id_number_sealed", sa.LargeBinary()),
)


def upgrade() -> None:
    for name, kind in _COLUMNS:
        op.add_column("dependents", sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    for name, _ in reversed(_COLUMNS):
        op.drop_column("dependents", name)
