"""Charges and dependents, the archived ones too, are found by their account without reading all of them.

Revision ID: 0036
Revises: 0035
"""

from __future__ import annotations

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_charges_account_id", "charges", ["account_id"])
    op.create_index("ix_dependents_account_id", "dependents", ["account_id"])


def downgrade() -> None:
    op.drop_index("ix_dependents_account_id", "dependents")
    op.drop_index("ix_charges_account_id", "charges")
