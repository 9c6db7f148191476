"""What one person lets another account do for them, and what was booked and paid under it.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Columns without a reference: SQLite would have to rebuild the busiest tables.
_UNDER_A_GRANT = ("appointments", "payments")


def upgrade() -> None:
    op.create_table(
        "grants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dependent_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("may_see", sa.Boolean(), nullable=False),
        sa.Column("may_book", sa.Boolean(), nullable=False),
        sa.Column("may_pay", sa.Boolean(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=True),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("offer_ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_by_id", sa.Uuid(), nullable=True),
        sa.Column("to_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(length=32), nullable=True),
        sa.CheckConstraint("may_see OR may_book OR may_pay", name=op.f("ck_grants_scope")),
        sa.CheckConstraint("may_see OR NOT may_book", name=op.f("ck_grants_book_sees")),
        sa.CheckConstraint("(account_id IS NULL) = (accepted_at IS NULL)", name=op.f("ck_grants_holder")),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name=op.f("ck_grants_ended")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_grants_account_id")),
        sa.ForeignKeyConstraint(["dependent_id"], ["dependents.id"], name=op.f("fk_grants_dependent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_grants_code_hash")),
    )
    for name in ("account_id", "dependent_id"):
        op.create_index(op.f(f"ix_grants_{name}"), "grants", [name], unique=False)
    for table in _UNDER_A_GRANT:
        op.add_column(table, sa.Column("grant_id", sa.Uuid(), nullable=True))
        op.create_index(
            f"ix_{table}_grant",
            table,
            ["grant_id"],
            unique=False,
            postgresql_where=sa.text("grant_id IS NOT NULL"),
            sqlite_where=sa.text("grant_id IS NOT NULL"),
        )


def downgrade() -> None:
    for table in reversed(_UNDER_A_GRANT):
        op.drop_index(f"ix_{table}_grant", table_name=table)
        op.drop_column(table, "grant_id")
    op.drop_table("grants")
