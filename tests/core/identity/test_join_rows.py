"""What a join carries over and gives back: everything that came, and what hangs on it since, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from factories import (
    make_account,
    make_dependent,
    make_grant,
    make_identity,
    make_login,
    make_person,
    make_signal,
    make_waitlist_entry,
)
from fakes import FakeAdapters, ManualClock
from harness import beside
from people import CAUSE, agree
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Session
from wallets import Couple, Side, make_couple, rows

from core.booking.views import list_appointments
from core.idempotency import KeyedRequest, StoredReply, keep_reply, take_key
from core.identity.consents import granted
from core.identity.join_rows import CARRIED
from core.identity.opening import open_desk_check
from core.identity.outcomes import FACE_MATCHED, pass_check
from core.locks import lock_dependent
from core.workbench import Workbench
from models import Base
from models.account import Account, LoginSession, PlatformIdentity, Purpose
from models.account_join import AccountJoin
from models.appointment import Appointment, AppointmentStatus, PayMode
from models.base import new_id
from models.hospital import Department
from models.identity_check import IdentityCheck, IdentityMethod
from models.notice import Notice
from models.payment import Payment
from models.person import Dependent, PersonIdentifier, Relationship
from models.schedule import Schedule

BESIDE = {"archived", "defaults", "cards", "current_cards"}
"""What a join writes down that is no row of a table of its own."""
ROOMY = {"max_open_holds_account": 9, "max_open_holds_person": 9}


@pytest.fixture
def couple(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Couple:
    return make_couple(workbench, clock, adapters)


def elsewhere(side: Side) -> UUID:
    """A schedule on another day."""
    day = side.clock.now() + timedelta(days=4)
    return beside(side, visit_date=day.date(), terms=ROOMY)


def with_everything(couple: Couple) -> None:
    """One of everything that hangs on an account, on both sides."""
    for side in couple.sides:
        side.paid()
        side.book(PayMode.ONLINE, schedule_id=elsewhere(side))
        side.write(lambda session, now, side=side: _open_check(session, side, now))  # type: ignore[misc]
        side.write(lambda session, now, side=side: _agree_to_face(session, side, now))  # type: ignore[misc]
        side.write(lambda session, now, side=side: _use_key(session, side, now, str(uuid4())))  # type: ignore[misc]
        side.write(lambda session, now, side=side: _hold_grant(session, side, now))  # type: ignore[misc]
        side.write(lambda session, now, side=side: make_signal(session, side.account_id, now=now))  # type: ignore[misc]
        side.write(lambda session, now, side=side: _wait(session, side, now))  # type: ignore[misc]
    couple.prove()


def _open_check(session: Session, side: Side, now: datetime) -> None:
    open_desk_check(session, lock_dependent(session, side.dependent_id), now=now, cause=CAUSE)


def _agree_to_face(session: Session, side: Side, now: datetime) -> None:
    agree(session, side.account_id, Purpose.FACE, dependent_id=side.dependent_id, now=now)


def _wait(session: Session, side: Side, now: datetime) -> UUID:
    department = session.get_one(Department, session.get_one(Schedule, side.schedule_id).department_id)
    return make_waitlist_entry(session, department, side.account_id, now=now).id


def _hold_grant(session: Session, side: Side, now: datetime) -> UUID:
    """Of somebody else."""
    granter = make_dependent(session, side.workbench.vault, make_account(session, now=now), now=now)
    return make_grant(session, granter, side.account_id, identity_id=side.payer.identity_id, now=now).id


def _use_key(session: Session, side: Side, now: datetime, key: str) -> None:
    row = take_key(session, side.workbench.vault, KeyedRequest(side.account_id, key, "POST /x\n{}"), now=now)
    assert not isinstance(row, StoredReply)
    keep_reply(row, side.workbench.vault, StoredReply(200, b"{}"), now=now)


def of(side: Side, record: type[Base], account_id: UUID) -> set[UUID]:
    table = record.__table__
    query = select(table.c.id).where(table.c.account_id == account_id)
    if record.__tablename__ == "consents":
        query = query.where(table.c.dependent_id.is_not(None))
    return side.read(lambda session: set(session.scalars(query)))


def test_every_table_that_names_an_account_is_carried_or_said_to_stay() -> None:
    """A new table that hangs on an account must say what a join does with it."""
    stays = {"account_joins", "phone_codes"}  # a code lives for five minutes, for the login that asked for it
    names = {
        table.name
        for table in Base.metadata.sorted_tables
        for column in table.columns
        for key in column.foreign_keys
        if isinstance(key, ForeignKey) and key.target_fullname == "accounts.id"
    }
    assert names - stays == {record.__tablename__ for record in CARRIED}


def test_everything_comes_to_the_account_that_is_kept(couple: Couple) -> None:
    with_everything(couple)
    younger = couple.younger
    before = {record: of(younger, record, younger.account_id) for record in CARRIED}
    assert all(before.values())
    kept = {record: of(younger, record, couple.older.account_id) for record in CARRIED}
    joined = couple.join()
    for record in CARRIED:
        assert of(younger, record, younger.own_account_id) == set(), record
        assert of(younger, record, couple.older.account_id) == before[record] | kept[record], record
    carried = younger.read(lambda session: session.get_one(AccountJoin, joined.id)).carried
    assert {name: set(map(UUID, carried[name])) for name in carried if name not in BESIDE} == {
        record.__tablename__: before[record] for record in CARRIED
    }
    younger.assert_sound()


def test_undoing_gives_back_exactly_what_came(couple: Couple) -> None:
    twin = make_twin(couple)
    with_everything(couple)
    before = rows(couple.older)
    for side in couple.sides:  # without another proof, which would seal the phone anew
        side.yes()
    assert rows(couple.older) != before
    couple.older.undo()
    after = rows(couple.older)
    assert {name: after[name] for name in after if after[name] != before[name]} == {}
    assert twin in {one.id for one in couple.younger.dependents()} | {one.id for one in couple.older.dependents()}
    couple.older.assert_sound()


def make_twin(couple: Couple, **more: object) -> UUID:
    """The older side's own dependent, added in the younger account too."""
    return couple.younger.add(couple.older.document(), **more)


