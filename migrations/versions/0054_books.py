"""The database itself keeps the books as they were written.

Revision ID: 0054
Revises: 0049
"""

from __future__ import annotations

from alembic import op

revision = "0054"
down_revision = "0049"
branch_labels = None
depends_on = None

_TABLES = ("journals", "ledger_entries")
_REASON = "the books are only added to"
_REFUSE = (
    "CREATE FUNCTION books_are_only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF TG_OP = 'UPDATE' OR current_setting('yuezhen.books', true) IS DISTINCT FROM 'open' THEN "
    f"RAISE EXCEPTION '{_REASON}' USING ERRCODE = 'restrict_violation'; END IF; RETURN NULL; END $$"
)


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(_REFUSE)
        for table in _TABLES:
            op.execute(
                f"CREATE TRIGGER {table}_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION books_are_only_added_to()"
            )
        return
    for table in _TABLES:
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{_REASON}'); END"
            )


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION books_are_only_added_to() CASCADE")
        return
    for table in _TABLES:
        for act in ("update", "delete"):
            op.execute(f"DROP TRIGGER {table}_no_{act}")
