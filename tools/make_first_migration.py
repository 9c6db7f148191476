"""Writes migrations/versions/0001_first_tables.py anew from the models: `python tools/make_first_migration.py`.

Only for as long as no database that matters stands at 0001. After that every change is a migration of its own.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from alembic.autogenerate import produce_migrations, render_python_code  # noqa: E402
from alembic.migration import MigrationContext  # noqa: E402
from alembic.operations import ops  # noqa: E402
from sqlalchemy import create_engine  # noqa: E402

from migrations.rendering import render_item  # noqa: E402
from models import Base  # noqa: E402

TARGET = ROOT / "migrations" / "versions" / "0001_first_tables.py"
HEAD = '''"""The first tables.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

'''
TAIL = """
# In an order in which each refers only to those before it.
_TABLES: tuple[tuple[str, Callable[[], None]], ...] = (
{rows}
)


def upgrade() -> None:
    for _, create in _TABLES:
        create()


def downgrade() -> None:
    for name, _ in reversed(_TABLES):
        op.drop_table(name)
"""


def main() -> None:
    """Compare the models with an empty database, and write one function per table."""
    with create_engine("sqlite://").connect() as connection:
        context = MigrationContext.configure(connection, opts={"target_metadata": Base.metadata})
        script = produce_migrations(context, Base.metadata)
        assert script.upgrade_ops is not None
        parts = []
        for table, steps in itertools.groupby(script.upgrade_ops.ops, key=_table_of):
            code = render_python_code(ops.UpgradeOps(list(steps)), render_item=render_item, migration_context=context)
            body = "\n".join(line for line in code.splitlines() if not line.strip().startswith("#"))
            parts.append((table, f"\ndef _create_{table}() -> None:\n    {body.strip()}\n"))
    rows = "\n".join(f'    ("{table}", _create_{table}),' for table, _ in parts)
    TARGET.write_text(HEAD + "\n".join(code for _, code in parts) + TAIL.format(rows=rows))
    for command in (["format", "--quiet"], ["check", "--fix", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *command, str(TARGET)], check=True, cwd=ROOT)


def _table_of(step: ops.MigrateOperation) -> str:
    return str(getattr(step, "table_name"))  # noqa: B009 - every step made here has one, and the base class has not


if __name__ == "__main__":
    main()
