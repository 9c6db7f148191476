"""The two doors of the database: `write` keeps all or nothing and says when it is not sure, `read` leaves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from factories import make_account
from fakes import START, ManualClock
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.orm import Session

from core.transactions import OutcomeUnknown, Transactions
from models.account import Account
from models.base import new_id
from models.database import CommitUnsure, Database, Timeouts
from models.job import Job

only_postgres = pytest.mark.parametrize("database", ["postgres"], indirect=True)
only_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def accounts(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Account)) or 0


def add_job(database: Database) -> Job:
    job = Job(id=new_id(), kind="x", payload={}, dedup=None, run_at=START, created_at=START, attempts=0, lease_no=0)
    with database.write() as session:
        session.add(job)
    return job


def test_what_was_written_is_there_once_the_block_has_ended(database: Database) -> None:
    with database.write() as session:
        make_account(session)
        assert accounts(database) == 0
    assert accounts(database) == 1


def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    def fail_half_way() -> None:
        with database.write() as session:
            make_account(session)
            raise KeyError("half way")

    with pytest.raises(KeyError):
        fail_half_way()
    assert accounts(database) == 0


def test_what_is_only_flushed_at_the_end_counts_too(database: Database) -> None:
    with database.write() as session:
        session.add(Account(id=new_id(), created_at=START))
    assert accounts(database) == 1


def test_a_session_for_reading_leaves_no_change(database: Database) -> None:
    job = add_job(database)
    with database.read() as session:
        make_account(session)
        session.execute(update(Job).values(attempts=7))
    with database.read() as session:
        assert session.get_one(Job, job.id).attempts == 0
    assert accounts(database) == 0


def test_what_was_read_stays_readable_afterwards(database: Database) -> None:
    job = add_job(database)
    with database.read() as session:
        found = session.get_one(Job, job.id)
    assert found.kind == "x"


def test_reading_does_not_wait_for_a_writer(database: Database) -> None:
    with database.write() as session:
        make_account(session)
        assert accounts(database) == 0


def test_an_instant_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="time zone"), database.write() as session:
        session.add(Account(id=new_id(), created_at=START.replace(tzinfo=None)))


@contextmanager
def past_the_writer_lock(database: Database) -> Iterator[Session]:
    """A transaction of the same engine that does not stand in line: only BEGIN IMMEDIATE keeps writers apart."""
    with Session(database.engine) as session, session.begin():
        yield session


@only_sqlite
@pytest.mark.parametrize("door", [Database.write, past_the_writer_lock])
def test_four_threads_reading_then_writing_lose_no_update(
    database: Database, door: Callable[[Database], AbstractContextManager[Session]]
) -> None:
    """Python's driver opens transactions late: 30 came out of this once, not 120, and no error with it."""
    job = add_job(database)

    def count(_: int) -> None:
        for _ in range(30):
            with door(database) as session:
                found = session.get_one(Job, job.id)
                found.attempts = found.attempts + 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    with database.read() as session:
        assert session.get_one(Job, job.id).attempts == 120


@only_sqlite
def test_sqlite_writes_through_and_keeps_foreign_keys(database: Database) -> None:
    names = ("journal_mode", "synchronous", "foreign_keys")
    with database.read() as session:
        said = {name: session.execute(text(f"PRAGMA {name}")).scalar() for name in names}
    assert said == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_sqlite_without_a_file_is_refused() -> None:
    with pytest.raises(ValueError, match="file"):
        Database("sqlite:///:memory:")


@only_postgres
def test_postgres_waits_no_longer_than_its_role_may(database: Database) -> None:
    short = Database(database.url.render_as_string(hide_password=False), timeouts=Timeouts(lock=111, statement=222))
    with short.read() as session:
        shown = [session.execute(text(f"SHOW {name}")).scalar() for name in ("lock_timeout", "statement_timeout")]
        zone = session.execute(text("SHOW TimeZone")).scalar()
        level = session.execute(text("SHOW transaction_isolation")).scalar()
    short.close()
    assert (shown, zone, level) == (["111ms", "222ms"], "UTC", "read committed")


# --- COMMIT that does not clearly succeed


@pytest.fixture
def storm(database: Database) -> Iterator[str]:
    """A table whose rows are looked at in COMMIT: `warn` warns there, `cut` ends the connection, `refuse` raises."""
    with database.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE storm (what text)")
        connection.exec_driver_sql(
            """
            CREATE FUNCTION storm() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
              IF NEW.what = 'warn' THEN RAISE WARNING 'canceling wait for synchronous replication'; END IF;
              IF NEW.what = 'cut' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
              IF NEW.what = 'refuse' THEN RAISE EXCEPTION 'no'; END IF;
              RETURN NULL;
            END $$"""
        )
        connection.exec_driver_sql(
            "CREATE CONSTRAINT TRIGGER storm AFTER INSERT ON storm DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION storm()"
        )
        connection.commit()
        yield "INSERT INTO storm VALUES (:what)"
        connection.exec_driver_sql("DROP TABLE storm")
        connection.exec_driver_sql("DROP FUNCTION storm")
        connection.commit()


@only_postgres
@pytest.mark.parametrize("what", ["warn", "cut"])
def test_a_commit_with_a_warning_or_without_an_answer_is_not_called_done(
    database: Database, storm: str, what: str
) -> None:
    with pytest.raises(CommitUnsure), database.write() as session:
        session.execute(text(storm), {"what": what})


@only_postgres
@pytest.mark.parametrize("what", ["warn", "cut"])
def test_a_step_whose_commit_is_unsure_is_not_run_again(
    database: Database, storm: str, what: str, clock: ManualClock
) -> None:
    runs = []

    def step(session: Session, _now: object) -> None:
        runs.append(1)
        session.execute(text(storm), {"what": what})

    with pytest.raises(OutcomeUnknown):
        Transactions(database, clock).write(step)
    assert runs == [1]


@only_postgres
def test_a_commit_that_is_refused_is_refused_and_nothing_stays(database: Database, storm: str) -> None:
    def write() -> None:
        with database.write() as session:
            make_account(session)
            session.execute(text(storm), {"what": "refuse"})

    with pytest.raises(DBAPIError, match="no"):
        write()
    assert accounts(database) == 0


@only_postgres
def test_a_warning_before_commit_is_no_doubt_about_it(database: Database) -> None:
    with database.write() as session:
        session.execute(text("DO $$ BEGIN RAISE WARNING 'something else'; END $$"))
        make_account(session)
    assert accounts(database) == 1


@only_postgres
def test_the_next_transaction_of_the_connection_is_not_blamed(database: Database, storm: str) -> None:
    one = Database(database.url.render_as_string(hide_password=False), pool_size=1)
    with pytest.raises(CommitUnsure), one.write() as session:
        session.execute(text(storm), {"what": "warn"})
    with one.write() as session:
        make_account(session)
    one.close()
    assert accounts(database) == 1


@only_sqlite
def test_the_lock_file_stands_beside_the_database(database: Database) -> None:
    add_job(database)
    assert Path(f"{database.url.database}.writer").exists()
