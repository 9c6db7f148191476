"""What belongs to an account, or to a login of it, is found by that, and not by reading all of a table.

An account is exported, joined and closed within the time that one statement has.

Revision ID: 0036
Revises: 0035
"""

from __future__ import annotations

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("accounts", "joined_into_id"),
    ("account_joins", "kept_account_id"),
    ("charges", "account_id"),
    ("dependents", "account_id"),
    ("handoffs", "platform_identity_id"),
    ("identity_checks", "account_id"),
    ("payments", "account_id"),
    ("platform_identities", "found_by_id"),
)


def upgrade() -> None:
    for table, column in _COLUMNS:
        op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    for table, column in reversed(_COLUMNS):
        op.drop_index(f"ix_{table}_{column}", table)
