"""Electronic receipts, and refunds that wait for the red one.

Revision ID: 0049
Revises: 0048
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)
_WAITS = sa.text("awaits_red_since IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "receipts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("charge_id", sa.Uuid(), nullable=False),
        sa.Column("appointment_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("check_code_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("url_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("amount_fen", sa.Integer(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("reddens_id", sa.Uuid(), nullable=True),
        sa.Column("kept_at", _AT, nullable=False),
        sa.CheckConstraint("amount_fen <> 0 AND (reddens_id IS NULL) = (amount_fen > 0)", name="amount"),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name="fk_receipts_hospital_id"),
        sa.ForeignKeyConstraint(["charge_id"], ["charges.id"], name="fk_receipts_charge_id"),
        sa.ForeignKeyConstraint(["appointment_id"], ["appointments.id"], name="fk_receipts_appointment_id"),
        sa.ForeignKeyConstraint(["reddens_id"], ["receipts.id"], name="fk_receipts_reddens_id"),
        sa.PrimaryKeyConstraint("id", name="pk_receipts"),
        sa.UniqueConstraint("code", "number", name="uq_receipts_code_number"),
        sa.UniqueConstraint("reddens_id", name="uq_receipts_reddens_id"),
    )
    op.create_index("ix_receipts_charge_id", "receipts", ["charge_id"])
    op.create_index("ix_receipts_appointment_id", "receipts", ["appointment_id"])
    op.add_column("refunds", sa.Column("awaits_red_since", _AT, nullable=True))
    op.create_index(
        "ix_refunds_awaits_red_since",
        "refunds",
        ["awaits_red_since"],
        postgresql_where=_WAITS,
        sqlite_where=_WAITS,
    )


def downgrade() -> None:
    op.drop_index("ix_refunds_awaits_red_since", "refunds")
    op.drop_column("refunds", "awaits_red_since")
    op.drop_table("receipts")
