"""What is sent as it is says and does the same as what goes through SQLAlchemy and the driver."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from factories import make_department, make_hospital, make_schedule
from fakes import ManualClock
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Integer, String, bindparam, event, insert, literal_column, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool

from core.transactions import Transactions
from models.account import Account
from models.appointment import Appointment
from models.base import table_of
from models.database import Database, Timeouts
from models.hospital import Hospital
from models.idempotency import IdempotencyKey
from models.prepared import Prepared, prepared, rows_of
from models.schedule import Schedule, Slot, SlotStatus

only_postgres = pytest.mark.parametrize("database", ["postgres"], indirect=True)

_SLOT, _SCHEDULE, _KEY = table_of(Slot).c, table_of(Schedule).c, table_of(IdempotencyKey).c
_SLOTS = select(_SLOT).where(_SLOT.sequence <= bindparam("upto")).order_by(_SLOT.sequence)
_HOSPITALS = select(table_of(Hospital)).order_by(table_of(Hospital).c.code)
_ACCOUNT = insert(table_of(Account)).values(id=bindparam("id"), created_at=bindparam("at")).returning(Account.id)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ECHOED = {
    "whole": (_SLOT.sequence.type, st.integers(-(2**31), 2**31 - 1)),
    "words": (table_of(Hospital).c.name.type, st.text(st.characters(codec="utf-8", exclude_characters="\0"))),
    "at": (_SLOT.starts_at.type, st.integers(0, 2**32 * 1_000_000).map(lambda us: _EPOCH + timedelta(microseconds=us))),
    "day": (_SCHEDULE.visit_date.type, st.dates(date(1900, 1, 1), date(2100, 1, 1))),
    "id": (_SLOT.id.type, st.uuids()),
    "sealed": (_KEY.fingerprint.type, st.binary()),
    "yes": (table_of(Appointment).c.awaiting_payment.type, st.booleans()),
    "kind": (_SLOT.status.type, st.sampled_from(SlotStatus)),
}
_ECHO = select(*(bindparam(name, type_=kind).label(name) for name, (kind, _) in _ECHOED.items()))


@pytest.fixture
def one(database: Database) -> Iterator[Database]:
    """With a single connection, so that each transaction gets the same."""
    opened = Database(database.url.render_as_string(hide_password=False), pool_size=1)
    yield opened
    opened.close()


def twice(one: Database, given: dict[str, Any]) -> None:
    with one.write() as session:
        rows_of(session, _ACCOUNT, given)
        rows_of(session, _ACCOUNT, given)


def then_refuse(one: Database, given: dict[str, Any]) -> None:
    with one.write() as session:
        assert rows_of(session, _ACCOUNT, given)[0][0] == given["id"]
        raise LookupError


def a_schedule(session: Session, numbers: int = 3) -> Schedule:
    return make_schedule(session, make_department(session, make_hospital(session)), numbers=numbers)


def test_rows_are_those_that_the_ordinary_way_reads(database: Database) -> None:
    with database.write() as session:
        a_schedule(session)
        session.flush()
        for upto in (2, 40_000, 2):  # the driver sends them with two and with four bytes
            ordinary = session.execute(_SLOTS, {"upto": upto}).all()
            sent = rows_of(session, _SLOTS, {"upto": upto})
            assert [tuple(one) for one in sent] == [tuple(one) for one in ordinary]
            assert [one.starts_at for one in sent] == [one.starts_at for one in ordinary]
        assert len(ordinary) == 2
        assert [tuple(one) for one in rows_of(session, _HOSPITALS, {})] == [
            tuple(one) for one in session.execute(_HOSPITALS)
        ]


@pytest.fixture(scope="module")
def echo(_postgres_database: Any) -> Iterator[Database]:
    """Nothing is written in it."""
    address = _postgres_database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    opened = Database(address, timeouts=Timeouts(statement=30_000, idle_in_transaction=30_000), pool_size=1)
    yield opened
    opened.close()


@given(values=st.fixed_dictionaries({name: st.none() | some for name, (_, some) in _ECHOED.items()}))
def test_whatever_is_given_comes_back_as_it_does_the_ordinary_way(echo: Database, values: dict[str, Any]) -> None:
    with echo.read() as session:
        ((*ordinary,),) = session.execute(_ECHO, values).all()
        ((*sent,),) = rows_of(session, _ECHO, values)
    assert sent == ordinary == [values[name] for name in _ECHOED]


def test_it_is_part_of_the_transaction(one: Database) -> None:
    given = {"id": uuid4(), "at": datetime.now(UTC)}
    with pytest.raises(LookupError):
        then_refuse(one, given)
    with one.write() as session:
        assert session.get(Account, given["id"]) is None
        rows_of(session, _ACCOUNT, given)
    with one.read() as session:
        assert session.get(Account, given["id"]) is not None


def test_a_constraint_is_told_as_ever_and_the_connection_goes_on(one: Database) -> None:
    given = {"id": uuid4(), "at": datetime.now(UTC)}
    for _ in range(3):
        with pytest.raises(IntegrityError) as told:
            twice(one, given)
        assert "accounts" in str(told.value.orig)
    with one.write() as session:
        assert rows_of(session, _ACCOUNT, given) == [(given["id"],)]


@only_postgres
def test_what_was_bound_is_in_no_error(one: Database) -> None:
    given = {"id": uuid4(), "at": datetime(2031, 5, 17, tzinfo=UTC)}
    with pytest.raises(IntegrityError) as told:
        twice(one, given)
    assert told.value.orig is not None
    assert getattr(told.value.orig, "sqlstate", "") == "23505"
    assert "2031" not in str(told.value)


@only_postgres
def test_a_lock_that_does_not_come_is_told_by_its_code(database: Database) -> None:
    hasty = Database(database.url.render_as_string(hide_password=False), timeouts=Timeouts(lock=50))
    with database.write() as session:
        slot_id = session.scalars(select(Slot.id).where(Slot.schedule_id == a_schedule(session, 1).id)).one()
    taking = (
        update(table_of(Slot)).where(_SLOT.id == bindparam("slot")).values(moved=_SLOT.moved + 1).returning(_SLOT.moved)
    )
    with database.write() as session:
        rows_of(session, taking, {"slot": slot_id})
        with pytest.raises(DBAPIError) as told, hasty.write() as other:
            rows_of(other, taking, {"slot": slot_id})
        assert getattr(told.value.orig, "sqlstate", "") == "55P03"
    hasty.close()


@only_postgres
@pytest.mark.parametrize("as_first", [True, False])
def test_a_lost_connection_is_run_again_and_never_used_again(
    one: Database, database: Database, clock: ManualClock, as_first: bool
) -> None:
    """Lost while it lay in the pool, which BEGIN notices, and in the middle of a transaction."""
    transactions, runs, seen = Transactions(one, clock), list[int](), set[int]()

    def lose(backend: int) -> None:
        with database.write() as session:
            session.execute(text("SELECT pg_terminate_backend(:backend)"), {"backend": backend})

    def step(session: Session, _now: datetime) -> None:
        runs.append(1)
        if not as_first or len(runs) > 1:
            backend = session.scalar(text("SELECT pg_backend_pid()")) or 0
            seen.add(backend)
            if len(runs) == 1:
                lose(backend)
        rows_of(session, _ACCOUNT, {"id": UUID(int=len(runs)), "at": clock.now()})

    if as_first:
        with one.read() as session:
            seen.add(session.scalar(text("SELECT pg_backend_pid()")) or 0)
        lose(next(iter(seen)))
    transactions.write(step)
    assert (len(runs), len(seen)) == (2, 2)
    with database.read() as session:
        assert session.scalars(select(Account.id)).all() == [UUID(int=2)]


def fill_and_end(pool: Pool, size: int, database: Database) -> None:
    """Every connection of the pool is there, and lost, as a restart of the server leaves them."""
    pooled = [pool.connect() for _ in range(size)]
    ended = [one.driver_connection.info.backend_pid for one in pooled]  # type: ignore[union-attr]
    for one in pooled:
        one.close()
    with database.write() as session:
        session.execute(text("SELECT pg_terminate_backend(pid) FROM unnest(:ended) AS pid"), {"ended": ended})


@only_postgres
def test_a_look_over_a_lost_connection_is_made_again(one: Database, database: Database, clock: ManualClock) -> None:
    transactions = Transactions(one, clock)
    look = select(literal_column("pg_backend_pid()", type_=Integer()))
    first = transactions.find(look, {})
    fill_and_end(one._looks.pool, 4, database)
    seen = [transactions.find(look, {}) for _ in range(6)]
    assert first is not None
    assert all(found is not None and found[0] != first[0] for found in seen)


@only_postgres
def test_after_a_restart_of_the_server_nobody_is_refused(database: Database, clock: ManualClock) -> None:
    several = Database(database.url.render_as_string(hide_password=False), pool_size=8)
    fill_and_end(several.engine.pool, 8, database)
    transactions, runs = Transactions(several, clock), list[int]()

    def step(session: Session, _now: datetime) -> None:
        runs.append(1)
        rows_of(session, _ACCOUNT, {"id": uuid4(), "at": clock.now()})

    for planned_once in (True, False, True, False):
        transactions.write(step, planned_once=planned_once)
    assert len(runs) == 4  # the first was ended by its BEGIN
    several.close()


@only_postgres
def test_a_column_that_is_changed_meanwhile_is_read_at_once(one: Database, database: Database) -> None:
    with database.write() as session:
        session.execute(text("CREATE TABLE changing (id int, word varchar(3))"))
        session.execute(text("INSERT INTO changing VALUES (1, 'abc')"))
    word = select(literal_column("word", type_=String())).select_from(text("changing"))
    assert tuple(one.find(word, {}) or ()) == ("abc",)
    with database.write() as session:
        session.execute(text("ALTER TABLE changing ALTER word TYPE varchar(30)"))
    try:
        assert tuple(one.find(word, {}) or ()) == ("abc",)
    finally:
        with database.write() as session:
            session.execute(text("DROP TABLE changing"))


@only_postgres
def test_a_look_is_in_no_transaction(one: Database, clock: ManualClock) -> None:
    """Nothing is left open on a connection that goes back into the pool."""
    look = select(literal_column("1", type_=Integer()))
    transactions = Transactions(one, clock)
    for _ in range(3):
        assert tuple(transactions.find(look, {}) or ()) == (1,)
        pooled = one._looks.raw_connection()
        assert pooled.driver_connection.pgconn.transaction_status == 0  # type: ignore[union-attr]
        pooled.close()


def test_whoever_listens_hears_of_it(database: Database) -> None:
    heard: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *told: heard.append("before " + told[2].split()[0]))
    event.listen(database.engine, "after_cursor_execute", lambda *told: heard.append("after " + told[2].split()[0]))
    counted: list[int] = []
    event.listen(database.engine, "after_cursor_execute", lambda *told: counted.append(told[1].rowcount))
    with database.write() as session:
        session.connection()
        heard.clear()
        rows_of(session, _HOSPITALS, {})
        assert heard == ["before SELECT", "after SELECT"]
        rows_of(session, _ACCOUNT, {"id": uuid4(), "at": datetime.now(UTC)})
        assert counted[-1] == 1 or database.is_sqlite  # whose driver does not say it of a row that is given back
    heard.clear()
    database.find(select(table_of(Account).c.id).where(table_of(Account).c.id == bindparam("id")), {"id": uuid4()})
    assert [one for one in heard if "SELECT" in one] == ["before SELECT", "after SELECT"]


def test_a_parameter_that_stands_for_a_list_is_refused() -> None:
    with pytest.raises(ValueError, match="list"):
        Prepared(select(_SLOT.id).where(_SLOT.sequence.in_(bindparam("some", expanding=True))))


@only_postgres
def test_it_is_prepared_once_on_a_connection(one: Database) -> None:
    for upto in (1, 2, 3, 40_000, 41_000):
        with one.write() as session:
            a_schedule(session, 1)
            rows_of(session, _SLOTS, {"upto": upto})
    with one.read() as session:
        known = text("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'yuezhen%'")
        assert session.scalar(known) == 1  # however long the number is
    assert prepared(_SLOTS) is prepared(_SLOTS)


@only_postgres
def test_what_is_planned_once_is_and_nothing_after_it(one: Database) -> None:
    plans = text("SELECT sum(custom_plans), sum(generic_plans) FROM pg_prepared_statements WHERE name LIKE 'yuezhen%'")
    mode = text("SHOW plan_cache_mode")
    for at in range(3):
        with one.write(planned_once=True) as session:
            assert session.scalar(mode) == "force_generic_plan"
            rows_of(session, _SLOTS, {"upto": 1})
            assert session.execute(plans).one() == (0, at + 1)
    with one.write() as session:
        assert session.scalar(mode) == "auto"
        rows_of(session, _SLOTS, {"upto": 1})
        assert session.execute(plans).one() == (1, 3)
    with pytest.raises(LookupError), one.write(planned_once=True):
        raise LookupError
    with one.read() as session:
        assert session.scalar(mode) == "auto"
