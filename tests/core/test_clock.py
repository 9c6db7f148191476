"""One clock for every rule: the database's, never running backwards; days are the hospital's."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import event, text

from core.clock import DatabaseClock, hospital_day
from models.database import Database

only_postgres = pytest.mark.parametrize("database", ["postgres"], indirect=True)
only_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
A_MOMENT = timedelta(seconds=5)


def theirs(database: Database) -> datetime:
    with database.read() as session:
        now = session.scalar(text("SELECT clock_timestamp()"))
    assert isinstance(now, datetime)
    return now


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2026, 11, 22, 15, 59, 59, 999_999, tzinfo=UTC), date(2026, 11, 22)),
        (datetime(2026, 11, 22, 16, 0, tzinfo=UTC), date(2026, 11, 23)),
        (datetime(2026, 12, 31, 16, 0, tzinfo=UTC), date(2027, 1, 1)),
    ],
)
def test_the_day_is_the_hospitals(instant: datetime, day: date) -> None:
    assert hospital_day(instant) == day


@only_postgres
@pytest.mark.parametrize("wrong", [timedelta(hours=-1), timedelta(hours=3)])
def test_a_machine_whose_clock_is_wrong_follows_the_database(database: Database, wrong: timedelta) -> None:
    with time_machine.travel(datetime.now(UTC) + wrong):
        told = DatabaseClock(database).now()
        assert told.tzinfo is UTC
        assert abs(told - theirs(database)) < A_MOMENT


@only_postgres
def test_asking_the_time_costs_no_round_trip_each_time(database: Database) -> None:
    asked = list[str]()
    event.listen(database.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    clock = DatabaseClock(database)
    for _ in range(100):
        clock.now()
    assert asked == ["SELECT clock_timestamp()"]


@only_sqlite
def test_a_file_has_no_clock_and_the_machines_is_used(database: Database) -> None:
    with time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC), tick=False):
        assert DatabaseClock(database).now() == datetime(2030, 1, 1, tzinfo=UTC)


@only_sqlite
def test_time_never_runs_backwards(database: Database) -> None:
    """After a jump back it stands still until time has caught up."""
    clock, noon = DatabaseClock(database), datetime(2030, 1, 1, 12, tzinfo=UTC)
    with time_machine.travel(noon, tick=False) as traveller:
        assert clock.now() == noon
        traveller.shift(timedelta(minutes=-10))
        assert clock.now() == noon
        traveller.shift(timedelta(minutes=11))
        assert clock.now() == noon + timedelta(minutes=1)
