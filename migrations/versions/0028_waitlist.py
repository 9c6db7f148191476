"""Those who wait for a number.

Revision ID: 0028
Revises: 0027
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "waitlist_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("department_id", sa.Uuid(), nullable=False),
        sa.Column("doctor_ids", _DOCUMENT, nullable=False),
        sa.Column("date_from", sa.Date(), nullable=False),
        sa.Column("date_to", sa.Date(), nullable=False),
        sa.Column("periods", _DOCUMENT, nullable=False),
        sa.Column("max_fee_fen", sa.Integer(), nullable=True),
        sa.Column("not_within_minutes", sa.Integer(), nullable=False),
        sa.Column("pay_mode", sa.String(32), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("moved", sa.Integer(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.Column("ended_at", _INSTANT, nullable=True),
        sa.CheckConstraint("date_to >= date_from", name=op.f("ck_waitlist_entries_dates")),
        sa.CheckConstraint("max_fee_fen IS NULL OR max_fee_fen >= 0", name=op.f("ck_waitlist_entries_max_fee")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_waitlist_entries_hospital_id")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_waitlist_entries_account_id")),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name=op.f("fk_waitlist_entries_department_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waitlist_entries")),
    )
    op.create_index("ix_waitlist_entries_queue", "waitlist_entries", ["department_id", "status", "created_at"])
    op.create_index("ix_waitlist_entries_account", "waitlist_entries", ["account_id", "id"])
    op.create_table(
        "waitlist_places",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("dependent_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("appointment_id", sa.Uuid(), nullable=True),
        sa.Column("skipped_why", sa.String(), nullable=True),
        sa.Column("skipped_at", _INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_waitlist_places_hospital_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["waitlist_entries.id"], name=op.f("fk_waitlist_places_entry_id")),
        sa.ForeignKeyConstraint(["dependent_id"], ["dependents.id"], name=op.f("fk_waitlist_places_dependent_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_waitlist_places_person_id")),
        sa.ForeignKeyConstraint(
            ["appointment_id"], ["appointments.id"], name=op.f("fk_waitlist_places_appointment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waitlist_places")),
        sa.UniqueConstraint("entry_id", "position", name=op.f("uq_waitlist_places_entry_id_position")),
    )
    op.create_index(op.f("ix_waitlist_places_dependent_id"), "waitlist_places", ["dependent_id"])
    op.create_index("ix_waitlist_places_person", "waitlist_places", ["person_id"])


def downgrade() -> None:
    op.drop_table("waitlist_places")
    op.drop_table("waitlist_entries")
