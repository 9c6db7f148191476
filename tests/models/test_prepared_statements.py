"""A rollback undoes what was written and nothing else: the statements that a connection has prepared stay."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from factories import make_account
from psycopg import _queries as driver_queries
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from models.account import Account
from models.database import Database

pytestmark = pytest.mark.parametrize("database", ["postgres"], indirect=True)

_COUNT = select(func.count()).select_from(Account)
_OFTEN = 7  # the driver prepares what it has sent five times
_PREPARED = text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT count%accounts%'")


@pytest.fixture
def one(database: Database) -> Iterator[Database]:
    """With a single connection, so that each transaction gets the same."""
    opened = Database(database.url.render_as_string(hide_password=False), pool_size=1)
    yield opened
    opened.close()


def prepared(one: Database) -> int:
    with one.read() as session:
        return session.scalar(_PREPARED) or 0


def refuse(one: Database) -> None:
    with one.write() as session:
        make_account(session)
        session.scalar(_COUNT)
        raise LookupError


def fail(one: Database) -> None:
    with one.write() as session:
        make_account(session)
        session.execute(text("SELECT 1 / 0"))


def test_reading_often_prepares_the_statement(one: Database) -> None:
    for _ in range(_OFTEN):
        with one.read() as session:
            session.scalar(_COUNT)
    assert prepared(one) == 1


def test_a_refusal_keeps_it_and_leaves_nothing(one: Database) -> None:
    for _ in range(_OFTEN):
        with pytest.raises(LookupError):
            refuse(one)
    assert prepared(one) == 1
    with one.read() as session:
        assert session.scalar(_COUNT) == 0


def test_a_statement_that_fails_is_rolled_back_too(one: Database) -> None:
    for _ in range(_OFTEN):
        with pytest.raises(DBAPIError, match="division by zero"):
            fail(one)
    with one.write() as session:
        make_account(session)
    with one.read() as session:
        assert session.scalar(_COUNT) == 1


def test_a_long_statement_is_taken_apart_once(one: Database) -> None:
    given = {f"p{at}": at for at in range(200)}
    long = text("SELECT " + " + ".join(f"CAST(:{name} AS bigint)" for name in given))
    with one.read() as session:
        session.execute(long, given)
        before = driver_queries._query2pg.cache_info()
        assert session.execute(long, given).scalar_one() == sum(given.values())
    after = driver_queries._query2pg.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)
