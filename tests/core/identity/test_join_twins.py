"""What hangs on a dependent whom both accounts had: for every column that names one, what a join does with it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from time import sleep
from uuid import UUID

import pytest
from factories import make_account, make_dependent, make_grant, make_hospital, make_identity, make_person
from fakes import FakeAdapters, ManualClock
from harness import far_away, race
from people import CAUSE
from sqlalchemy import select
from sqlalchemy.orm import Session
from wallets import WECHAT, Couple, Side, make_couple, make_side

from core.dependents.cards import NewCard, add_card, make_current, remove_card
from core.dependents.grants import Wanted, offer_grant
from core.dependents.remove import remove_dependent
from core.identity.methods import face_tries_today
from core.refusals import DependentInUse, GrantLimit
from core.transactions import Overloaded
from core.workbench import Workbench
from models import Base
from models.account import Account
from models.appointment import PayMode
from models.base import new_id
from models.grant import EndedBy, Grant, Scope
from models.hospital import Department
from models.hospital_card import HospitalCard
from models.identity_check import IdentityCheck, IdentityMethod
from models.person import Dependent, PersonIdentifier, Relationship
from models.schedule import Schedule

CARRIED = "it names the one that stays, and the archived one again when the join is undone"
FOUND = "it stays with the archived one; whoever asks for the one that stays finds it too"
OWN = "it stays with the archived one, for whom nothing is done meanwhile, and ends with the one that stays"

REFUSED = (DependentInUse, Overloaded)

A_JOIN_DOES = {
    "agreements.dependent_id": OWN,
    "appointments.dependent_id": FOUND,
    "audit_entries.dependent_id": FOUND,
    "consents.dependent_id": OWN,
    "dependents.guardian_dependent_id": CARRIED,
    "dependents.merged_into_id": CARRIED,
    "grants.dependent_id": FOUND,
    "hospital_cards.dependent_id": CARRIED,
    "identity_checks.dependent_id": OWN,
    "notices.dependent_id": FOUND,
    "waitlist_places.dependent_id": FOUND,
}


def naming_a_dependent() -> set[str]:
    """With a reference, or by its name."""
    return {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if any(key.target_fullname == "dependents.id" for key in column.foreign_keys)
        or column.name.endswith(("dependent_id", "merged_into_id"))
    }


def test_every_column_that_names_a_dependent_says_what_a_join_does_with_it() -> None:
    """A new one must say whether it is carried or found."""
    assert naming_a_dependent() == A_JOIN_DOES.keys()


@pytest.fixture
def couple(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Couple:
    return make_couple(workbench, clock, adapters)


def somebody(couple: Couple) -> PersonIdentifier:
    return couple.older.write(lambda session, _now: make_person(session, couple.older.workbench.vault))


def ward_of(side: Side, guardian_id: UUID, *, person: PersonIdentifier | None = None) -> UUID:
    def step(session: Session, now: datetime) -> UUID:
        account = session.get_one(Account, side.account_id)
        given = {"identifier": person, "birth_date": date(now.year - 5, 1, 1), "now": now}
        ward = make_dependent(session, side.workbench.vault, account, **given)  # type: ignore[arg-type]
        ward.guardian_dependent_id = guardian_id
        return ward.id

    return side.write(step)


def named(side: Side, *dependent_ids: UUID) -> list[tuple[UUID | None, UUID | None]]:
    """Guardian, and in whose favour they were archived."""

    def look(session: Session) -> list[tuple[UUID | None, UUID | None]]:
        rows = [session.get_one(Dependent, one) for one in dependent_ids]
        return [(row.guardian_dependent_id, row.merged_into_id) for row in rows]

    return side.read(look)


# --- guardians, and whoever was archived before ----------------------------------------------------------------------


def test_each_ward_has_the_one_that_stays_and_then_its_own_guardian_again(couple: Couple) -> None:
    older, younger = couple.sides
    person = somebody(couple)
    stays, archived = older.add(person, level=2), younger.add(person, level=0)
    wards = ward_of(older, stays), ward_of(younger, archived)
    couple.join()
    assert named(older, *wards) == [(stays, None)] * 2
    since = ward_of(older, stays)
    older.undo()
    assert named(older, *wards, since) == [(stays, None), (archived, None), (stays, None)]
    older.assert_sound()


def test_a_ward_whose_guardian_was_removed_meanwhile_has_none(couple: Couple) -> None:
    """A child that was archived itself is nobody's ward while it is, and does not keep its guardian from going."""
    older, younger = couple.sides
    guardian, minor = somebody(couple), somebody(couple)
    mothers = older.add(guardian, level=2), younger.add(guardian, level=0)
    children = ward_of(older, mothers[0], person=minor), ward_of(younger, mothers[1], person=minor)
    couple.join()
    assert named(older, *children) == [(mothers[0], None), (mothers[0], children[0])]
    for one in (children[0], mothers[0]):
        older.write(lambda session, now, one=one: _remove(session, older.account_id, one, now))  # type: ignore[misc]
    older.undo()
    couple.look_up()
    assert {*children, *mothers}.isdisjoint(one.id for side in couple.sides for one in side.dependents())
    older.assert_sound()


