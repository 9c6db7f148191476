"""Deleting what was kept of closed accounts, each kind when its time is over (rules.md L-06, L-07).

`retention.py` says how long, `holdings.py` says which rows. Of one account all kinds that are due go in one
transaction, so that no sum and no history is ever seen half; a row that anything refers to stays until that is gone.
What is left after the last kind are rows that name nobody, and they go too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, and_, delete, exists, or_, select
from sqlalchemy.orm import Session, aliased

from core.dependents.merge import same_human
from core.locks import lock_accounts
from core.rights.holdings import HOLDINGS, OF_OTHERS, AccountId, Holding
from core.rights.retention import RETENTION, UNPAID_LASTS, Outcome
from core.rights.unpaid import UNPAID, has_unpaid
from models import Base
from models.account import Account, PlatformIdentity
from models.account_join import AccountJoin
from models.appointment import Appointment
from models.base import table_of
from models.grant import Grant
from models.hospital_claim import HospitalClaim
from models.payment import Payment
from models.person import Dependent, IdType, Person, PersonIdentifier
from models.schedule import Slot
from models.sealing import ERASED
from models.states import StateEvent

_ACCOUNTS_AT_ONCE = 20
_IN_ONE_STATEMENT = 500

_SHELLS = (
    Holding("dependents", Dependent, lambda one: (Dependent.account_id == one) & (Dependent.name_masked == "")),
    Holding(
        "platform_identities",
        PlatformIdentity,
        lambda one: (PlatformIdentity.account_id == one) & (PlatformIdentity.subject_sealed == ERASED),
    ),
)
"""Rows from which everything that named somebody was erased: they are there for what refers to them."""


def delete_expired(session: Session, *, now: datetime) -> bool:
    """Delete what is due of the next accounts. Whether there was any: then there may be more."""
    due = _accounts_due(session, now=now)
    for account in lock_accounts(session, due).values():
        over = [one for one, lasts in _timed() if account.closed_at is not None and account.closed_at + lasts <= now]
        if (
            account.closed_at is not None
            and account.closed_at + UNPAID_LASTS <= now
            and has_unpaid(session, account.id)
        ):
            over = [*UNPAID, *over]
        while sum(_delete_kind(session, one, account.id) for one in (*over, *_SHELLS)):
            pass  # what was referred to goes after what referred to it
        _delete_if_unreferenced(session, Account, [account.id])
    return bool(due)


def _timed() -> list[tuple[Holding, timedelta]]:
    """The kinds that are kept for a time, counted from the closing: nothing happens to an account after it."""
    rules = [(one, RETENTION[one.name]) for one in reversed(HOLDINGS) if one.name not in OF_OTHERS]
    return [(one, rule.lasts) for one, rule in rules if rule.outcome is Outcome.KEPT and rule.lasts is not None]


def _accounts_due(session: Session, *, now: datetime) -> Sequence[UUID]:
    """Closed accounts of which something may go now."""
    timed = [*_timed(), *((one, UNPAID_LASTS) for one in UNPAID)]
    over = [and_(Account.closed_at <= now - lasts, _may_go(one, Account.id).exists()) for one, lasts in timed]
    shells = [_may_go(one, Account.id).exists() for one in _SHELLS]
    query = select(Account.id).where(
        Account.closed_at.is_not(None), or_(*over, *shells, _is_unreferenced(table_of(Account)))
    )
    return session.scalars(query.order_by(Account.id).limit(_ACCOUNTS_AT_ONCE)).all()


def _may_go(kind: Holding, account_id: AccountId) -> Select[Any]:
    """The ids of its rows that nothing refers to. A join stays as long as one of its accounts is in use, a grant as
    long as anything that was done under it, and a dependent as long as whoever was archived in its favour."""
    rows = table_of(kind.record)
    query = select(rows.c.id).where(kind.where(account_id), _is_unreferenced(rows)).correlate(Account)
    if kind.record is Grant:
        done = (Appointment.grant_id == Grant.id, Payment.grant_id == Grant.id)
        query = query.where(*(~exists().where(one) for one in done))
    if kind.record is Dependent:  # whoever was archived in its favour points at it without a reference
        twin = aliased(Dependent)
        query = query.where(~exists().where(twin.merged_into_id == Dependent.id))
    if kind.record is AccountJoin:
        others = table_of(Account).alias()
        sides = or_(others.c.id == AccountJoin.asking_account_id, others.c.id == AccountJoin.asked_account_id)
        query = query.where(~exists().where(sides, others.c.closed_at.is_(None)))
    return query


def _is_unreferenced(rows: Table) -> ColumnElement[bool]:
    """That no row of any table points at this one. A hospital's claim goes with its appointment."""
    held = []
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if any(key.column.table is rows for key in column.foreign_keys) and table is not table_of(HospitalClaim):
                pointing = table.alias()
                held.append(exists().where(pointing.c[column.name] == rows.c.id))
    return ~or_(*held) if held else rows.c.id.is_not(None)


