"""Whoever was archived at a join is found by who stays, and nobody hangs on them any more.

A ward has the one that stays as its guardian, or none where that one is gone, and is asked about anew; of those who
were archived one after another all point at the one that stays.

Revision ID: 0039
Revises: 0038
"""

from __future__ import annotations

from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

_OF_A_JOIN = "SELECT {} FROM dependents d WHERE d.id = dependents.{} AND d.merged_into_id IS NOT NULL"
_HALVINGS = 5
"""Each one halves the way to the one that stays: 32 joins of one human being are more than anybody makes."""


def _lead(column: str) -> None:
    op.execute(
        f"UPDATE dependents SET {column} = ({_OF_A_JOIN.format('d.merged_into_id', column)}) "  # noqa: S608 - ours
        f"WHERE EXISTS ({_OF_A_JOIN.format('1', column)})"
    )


def upgrade() -> None:
    op.create_index("ix_dependents_merged_into_id", "dependents", ["merged_into_id"])
    for _ in range(_HALVINGS):
        _lead("merged_into_id")
    _lead("guardian_dependent_id")
    op.execute(
        "UPDATE dependents SET guardian_dependent_id = NULL WHERE archived_at IS NULL AND EXISTS "
        "(SELECT 1 FROM dependents g WHERE g.id = dependents.guardian_dependent_id AND g.archived_at IS NOT NULL)"
    )


def downgrade() -> None:
    op.drop_index("ix_dependents_merged_into_id", "dependents")
