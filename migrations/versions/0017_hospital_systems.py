"""Hospitals with a system of their own: which one, what it is being called for, and what it calls out.

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_ADDED = (
    ("hospitals", "system", sa.String()),
    ("appointments", "hospital_system", sa.String()),
    ("appointments", "hospital_sequence", sa.Integer()),
    ("hospital_claims", "calling", sa.String(32)),
    ("hospital_claims", "called_at", sa.DateTime(timezone=True)),
    ("hospital_claims", "called_times", sa.Integer()),
    ("hospital_claims", "refusal", sa.String()),
    ("hospital_claims", "kept", sa.Boolean()),
)


def upgrade() -> None:
    for table, name, kind in _ADDED:
        op.add_column(table, sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    for table, name, _ in reversed(_ADDED):
        op.drop_column(table, name)
