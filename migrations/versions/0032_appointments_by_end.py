"""Appointments that ended lately, and jobs that were given up, are found without reading all others.

Revision ID: 0032
Revises: 0031
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_SET = {
    "ix_appointments_ended": ("appointments", "ended_at"),
    "ix_jobs_dead": ("jobs", "dead_at"),
}


def upgrade() -> None:
    for name, (table, column) in _SET.items():
        only = sa.text(f"{column} IS NOT NULL")
        op.create_index(name, table, [column], unique=False, postgresql_where=only, sqlite_where=only)


def downgrade() -> None:
    for name, (table, _) in _SET.items():
        op.drop_index(name, table_name=table)