# --- the same person in both -----------------------------------------------------------------------------------------


def test_the_same_person_stays_once_and_the_other_is_archived_with_a_link(couple: Couple) -> None:
    twin = make_twin(couple)
    couple.join()
    assert [one.id for one in couple.older.dependents()] == [couple.older.dependent_id, couple.younger.dependent_id]
    archived = couple.older.read(lambda session: session.get_one(Dependent, twin))
    assert (archived.merged_into_id, archived.archived_at) == (couple.older.dependent_id, couple.older.clock.now())
    couple.older.undo()
    couple.look_up()
    assert [one.id for one in couple.younger.dependents()] == [couple.younger.dependent_id, twin]
    restored = couple.older.read(lambda session: session.get_one(Dependent, twin))
    assert (restored.merged_into_id, restored.archived_at) == (None, None)


@pytest.mark.parametrize(
    ("here", "there", "stays"),
    [(0, 2, "there"), (2, 0, "here"), (1, 1, "here")],
)
def test_the_better_proven_one_stays(couple: Couple, here: int, there: int, stays: str) -> None:
    person = couple.older.write(lambda session, _now: make_person(session, couple.older.workbench.vault))
    ids = {"here": couple.older.add(person, level=here), "there": couple.younger.add(person, level=there)}
    couple.join()
    assert {one.id for one in couple.older.dependents()} & set(ids.values()) == {ids[stays]}
    couple.older.undo()
    couple.look_up()
    assert ids["here"] in {one.id for one in couple.older.dependents()}
    assert ids["there"] in {one.id for one in couple.younger.dependents()}


def test_oneself_in_both_is_one(couple: Couple) -> None:
    person = couple.older.write(lambda session, _now: make_person(session, couple.older.workbench.vault))
    for side in couple.sides:
        side.add(person, relationship=Relationship.SELF, level=0)
    couple.join()
    selves = [one for one in couple.older.dependents() if one.relationship_ is Relationship.SELF]
    assert len(selves) == 1
    couple.older.undo()
    couple.look_up()
    for side in couple.sides:
        assert [one.relationship_ for one in side.dependents()].count(Relationship.SELF) == 1


def test_oneself_stays_although_the_other_is_proven_better(couple: Couple) -> None:
    """Else somebody could be added as oneself, and undoing would end in two of them."""
    person = couple.older.write(lambda session, _now: make_person(session, couple.older.workbench.vault))
    oneself = couple.older.add(person, relationship=Relationship.SELF, level=0)
    better = couple.younger.add(person, relationship=Relationship.SPOUSE, level=2)
    couple.join()
    assert {one.id for one in couple.older.dependents()} & {oneself, better} == {oneself}
    couple.older.undo()
    couple.look_up()
    assert better in {one.id for one in couple.younger.dependents()}
    couple.older.assert_sound()


def test_undoing_never_fails_for_somebody_who_is_oneself_by_now(couple: Couple) -> None:
    person = couple.older.write(lambda session, _now: make_person(session, couple.older.workbench.vault))
    archived = couple.older.add(person, relationship=Relationship.SELF, level=0)
    stays = couple.younger.add(person, relationship=Relationship.SELF, level=2)
    couple.join()
    couple.older.write(
        lambda session, now: setattr(session.get_one(Dependent, stays), "archived_at", now)  # no longer oneself
    )
    added = couple.older.add(relationship=Relationship.SELF)
    couple.older.undo()
    couple.look_up()
    found = {one.id: one.relationship_ for one in couple.older.dependents()}
    assert (found[added], found[archived]) == (Relationship.SELF, Relationship.OTHER)
    couple.older.assert_sound()


