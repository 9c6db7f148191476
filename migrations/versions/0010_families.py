"""Whom a newborn's record was merged into is looked for by its root, and the birth certificate that named somebody.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_persons_alias_of_id"), "persons", ["alias_of_id"], unique=False)
    # Without a reference: SQLite would have to rebuild the table.
    op.add_column("dependents", sa.Column("earlier_identifier_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    op.drop_column("dependents", "earlier_identifier_id")
    op.drop_index(op.f("ix_persons_alias_of_id"), table_name="persons")
