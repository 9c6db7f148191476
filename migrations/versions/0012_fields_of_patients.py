"""What a patient may add: e-mail, insurance number, allergies and history, and the cards that hospitals gave them.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_OF_DEPENDENTS = (
    ("email_sealed", sa.LargeBinary()),
    ("email_masked", sa.String()),
    ("insurance_number_sealed", sa.LargeBinary()),
    ("insurance_number_masked", sa.String()),
    ("allergies_and_history_sealed", sa.LargeBinary()),
)


def upgrade() -> None:
    for name, kind in _OF_DEPENDENTS:
        op.add_column("dependents", sa.Column(name, kind, nullable=True))
    # Without a reference: SQLite would have to rebuild the table.
    op.add_column("appointments", sa.Column("visit_card_id", sa.Uuid(), nullable=True))
    op.create_table(
        "hospital_cards",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("dependent_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("number_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("number_hash", sa.LargeBinary(), nullable=False),
        sa.Column("number_hash_key", sa.Integer(), nullable=False),
        sa.Column("number_masked", sa.String(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dependent_id"], ["dependents.id"], name=op.f("fk_hospital_cards_dependent_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_hospital_cards_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hospital_cards")),
    )
    op.create_index(op.f("ix_hospital_cards_dependent_id"), "hospital_cards", ["dependent_id"], unique=False)
    op.create_index(
        "uq_hospital_cards_current",
        "hospital_cards",
        ["dependent_id", "hospital_id"],
        unique=True,
        postgresql_where=sa.text("is_current"),
        sqlite_where=sa.text("is_current"),
    )


def downgrade() -> None:
    op.drop_table("hospital_cards")
    op.drop_column("appointments", "visit_card_id")
    for name, _ in reversed(_OF_DEPENDENTS):
        op.drop_column("dependents", name)