def test_appointments_of_the_archived_one_remain_visible_under_the_one_that_stays(couple: Couple) -> None:
    twin = make_twin(couple, level=2)
    booked = couple.younger.book(PayMode.ON_SITE, dependent_id=twin)
    couple.join()
    page = couple.older.workbench.transactions.read(
        lambda session, _now: list_appointments(
            session,
            account_id=couple.older.account_id,
            status=None,
            dependent_id=couple.older.dependent_id,
            cursor=None,
            limit=10,
        )
    )
    assert [one.appointment.id for one in page.items] == [booked]


def test_there_is_one_default_before_and_after(couple: Couple) -> None:
    def defaults(side: Side) -> list[UUID]:
        return [one.id for one in side.dependents() if one.is_default]

    couple.join()
    assert defaults(couple.older) == [couple.older.dependent_id]
    couple.older.undo()
    couple.look_up()
    assert [defaults(side) for side in couple.sides] == [[side.dependent_id] for side in couple.sides]


def test_the_default_passes_to_whoever_stands_for_the_archived_one(couple: Couple) -> None:
    person = couple.older.write(lambda session, _now: make_person(session, couple.older.workbench.vault))
    couple.older.write(lambda session, _now: _set_person(session, couple.older.dependent_id, person, level=0))
    better = couple.younger.add(person, level=2)
    couple.join()
    assert [one.id for one in couple.older.dependents() if one.is_default] == [better]
    couple.older.undo()
    couple.look_up()
    assert [one.id for one in couple.older.dependents() if one.is_default] == [couple.older.dependent_id]


def _set_person(session: Session, dependent_id: UUID, person: PersonIdentifier, *, level: int) -> None:
    dependent = session.get_one(Dependent, dependent_id)
    dependent.person_id, dependent.identifier_id, dependent.identity_level = person.person_id, person.id, level


# --- what was proven of the same person since ------------------------------------------------------------------------


def show_face(side: Side, dependent_id: UUID) -> UUID:
    """A check passed through the side's own login."""

    def step(session: Session, now: datetime) -> UUID:
        dependent = lock_dependent(session, dependent_id)
        check = IdentityCheck(
            id=new_id(),
            account_id=dependent.account_id,
            dependent_id=dependent.id,
            method=IdentityMethod.ALIPAY_FACE,
            platform_identity_id=side.payer.identity_id,
            level=0,
            created_at=now,
            expires_at=now + timedelta(hours=1),
        )
        check.begin(session, at=now, cause=CAUSE)
        pass_check(session, check, dependent, level=2, matched=FACE_MATCHED, now=now, cause=CAUSE)
        session.flush()
        return check.id

    return side.write(step)


def proofs(couple: Couple, *dependent_ids: UUID) -> list[tuple[int, str, datetime | None]]:
    def look(session: Session) -> list[tuple[int, str, datetime | None]]:
        found = [session.get_one(Dependent, one) for one in dependent_ids]
        return [(one.identity_level, str(one.identity_status), one.identity_checked_at) for one in found]

    return couple.older.read(look)


NOTHING = (0, "unverified", None)


def in_both(couple: Couple) -> tuple[UUID, UUID]:
    """One person in both accounts, proven in neither: the one that will stay, and the one that will be archived."""
    person = couple.older.write(lambda session, _now: make_person(session, couple.older.workbench.vault))
    return couple.older.add(person, level=0), couple.younger.add(person, level=0)


def test_a_face_shown_since_goes_with_the_login_that_it_was_shown_to(couple: Couple, clock: ManualClock) -> None:
    stays, twin = in_both(couple)
    couple.join()
    check_id = show_face(couple.younger, stays)
    shown = (2, "verified", clock.now())
    assert proofs(couple, stays) == [shown]
    couple.older.undo()
    assert proofs(couple, stays, twin) == [NOTHING, shown]
    check = couple.older.read(lambda session: session.get_one(IdentityCheck, check_id))
    assert (check.account_id, check.dependent_id) == (couple.younger.own_account_id, twin)
    couple.older.assert_sound()


def test_a_face_shown_to_ones_own_login_stays(couple: Couple, clock: ManualClock) -> None:
    stays, twin = in_both(couple)
    couple.join()
    show_face(couple.older, stays)
    couple.older.undo()
    assert proofs(couple, stays, twin) == [(2, "verified", clock.now()), NOTHING]


