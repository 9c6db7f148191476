"""Run by alembic for every command. `config.attributes` brings the address, and the connection unless SQL is only
to be printed."""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy.engine import URL, Connection

from migrations.rendering import render_item
from models import Base


def _options(dialect: str) -> dict[str, Any]:
    return {
        "target_metadata": Base.metadata,
        "render_item": render_item,
        "render_as_batch": dialect == "sqlite",
        "transaction_per_migration": True,
        "transactional_ddl": True,
    }


def _print_sql(url: URL) -> None:
    dialect = url.get_backend_name()
    context.configure(
        dialect_name=dialect, literal_binds=True, output_buffer=context.config.output_buffer, **_options(dialect)
    )
    with context.begin_transaction():
        context.run_migrations()


def _run(connection: Connection) -> None:
    context.configure(connection=connection, **_options(connection.dialect.name))
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    _print_sql(context.config.attributes["url"])
else:
    _run(context.config.attributes["connection"])
