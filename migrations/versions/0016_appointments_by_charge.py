"""The appointments of a charge are found by it: several share one where one takes another's place.

Revision ID: 0016
Revises: 0014c
"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0014c"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_appointments_charge", "appointments", ["charge_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_appointments_charge", table_name="appointments")
