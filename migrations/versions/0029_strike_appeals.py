"""What patients say against strikes, and strikes that rest because nobody answered in time.

Revision ID: 0029
Revises: 0028
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("strikes", sa.Column("paused_at", _INSTANT, nullable=True))
    op.create_table(
        "strike_appeals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("strike_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("moved", sa.Integer(), nullable=False),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("answer_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("filed_at", _INSTANT, nullable=False),
        sa.Column("decide_by", _INSTANT, nullable=False),
        sa.Column("decided_at", _INSTANT, nullable=True),
        sa.CheckConstraint("(status = 'open') = (decided_at IS NULL)", name=op.f("ck_strike_appeals_decided")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_strike_appeals_hospital_id")),
        sa.ForeignKeyConstraint(["strike_id"], ["strikes.id"], name=op.f("fk_strike_appeals_strike_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_strike_appeals")),
        sa.UniqueConstraint("strike_id", name=op.f("uq_strike_appeals_strike_id")),
    )
    op.create_index("ix_strike_appeals_open", "strike_appeals", ["status", "decide_by"])


def downgrade() -> None:
    op.drop_table("strike_appeals")
    op.drop_column("strikes", "paused_at")
