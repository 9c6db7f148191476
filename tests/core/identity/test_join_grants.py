"""What a join and its undoing do with grants: the holder's go with the login, the granter's with the person."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from factories import make_grant, make_person
from fakes import FakeAdapters, ManualClock
from harness import Patient, beside, join
from wallets import Couple, Side, make_couple

from core.booking.for_another import see_appointment
from core.workbench import Workbench
from models.appointment import PayMode
from models.errors import NotFound
from models.grant import Grant
from models.person import Dependent, Relationship


@pytest.fixture
def couple(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Couple:
    return make_couple(workbench, clock, adapters, numbers=9)


def another(couple: Couple) -> Patient:
    """A third account, with somebody who is oneself there."""
    side = couple.older
    return join(side.workbench, side.clock, side.adapters, side.schedule_id, relationship=Relationship.SELF)


def grant(granter: Patient, dependent_id: UUID, holder: Patient) -> UUID:
    return granter.write(
        lambda session, now: (
            make_grant(
                session,
                session.get_one(Dependent, dependent_id),
                holder.account_id,
                identity_id=holder.payer.identity_id,
                now=now,
            ).id
        )
    )


def books(holder: Patient, dependent_id: UUID, in_days: int = 0) -> UUID:
    day = (holder.clock.now() + timedelta(days=4 + in_days)).date()
    where = beside(holder, visit_date=day)
    return holder.book(PayMode.ON_SITE, dependent_id=dependent_id, schedule_id=where)


def holder_of(side: Side, grant_id: UUID) -> UUID | None:
    return side.read(lambda session: session.get_one(Grant, grant_id)).account_id


def test_what_a_wallet_holds_goes_where_its_login_goes(couple: Couple) -> None:
    granters = [another(couple) for _ in range(3)]
    wards = [one.dependent_id for one in granters]
    before = grant(granters[0], wards[0], couple.younger)
    couple.join()
    assert holder_of(couple.older, before) == couple.older.account_id
    books(couple.older, wards[0])
    by_younger, by_older = (
        grant(one, ward, side) for one, ward, side in zip(granters[1:], wards[1:], reversed(couple.sides), strict=True)
    )
    couple.older.undo()
    couple.look_up()
    assert [holder_of(couple.older, one) for one in (before, by_younger, by_older)] == [
        couple.younger.account_id, couple.younger.account_id, couple.older.account_id,
    ]  # fmt: skip
    with pytest.raises(NotFound):
        books(couple.older, wards[0], 1)
    books(couple.younger, wards[0], 1)
    couple.older.assert_sound()


def test_what_was_paid_for_another_stays_the_payers_to_see(couple: Couple) -> None:
    """Paid from the wallet that did not accept the grant: once both are apart, it is the holder's all the same."""
    granter = another(couple)
    grant(granter, granter.dependent_id, couple.younger)
    couple.join()
    held = granter.book(PayMode.ONLINE)
    assert couple.older.open_payment(held) is None
    couple.older.undo()
    couple.look_up()
    assert [one.account_id for one in granter.payments()] == [granter.account_id]
    granter.assert_sound()


def test_a_grant_follows_its_person_into_the_joined_account_and_back(couple: Couple) -> None:
    person = couple.older.write(lambda session, _now: make_person(session, couple.older.workbench.vault))
    stands, archived = (side.add(person, relationship=Relationship.SELF) for side in couple.sides)
    holder = another(couple)
    grant(couple.younger, archived, holder)
    with pytest.raises(NotFound):
        books(holder, stands)
    couple.join()
    with pytest.raises(NotFound):
        books(holder, archived)
    booked = books(holder, stands, 1)
    couple.older.undo()
    couple.look_up()
    with pytest.raises(NotFound):
        books(holder, stands, 2)
    books(holder, archived, 3)
    with pytest.raises(NotFound):  # it stays with whom it was booked for: the other account's again
        holder.workbench.transactions.read(
            lambda session, now: see_appointment(session, appointment_id=booked, account_id=holder.account_id, now=now)
        )
    couple.older.assert_sound()


def test_what_one_gave_the_other_rests_while_both_are_one(couple: Couple) -> None:
    oneself = couple.older.add(relationship=Relationship.SELF)
    grant(couple.older, oneself, couple.younger)
    couple.join()
    mine = books(couple.younger, oneself)
    assert couple.older.appointment(mine).grant_id is None
    couple.older.undo()
    couple.look_up()
    assert couple.older.appointment(books(couple.younger, oneself, 1)).account_id == couple.older.account_id
    couple.older.assert_sound()