def _remove(session: Session, account_id: UUID, dependent_id: UUID, now: datetime) -> None:
    remove_dependent(session, account_id=account_id, dependent_id=dependent_id, now=now, cause=CAUSE)


def test_of_three_joined_accounts_all_point_at_the_one_that_stays(
    couple: Couple, workbench: Workbench, clock: ManualClock, adapters: FakeAdapters
) -> None:
    older, younger = couple.sides
    person = somebody(couple)
    first, second = older.add(person, level=0), younger.add(person, level=1)
    minor = ward_of(older, first)
    couple.join()
    assert named(older, minor, first) == [(second, None), (None, second)]
    clock.advance(timedelta(hours=25))
    third_side = make_side(workbench, clock, adapters, older.schedule_id, WECHAT, app="third")
    third = third_side.add(person, level=2)
    joined = Couple(older, third_side).join()
    assert named(older, minor, first, second) == [(third, None), (None, third), (None, third)]
    older.assert_sound()
    older.undo(joined.id)
    assert named(older, minor, first, second, third) == [(second, None), (None, second), (None, None), (None, None)]
    older.assert_sound()


@pytest.mark.parametrize("later", [0, 30, 60, 90, 120])
def test_who_is_removed_while_a_ward_of_theirs_comes_along_leaves_none_without_a_guardian(
    couple: Couple, later: int
) -> None:
    """`later` in milliseconds: a join takes longer, and is met anywhere."""
    older, younger = couple.sides
    person = somebody(couple)
    stays, archived = older.add(person, level=2), younger.add(person, level=0)
    minor = ward_of(younger, archived)
    couple.prove()
    older.yes()

    def remove() -> None:
        sleep(later / 1000)
        older.write(lambda session, now: _remove(session, older.account_id, stays, now))

    with far_away(older.workbench.transactions.database):
        found = race(remove, younger.yes)
    assert all(not isinstance(one, Exception) or isinstance(one, REFUSED) for one in found), found
    older.assert_sound()
    couple.look_up()
    guardian = named(older, minor)[0][0]
    assert guardian in {one.id for one in younger.dependents()}


# --- cards -----------------------------------------------------------------------------------------------------------


Card = tuple[str, UUID, bool]
"""Its number, whose it is, and whether it is current."""


def a_hospital(side: Side) -> UUID:
    return side.write(lambda session, _now: make_hospital(session).id)


def give_card(side: Side, dependent_id: UUID, hospital_id: UUID, number: str, *, is_current: bool = True) -> UUID:
    wanted, vault = NewCard(hospital_id, number, is_current), side.workbench.vault
    return side.write(
        lambda session, now: (
            add_card(
                session, account_id=side.account_id, dependent_id=dependent_id, wanted=wanted, vault=vault, now=now
            ).card.id
        )
    )


def cards(side: Side) -> list[Card]:
    vault = side.workbench.vault

    def look(session: Session) -> list[Card]:
        found = session.scalars(select(HospitalCard).order_by(HospitalCard.id))
        return [(one.number(vault), one.dependent_id, one.is_current) for one in found]

    return side.read(look)


def test_cards_come_to_the_one_that_stays_and_go_back(couple: Couple) -> None:
    """Its own stay current; what both have is there once."""
    older, younger = couple.sides
    person = somebody(couple)
    stays, archived = older.add(person, level=2), younger.add(person, level=0)
    here, there = a_hospital(older), a_hospital(older)
    give_card(older, stays, here, "A100")
    for hospital, number in ((here, "A100"), (here, "B200"), (there, "C300")):
        give_card(younger, archived, hospital, number)
    before = cards(older)
    couple.join()
    assert sorted(cards(older)) == sorted(
        [("A100", stays, True), ("A100", archived, False), ("B200", stays, False), ("C300", stays, True)]
    )
    older.undo()
    assert cards(older) == before
    older.assert_sound()


