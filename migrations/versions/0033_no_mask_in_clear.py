"""No mask of a number stands in clear: beside a birth date it tells the number. Masks are made of what is sealed.

Revision ID: 0033
Revises: 0032
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_OF_MACAO = ("dependents", "accounts", "account_joins")


def upgrade() -> None:
    op.drop_column("hospital_cards", "number_masked")
    for name in ("insurance_number_masked", "email_masked", "id_number_masked"):
        op.drop_column("dependents", name)
    for table in _OF_MACAO:  # from the fourth digit of the end on: one more is hidden
        op.execute(
            f"UPDATE {table} SET phone_masked = '+853****' || substr(phone_masked, 10) "  # noqa: S608 - a name of ours
            "WHERE phone_masked LIKE '+853****____'"
        )


def downgrade() -> None:
    """The masks are empty, for whoever changes something to write them: nothing is opened without a key here."""
    op.add_column("dependents", sa.Column("id_number_masked", sa.String(), server_default="", nullable=False))
    op.add_column("dependents", sa.Column("email_masked", sa.String(), nullable=True))
    op.add_column("dependents", sa.Column("insurance_number_masked", sa.String(), nullable=True))
    op.add_column("hospital_cards", sa.Column("number_masked", sa.String(), server_default="", nullable=False))
