"""Grown-ups agree themselves to be booked for; what a guardian is to a minor, what shows it,
and when a record was handed over.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


# Columns without references: SQLite would have to rebuild the table.
_DEPENDENTS = (
    ("guardian_relation", sa.String(length=32)),
    ("guardian_evidence", sa.String(length=32)),
    ("guardian_evidence_number_sealed", sa.LargeBinary()),
    ("guardian_told_at", sa.DateTime(timezone=True)),
    ("guardian_confirmed_at", sa.DateTime(timezone=True)),
    ("guardian_confirmed_by", sa.String()),
    ("handed_over_at", sa.DateTime(timezone=True)),
    ("phone_changed_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    op.create_table(
        "agreements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("dependent_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("way", sa.String(length=32), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("check_id", sa.Uuid(), nullable=True),
        sa.Column("witnessed_by", sa.String(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_agreements_account_id")),
        sa.ForeignKeyConstraint(["dependent_id"], ["dependents.id"], name=op.f("fk_agreements_dependent_id")),
        sa.ForeignKeyConstraint(["check_id"], ["identity_checks.id"], name=op.f("fk_agreements_check_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreements")),
        sa.UniqueConstraint("check_id", name=op.f("uq_agreements_check_id")),
    )
    op.create_index(op.f("ix_agreements_account_id"), "agreements", ["account_id"], unique=False)
    op.create_index("ix_agreements_dependent", "agreements", ["dependent_id", "given_at"], unique=False)
    op.create_index(
        "uq_agreements_standing",
        "agreements",
        ["dependent_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
        sqlite_where=sa.text("ended_at IS NULL"),
    )
    # Without a reference: a code outlives whom it was about by a day at most.
    op.add_column("phone_codes", sa.Column("about_id", sa.Uuid(), nullable=True))
    op.add_column("notices", sa.Column("dependent_id", sa.Uuid(), nullable=True))
    for name, kind in _DEPENDENTS:
        op.add_column("dependents", sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    for name, _ in reversed(_DEPENDENTS):
        op.drop_column("dependents", name)
    op.drop_column("notices", "dependent_id")
    op.drop_column("phone_codes", "about_id")
    op.drop_table("agreements")
