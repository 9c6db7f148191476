"""Whose data an act of the audit log touched, so that they can read of it; and until when somebody is remembered.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Columns without a reference: an entry outlives what it speaks of, and SQLite would have to rebuild the table.
_COLUMNS = ("account_id", "dependent_id")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column("audit_entries", sa.Column(name, sa.Uuid(), nullable=True))
        op.create_index(op.f(f"ix_audit_entries_{name}"), "audit_entries", [name], unique=False)

    op.add_column("dependents", sa.Column("erase_after", sa.Date(), nullable=True))
    op.create_index(op.f("ix_dependents_erase_after"), "dependents", ["erase_after"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_dependents_erase_after"), table_name="dependents")
    op.drop_column("dependents", "erase_after")
    for name in reversed(_COLUMNS):
        op.drop_index(op.f(f"ix_audit_entries_{name}"), table_name="audit_entries")
        op.drop_column("audit_entries", name)
