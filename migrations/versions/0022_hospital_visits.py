"""Up to where a hospital's visits are known.

Revision ID: 0022
Revises: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hospitals", sa.Column("visits_cursor", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("hospitals", "visits_cursor")
