"""Accounts over channels: when a phone was proven, and two accounts becoming one.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Columns without a reference: for one, SQLite would have to rebuild the table. The invariants see to them.
_COLUMNS = (
    ("accounts", "phone_proven_at", sa.DateTime(timezone=True)),
    ("accounts", "joined_into_id", sa.Uuid()),
    ("platform_identities", "found_by_id", sa.Uuid()),
    ("dependents", "merged_into_id", sa.Uuid()),
)


def upgrade() -> None:
    for table, name, kind in _COLUMNS:
        op.add_column(table, sa.Column(name, kind, nullable=True))
    _create_account_joins()


def downgrade() -> None:
    op.drop_table("account_joins")
    for table, name, _ in reversed(_COLUMNS):
        op.drop_column(table, name)


def _create_account_joins() -> None:
    op.create_table(
        "account_joins",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("moved", sa.Integer(), nullable=False),
        sa.Column("asking_account_id", sa.Uuid(), nullable=False),
        sa.Column("asked_account_id", sa.Uuid(), nullable=False),
        sa.Column("asking_wallet", sa.String(32), nullable=False),
        sa.Column("asked_wallet", sa.String(32), nullable=False),
        sa.Column("phone_masked", sa.String(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kept_account_id", sa.Uuid(), nullable=True),
        sa.Column("emptied_account_id", sa.Uuid(), nullable=True),
        sa.Column("carried", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undo_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        *(
            sa.ForeignKeyConstraint([name], ["accounts.id"], name=op.f(f"fk_account_joins_{name}"))
            for name in ("asked_account_id", "asking_account_id", "emptied_account_id", "kept_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_joins")),
    )
    op.create_index("ix_account_joins_asked", "account_joins", ["asked_account_id"], unique=False)
    op.create_index("ix_account_joins_asking", "account_joins", ["asking_account_id"], unique=False)
    op.create_index(
        "uq_account_joins_emptied",
        "account_joins",
        ["emptied_account_id"],
        unique=True,
        postgresql_where=sa.text("status = 'joined'"),
        sqlite_where=sa.text("status = 'joined'"),
    )