def _delete_kind(session: Session, kind: Holding, account_id: UUID) -> int:
    """How many rows went."""
    ids = list(session.scalars(_may_go(kind, account_id)))
    for start in range(0, len(ids), _IN_ONE_STATEMENT):
        some = ids[start : start + _IN_ONE_STATEMENT]
        if kind.record is Appointment:
            _delete_appointments(session, some)
        elif kind.record is Dependent:
            _delete_dependents(session, some)
        else:
            _delete_rows(session, kind.record, some)
    return len(ids)


def _delete_appointments(session: Session, ids: Sequence[UUID]) -> None:
    """With the hospital's word for each, and with the number that it had, which would be nobody's."""
    claims = session.scalars(select(HospitalClaim.id).where(HospitalClaim.appointment_id.in_(ids))).all()
    slots = session.scalars(select(Appointment.slot_id).where(Appointment.id.in_(ids))).all()
    _delete_rows(session, HospitalClaim, claims)
    _delete_rows(session, Appointment, ids)
    _delete_if_unreferenced(session, Slot, slots)


def _delete_dependents(session: Session, ids: Sequence[UUID]) -> None:
    """With the document and the person behind each, and whoever is one with them, where nothing is left of those."""
    found = session.execute(select(Dependent.identifier_id, Dependent.person_id).where(Dependent.id.in_(ids))).all()
    _delete_rows(session, Dependent, ids)
    erased = select(PersonIdentifier.id).where(PersonIdentifier.number_sealed == ERASED)
    persons = same_human(session, [one.person_id for one in found])
    theirs = PersonIdentifier.id.in_([one.identifier_id for one in found]) | PersonIdentifier.person_id.in_(persons)
    _delete_if_unreferenced(session, PersonIdentifier, session.scalars(erased.where(theirs)).all())
    _delete_aliases(session, persons)
    _delete_if_unreferenced(session, Person, persons)


def _delete_aliases(session: Session, persons: Sequence[UUID]) -> None:
    """Whoever was merged into one of these, when no number of theirs is left either."""
    aliases = session.scalars(select(Person.id).where(Person.alias_of_id.in_(persons))).all()
    numberless = or_(PersonIdentifier.number_sealed == ERASED, PersonIdentifier.id_type == IdType.GUARDIAN_BOUND)
    query = select(PersonIdentifier.id).where(PersonIdentifier.person_id.in_(aliases), numberless)
    _delete_if_unreferenced(session, PersonIdentifier, session.scalars(query).all())
    _delete_if_unreferenced(session, Person, aliases)


def _delete_if_unreferenced(session: Session, record: type[Base], ids: Sequence[UUID]) -> None:
    rows = table_of(record)
    query = select(rows.c.id).where(rows.c.id.in_(ids), _is_unreferenced(rows))
    _delete_rows(session, record, session.scalars(query).all())


def _delete_rows(session: Session, record: type[Base], ids: Sequence[UUID]) -> None:
    """And the history of each, which is of nothing without it."""
    rows, events = table_of(record), table_of(StateEvent)
    session.execute(delete(events).where(events.c.record_id.in_(ids)))
    session.execute(delete(rows).where(rows.c.id.in_(ids)))