def test_of_what_was_done_with_cards_meanwhile_each_side_keeps_a_current_one(couple: Couple) -> None:
    older, younger = couple.sides
    person = somebody(couple)
    stays, archived = older.add(person, level=2), younger.add(person, level=0)
    here = a_hospital(older)
    give_card(older, stays, here, "A100")
    gone = give_card(younger, archived, here, "B200")
    left = give_card(younger, archived, here, "C300", is_current=False)
    couple.join()
    whose = {"account_id": older.account_id, "dependent_id": stays}
    older.write(lambda session, _now: remove_card(session, card_id=gone, **whose))
    older.write(lambda session, _now: make_current(session, card_id=left, **whose))
    older.undo()
    assert cards(older) == [("A100", stays, True), ("C300", archived, True)]
    older.assert_sound()


def test_a_number_keeps_no_card_of_another_account(couple: Couple) -> None:
    """Booked for the one that stays, with a card that came along."""
    older, younger = couple.sides
    person = somebody(couple)
    stays, archived = older.add(person, level=2), younger.add(person, level=0)
    card = give_card(younger, archived, older.read(lambda session: _hospital_of(session, older.schedule_id)), "B200")
    couple.join()
    booked = older.book(PayMode.ON_SITE, dependent_id=stays, visit_card_id=card)
    assert older.appointment(booked).visit_card_id == card
    older.undo()
    assert older.appointment(booked).visit_card_id is None
    older.assert_sound()


def _hospital_of(session: Session, schedule_id: UUID) -> UUID:
    return session.get_one(Department, session.get_one(Schedule, schedule_id).department_id).hospital_id


# --- limits ----------------------------------------------------------------------------------------------------------


def test_f_13_a_join_gives_no_more_tries_of_a_face(couple: Couple) -> None:
    older, younger = couple.sides
    person = somebody(couple)
    stays, archived = older.add(person, level=2), younger.add(person, level=0)
    for side, whom in ((older, stays), (younger, archived), (younger, archived)):
        side.write(lambda session, now, side=side, whom=whom: _try_face(session, side, whom, now))  # type: ignore[misc]
    older.clock.advance(timedelta(minutes=1))  # else it might have been removed before the other one was added
    couple.join()

    def tries(session: Session) -> int:
        return face_tries_today(session, [session.get_one(Dependent, stays)], now=couple.older.clock.now())[stays]

    assert older.read(tries) == 3


def _try_face(session: Session, side: Side, dependent_id: UUID, now: datetime) -> None:
    check = IdentityCheck(
        id=new_id(),
        account_id=side.account_id,
        dependent_id=dependent_id,
        method=IdentityMethod.ALIPAY_FACE,
        level=0,
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    check.begin(session, at=now, cause=CAUSE)


def test_a_join_gives_no_more_grants(couple: Couple) -> None:
    """Those of the archived one go on, so they count; a new offer replaces the one that waits for either."""
    older, younger = couple.sides
    person = somebody(couple)
    stays, archived = (side.add(person, relationship=Relationship.SELF, level=2) for side in couple.sides)
    for side, whom in ((older, stays), (younger, archived), (younger, archived), (younger, archived)):
        grant(side, whom)
    waits = offer(younger, archived)
    couple.join()
    offer(older, stays)
    assert older.read(lambda session: session.get_one(Grant, waits)).ended_by is EndedBy.REPLACED
    grant(older, stays)
    with pytest.raises(GrantLimit):
        offer(older, stays)


def offer(side: Side, dependent_id: UUID) -> UUID:
    wanted = Wanted(dependent_id, frozenset({Scope.SEE}), side.clock.now() + timedelta(days=30))
    return side.write(
        lambda session, now: offer_grant(
            session, account_id=side.account_id, wanted=wanted, vault=side.workbench.vault, now=now
        )
    ).id


def grant(side: Side, dependent_id: UUID) -> None:
    """To a stranger."""

    def step(session: Session, now: datetime) -> None:
        stranger = make_account(session, now=now)
        identity = make_identity(session, side.workbench.vault, stranger, now=now)
        granter = session.get_one(Dependent, dependent_id)
        make_grant(session, granter, stranger.id, identity_id=identity.id, now=now)

    side.write(step)