def test_an_earlier_proof_of_ones_own_counts_again(couple: Couple, clock: ManualClock) -> None:
    stays, twin = in_both(couple)
    show_face(couple.older, stays)
    before = clock.now()
    couple.join()
    clock.advance(timedelta(minutes=1))
    show_face(couple.younger, stays)
    couple.older.undo()
    assert proofs(couple, stays, twin) == [(2, "verified", before), (2, "verified", clock.now())]


# --- what hangs on a returned dependent since ------------------------------------------------------------------------


def test_what_was_booked_and_paid_since_goes_with_its_dependent(couple: Couple) -> None:
    couple.join()
    older, younger = couple.sides
    mine = booked_and_paid(older, older.dependent_id)
    theirs = booked_and_paid(older, younger.dependent_id)  # booked from the other wallet
    older.undo()
    couple.look_up()
    for side, appointment_id in ((older, mine), (younger, theirs)):
        assert side.appointment(appointment_id).account_id == side.own_account_id
        payment = side.read(
            lambda session, one=appointment_id: session.scalars(  # type: ignore[misc]
                select(Payment).where(Payment.charge_id == session.get_one(Appointment, one).charge_id)
            ).one()
        )
        assert payment.account_id == side.own_account_id
        notices = of(side, Notice, side.own_account_id)
        assert len(notices) == 1
    older.assert_sound()
    younger.cancel(theirs)
    younger.work(after=timedelta(seconds=5))
    assert younger.appointment(theirs).status is AppointmentStatus.CANCELLED
    younger.assert_sound()


def booked_and_paid(side: Side, dependent_id: UUID) -> UUID:
    side.look_up()
    appointment_id = side.book(dependent_id=dependent_id)
    assert side.open_payment(appointment_id) is None
    side.hear(side.gateway.pay(side.payments()[-1].out_trade_no))
    side.work()
    return appointment_id


def test_a_dependent_that_was_added_since_stays(couple: Couple) -> None:
    couple.join()
    added = couple.older.add()
    couple.older.undo()
    couple.look_up()
    assert added in {one.id for one in couple.older.dependents()}
    assert [one.id for one in couple.younger.dependents()] == [couple.younger.dependent_id]


def test_a_login_since_goes_where_its_wallet_goes(couple: Couple) -> None:
    """And so does an identity that was first seen at such a login: it is the same person's."""
    couple.join()

    def enter(session: Session, now: datetime) -> tuple[UUID, UUID]:
        account = session.get_one(Account, couple.older.account_id)
        known = session.get_one(PlatformIdentity, couple.younger.payer.identity_id)
        new = make_identity(session, couple.older.workbench.vault, account, app="another", now=now)
        new.found_by_id = known.id
        return make_login(session, account, known, now=now).id, make_login(session, account, new, now=now).id

    logins = couple.older.write(enter)
    couple.older.undo()
    owners = {
        couple.older.read(lambda session, one=one: session.get_one(LoginSession, one)).account_id for one in logins
    }  # type: ignore[misc]
    assert owners == {couple.younger.own_account_id}
    couple.older.assert_sound()


def test_a_key_that_both_have_used_stays_where_it_was(couple: Couple) -> None:
    for side in couple.sides:
        side.write(lambda session, now, side=side: _use_key(session, side, now, "k" * 20))  # type: ignore[misc]
    before = rows(couple.older)["idempotency_keys"]
    couple.join()
    assert rows(couple.older)["idempotency_keys"] == before


# --- consents --------------------------------------------------------------------------------------------------------


def test_consents_about_a_dependent_come_along_and_the_accounts_own_stay(couple: Couple) -> None:
    couple.younger.write(lambda session, now: _agree_to_face(session, couple.younger, now))

    def stands(account_id: UUID, purpose: Purpose, dependent_id: UUID | None = None) -> Callable[[Session], bool]:
        return lambda session: granted(session, account_id, purpose, dependent_id)

    couple.join()
    kept, emptied = couple.older.account_id, couple.younger.own_account_id
    assert couple.older.read(stands(kept, Purpose.FACE, couple.younger.dependent_id))
    assert couple.older.read(stands(emptied, Purpose.SERVICE))
    assert not couple.older.read(stands(emptied, Purpose.FACE, couple.younger.dependent_id))


def test_what_is_due_is_asked_of_the_account_that_is_kept(
    workbench: Workbench, clock: ManualClock, adapters: FakeAdapters
) -> None:
    couple = make_couple(workbench, clock, adapters)
    couple.older.write(lambda session, _now: session.execute(_forget_consents(couple.older.account_id)))
    couple.join()
    assert not couple.older.read(lambda session: granted(session, couple.older.account_id, Purpose.SERVICE))


def _forget_consents(account_id: UUID) -> object:
    table = Base.metadata.tables["consents"]
    return table.delete().where(table.c.account_id == account_id)
