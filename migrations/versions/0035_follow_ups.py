"""Coming again on the same registration: the right of a visit, and the appointment that uses it.

Revision ID: 0035
Revises: 0034
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_USED = "follow_up_of_id IS NOT NULL AND status IN ('pending','booked','arrived','fulfilled','noshow')"


def upgrade() -> None:
    op.add_column("appointments", sa.Column("follow_up_until", sa.Date(), nullable=True))
    op.add_column("appointments", sa.Column("follow_up_of_id", sa.Uuid(), nullable=True))
    op.create_index(
        "uq_appointments_follow_up",
        "appointments",
        ["follow_up_of_id"],
        unique=True,
        postgresql_where=sa.text(_USED),
        sqlite_where=sa.text(_USED),
    )


def downgrade() -> None:
    op.drop_index("uq_appointments_follow_up", "appointments")
    op.drop_column("appointments", "follow_up_of_id")
    op.drop_column("appointments", "follow_up_until")
