"""The appointments of a charge are found by it: several share one where one takes another's place.

Revision ID: 0024
Revises: 0023
"""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_appointments_charge", "appointments", ["charge_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_appointments_charge", table_name="appointments")
