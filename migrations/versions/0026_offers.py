"""Numbers held for whoever lost theirs by a suspended clinic.

Revision ID: 0026
Revises: 0025
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_REFERS = {
    "hospital_id": "hospitals",
    "appointment_id": "appointments",
    "schedule_id": "schedules",
    "slot_id": "slots",
    "accepted_as_id": "appointments",
}


def upgrade() -> None:
    op.create_table(
        "offers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("appointment_id", sa.Uuid(), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("slot_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("fee_fen", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("moved", sa.Integer(), nullable=False),
        sa.Column("accepted_as_id", sa.Uuid(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("fee_fen >= 0", name=op.f("ck_offers_fee")),
        sa.CheckConstraint("(status = 'accepted') = (accepted_as_id IS NOT NULL)", name=op.f("ck_offers_accepted_as")),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=op.f(f"fk_offers_{column}"))
            for column, table in _REFERS.items()
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
    )
    op.create_index("ix_offers_appointment", "offers", ["appointment_id"], unique=False)
    op.create_index("ix_offers_schedule", "offers", ["schedule_id"], unique=False)
    op.create_index(
        "uq_offers_open_slot",
        "offers",
        ["slot_id"],
        unique=True,
        postgresql_where=sa.text("status = 'open'"),
        sqlite_where=sa.text("status = 'open'"),
    )


def downgrade() -> None:
    op.drop_table("offers")
