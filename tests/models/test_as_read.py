"""What is made of the columns of a row is what the ORM would have loaded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from factories import make_account, make_department, make_dependent, make_hospital, make_schedule
from sqlalchemy import event, inspect, select, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session

from models.as_read import Whole
from models.base import Base, table_of
from models.database import Database
from models.person import Dependent
from models.prepared import row_of
from models.schedule import Schedule
from models.sealing import Vault

_WHOLE = {kind: Whole(kind) for kind in (Dependent, Schedule)}
_ROW = {kind: select(*whole.columns) for kind, whole in _WHOLE.items()}


@pytest.fixture
def session(database: Database, vault: Vault) -> Iterator[Session]:
    """With a schedule and a dependent, of which the session knows nothing."""
    with database.write() as session:
        make_schedule(session, make_department(session, make_hospital(session)))
        make_dependent(session, vault, make_account(session))
        session.flush()
        session.expunge_all()
        yield session


def read(session: Session, kind: type[Base]) -> Base:
    return _WHOLE[kind].read(session, row_of(session, _ROW[kind], {}))


def loaded(session: Session, kind: type[Base]) -> dict[str, object]:
    """What the ORM has of the one record, as a session of its own reads it."""
    with Session(session.connection()) as other:
        found = other.scalars(select(kind)).one()
        return {one.key: getattr(found, one.key) for one in inspect(kind).column_attrs}


def values(record: Base) -> dict[str, object]:
    return {one.key: getattr(record, one.key) for one in inspect(type(record)).column_attrs}


@pytest.mark.parametrize("kind", _WHOLE)
def test_it_says_what_the_orm_says_and_asks_for_nothing_more(session: Session, kind: type[Base]) -> None:
    wanted, sent = loaded(session, kind), []
    made = read(session, kind)
    event.listen(session.get_bind(), "before_cursor_execute", lambda *said: sent.append(said[2]))
    assert values(made) == wanted
    assert session.scalars(select(kind)).one() is made is session.get(kind, wanted["id"])
    assert len(sent) == 1, "the select of this test alone"


@pytest.mark.parametrize("kind", _WHOLE)
def test_what_the_session_has_already_is_as_it_is_now(session: Session, kind: type[Base]) -> None:
    known = session.scalars(select(kind)).one()
    moved = known.created_at.replace(year=2031)
    session.connection().execute(update(table_of(kind)).values(created_at=moved))
    assert read(session, kind) is known
    assert known.created_at == moved
    assert not session.is_modified(known)
    session.expire(known)
    assert read(session, kind) is known
    assert values(known) == loaded(session, kind)


def test_what_was_changed_is_written_before_it_is_read(session: Session) -> None:
    known = session.scalars(select(Schedule)).one()
    known.fee_fen = 4_321
    read(session, Schedule)
    assert known.fee_fen == loaded(session, Schedule)["fee_fen"] == 4_321


def test_a_change_is_written(session: Session) -> None:
    made = read(session, Schedule)
    assert isinstance(made, Schedule)
    made.fee_fen = 4_321
    session.flush()
    assert loaded(session, Schedule)["fee_fen"] == 4_321


def test_what_was_not_read_with_it_is_refused_as_ever(session: Session) -> None:
    made = read(session, Dependent)
    assert isinstance(made, Dependent)
    with pytest.raises(InvalidRequestError, match="raise_on_sql"):
        _ = made.identifier
