"""The migrations make exactly the tables of the models, on both databases, and can be taken back."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from factories import make_account, make_dependent
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

import migrations
from migrations.connections import BrokenReferences, connected
from models import Base
from models.base import new_id
from models.database import Database
from models.person import Dependent
from models.sealing import Vault

OURS = {table.name for table in Base.metadata.sorted_tables}


@pytest.fixture
def blank(blank_url: str) -> Any:
    database = Database(blank_url)
    yield database
    database.close()


def _tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def _index(index: Any) -> str:
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return f"{index['name']} {index['column_names']} unique={bool(index['unique'])} {options}"


def _described(engine: Engine) -> dict[str, Any]:
    """Everything that a table is made of, names included, in a form that can be compared."""
    look = inspect(engine)
    return {
        table: {
            "columns": [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in look.get_columns(table)],
            "primary key": look.get_pk_constraint(table),
            "foreign keys": sorted(look.get_foreign_keys(table), key=lambda key: str(key["name"])),
            "unique": sorted(look.get_unique_constraints(table), key=lambda rule: str(rule["name"])),
            "checks": sorted(look.get_check_constraints(table), key=lambda rule: str(rule["name"])),
            "indexes": sorted(_index(index) for index in look.get_indexes(table)),
        }
        for table in sorted(OURS)
    }


def test_up_down_and_up_again(blank_url: str, blank: Database) -> None:
    migrations.upgrade(blank_url)
    assert _tables(blank.engine) == OURS
    migrations.downgrade(blank_url, "base")
    assert _tables(blank.engine) == set()
    migrations.upgrade(blank_url)
    assert _tables(blank.engine) == OURS


def test_nothing_has_drifted_from_the_models(blank_url: str, blank: Database) -> None:
    migrations.upgrade(blank_url)
    with blank.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_tables_and_names_are_those_that_the_models_would_make(blank_url: str, blank: Database) -> None:
    migrations.upgrade(blank_url)
    migrated = _described(blank.engine)
    migrations.downgrade(blank_url, "base")
    Base.metadata.create_all(blank.engine)
    made = _described(blank.engine)
    assert [table for table in made if made[table] != migrated[table]] == []


def test_it_is_told_where_a_database_stands(blank_url: str, blank: Database) -> None:
    assert migrations.current(blank.engine) is None
    assert not migrations.is_at_head(blank.engine)
    migrations.upgrade(blank_url)
    assert migrations.current(blank.engine) == migrations.head()
    assert migrations.is_at_head(blank.engine)


def test_at_head_nothing_happens(blank_url: str, blank: Database) -> None:
    migrations.upgrade(blank_url)
    with blank.write() as session:
        session.execute(text("INSERT INTO accounts (id, created_at) VALUES (:id, '2026-01-01')"), {"id": new_id().hex})
    migrations.upgrade(blank_url)
    with blank.read() as session:
        assert session.scalar(text("SELECT count(*) FROM accounts")) == 1


def test_the_books_are_only_added_to_in_the_database_itself(blank_url: str, blank: Database) -> None:
    """Whoever goes past the models cannot change them either."""
    migrations.upgrade(blank_url)
    # Without our pragmas no reference is looked at on SQLite, so that a bare row will do.
    engine = create_engine(blank_url) if blank.is_sqlite else blank.engine
    with engine.begin() as connection:
        if blank.is_sqlite:
            connection.exec_driver_sql(
                "INSERT INTO journals (id, hospital_id, kind, subject_id, payment_id, channel, merchant, currency, at, "
                "posted_at) VALUES ('j', 'h', 'fee_taken', 's', 'p', 'wechat_jsapi', 'm', 'CNY', '2026', '2026')"
            )
            connection.exec_driver_sql(
                "INSERT INTO ledger_entries (id, journal_id, account, amount_fen) VALUES ('e', 'j', 'fees', 1)"
            )
    changes = ["UPDATE ledger_entries SET amount_fen = 2", "UPDATE journals SET merchant = 'another'"]
    removals = ["DELETE FROM ledger_entries", "DELETE FROM journals"]
    more = [] if blank.is_sqlite else ["TRUNCATE ledger_entries", "SET LOCAL yuezhen.books = 'open'; " + changes[0]]
    for statement in (*changes, *removals, *more):
        with pytest.raises(IntegrityError, match="only added to"), engine.begin() as connection:
            connection.exec_driver_sql(statement)
    if not blank.is_sqlite:  # once their thirty years are over
        with engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL yuezhen.books = 'open'; " + removals[0])
    engine.dispose()


def test_several_at_once_end_at_head(blank_url: str, blank: Database) -> None:
    command = [sys.executable, "-m", "migrations", "--url", blank_url, "upgrade"]
    running = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert migrations.is_at_head(blank.engine)
    assert _tables(blank.engine) == OURS


def test_the_printed_statements_make_the_same_tables(blank_url: str, blank: Database) -> None:
    printed = [part for part in migrations.upgrade_sql(blank_url).split(";\n") if part.strip()]
    with blank.engine.begin() as connection:
        for statement in printed:
            if statement.strip() not in {"BEGIN", "COMMIT"}:
                connection.exec_driver_sql(statement)
    assert _tables(blank.engine) == OURS
    assert migrations.is_at_head(blank.engine)


def test_the_command_tells_by_its_exit_code(blank_url: str) -> None:
    command = [sys.executable, "-m", "migrations", "--url", blank_url]
    before = subprocess.run([*command, "check"], capture_output=True, text=True, check=False)
    assert (before.returncode, before.stdout) == (1, f"database: empty, code: {migrations.head()}\n")
    subprocess.run([*command, "upgrade"], check=True)
    after = subprocess.run([*command, "check"], capture_output=True, text=True, check=False)
    assert (after.returncode, after.stderr) == (0, "")


def test_a_change_that_breaks_references_on_sqlite_is_not_kept(sqlite_url: Any) -> None:
    orphan = text("INSERT INTO campuses (id, hospital_id, code, name, address) VALUES ('a', 'nobody', 'c', 'n', 'a')")
    with connected(sqlite_url) as connection:
        connection.execute(orphan)
        with pytest.raises(BrokenReferences):
            connection.commit()
        connection.rollback()
    with connected(sqlite_url) as connection:
        assert connection.scalar(text("SELECT count(*) FROM campuses")) == 0


def test_0033_leaves_masks_of_phones_and_hides_one_more_digit_of_macao(blank_url: str, blank: Database) -> None:
    migrations.upgrade(blank_url, "0032")
    masks = {"+853****4567": "+853****567", "+852****4567": "+852****4567", "138****0000": "138****0000", "": ""}
    with blank.write() as session:
        for mask in masks:
            new = text("INSERT INTO accounts (id, created_at, phone_masked) VALUES (:id, '2026-01-01', :mask)")
            session.execute(new, {"id": new_id().hex, "mask": mask})
    migrations.upgrade(blank_url)
    with blank.read() as session:
        stored = session.scalars(text("SELECT phone_masked FROM accounts ORDER BY id")).all()
    assert list(stored) == list(masks.values())


def test_0039_leads_whoever_named_an_archived_twin_to_the_one_that_stays(
    blank_url: str, blank: Database, vault: Vault
) -> None:
    migrations.upgrade(blank_url)
    with blank.write() as session:
        account = make_account(session)
        stays, second, first, gone, ward, orphan = (make_dependent(session, vault, account) for _ in range(6))
        for one in (second, first, gone):
            one.archived_at = one.created_at
        second.merged_into_id, first.merged_into_id = stays.id, second.id
        ward.guardian_dependent_id, orphan.guardian_dependent_id = first.id, gone.id
        ids = [one.id for one in (stays, second, first, ward, orphan)]
    migrations.downgrade(blank_url, "0038")
    migrations.upgrade(blank_url)
    with blank.read() as session:
        rows = [session.get_one(Dependent, one) for one in ids]
    assert [one.merged_into_id for one in rows] == [None, ids[0], ids[0], None, None]
    assert [one.guardian_dependent_id for one in rows] == [None, None, None, ids[0], None]
