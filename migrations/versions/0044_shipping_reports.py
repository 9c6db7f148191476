"""What platforms were told of deliveries.

Revision ID: 0044
Revises: 0043
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_AT = sa.DateTime(timezone=True)
_WANTED = sa.text("outcome IS NULL OR outcome = 'refused'")


def upgrade() -> None:
    op.create_table(
        "shipping_reports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", _AT, nullable=False),
        sa.Column("completed_at", _AT, nullable=True),
        sa.Column("told_times", sa.Integer(), nullable=False),
        sa.Column("last_refusal", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=True),
        sa.Column("ended_at", _AT, nullable=True),
        sa.CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ended"),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name="fk_shipping_reports_payment_id"),
        sa.PrimaryKeyConstraint("id", name="pk_shipping_reports"),
        sa.UniqueConstraint("payment_id", name="uq_shipping_reports_payment_id"),
    )
    op.create_index(
        "ix_shipping_reports_wanted",
        "shipping_reports",
        ["created_at"],
        postgresql_where=_WANTED,
        sqlite_where=_WANTED,
    )


def downgrade() -> None:
    op.drop_table("shipping_reports")
