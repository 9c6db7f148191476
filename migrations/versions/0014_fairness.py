"""Through which way an appointment was booked, and how often each rule refused: what a fairness report is made of.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("appointments", sa.Column("booked_through", sa.String(32), nullable=True))
    op.create_table(
        "refusal_counts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.CheckConstraint("times > 0", name=op.f("ck_refusal_counts_times")),
        sa.ForeignKeyConstraint(["schedule_id"], ["schedules.id"], name=op.f("fk_refusal_counts_schedule_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusal_counts")),
        sa.UniqueConstraint("schedule_id", "code", name=op.f("uq_refusal_counts_schedule_id_code")),
    )


def downgrade() -> None:
    op.drop_table("refusal_counts")
    op.drop_column("appointments", "booked_through")
