"""Schema changes, the same scripts for SQLite and PostgreSQL: go up, go down, and tell where a database stands.

`python -m migrations` is the operator's door to them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import cache
from io import StringIO
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from migrations.connections import connected

_FOLDER = Path(__file__).parent
_TRIES = 5
_PAUSE_SECONDS = 1.0


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database to `revision`. Where it is there already, nothing happens."""
    _run(url, lambda config: command.upgrade(config, revision))


def downgrade(url: str, revision: str) -> None:
    """Take the database back to `revision`; `base` leaves no table."""
    _run(url, lambda config: command.downgrade(config, revision))


def upgrade_sql(url: str) -> str:
    """The statements that `upgrade` would send to an empty database of this kind, without sending them."""
    written = StringIO()
    config = _config(url)
    config.output_buffer = written
    command.upgrade(config, "head", sql=True)
    return written.getvalue()


@cache
def head() -> str:
    """The newest revision, which is the one this code needs."""
    newest = ScriptDirectory.from_config(_config("sqlite://")).get_current_head()
    if newest is None:
        raise LookupError("no migration is installed")
    return newest


def current(engine: Engine) -> str | None:
    """The revision that the database stands at; None where it was never migrated."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def is_at_head(engine: Engine) -> bool:
    """Whether the database has the tables that this code expects."""
    return current(engine) == head()


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = make_url(url)
    return config


def _run(url: str, change: Callable[[Config], None]) -> None:
    """Come again after a lock that was not free, or where another process made the same change at the same time."""
    for attempt in range(1, _TRIES + 1):
        config = _config(url)
        try:
            with connected(make_url(url)) as config.attributes["connection"]:
                change(config)
            return
        except DBAPIError:
            if attempt == _TRIES:
                raise
            time.sleep(random.uniform(0.5, 1.5) * _PAUSE_SECONDS)
