"""A-04: a grant is ended while it is used. Whoever comes second sees what the first one did; nothing lies between."""

from __future__ import annotations

from threading import Event, Thread
from typing import Any

import pytest
from delegation import Kin, make_kin
from fakes import FakeAdapters, ManualClock
from harness import insistently, race
from sqlalchemy import select

from core.booking.book import book_appointment
from core.dependents import granted
from core.refusals import HoldOpen
from core.workbench import Workbench
from models.appointment import Appointment, PayMode
from models.errors import NotFound
from models.grant import Scope
from models.states import Actor, Cause, CauseKind

CAUSE = Cause(Actor.ACCOUNT, CauseKind.REQUEST, "test")
rounds = pytest.mark.parametrize("turn", range(5))


@pytest.fixture
def kin(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Kin:
    return make_kin(workbench, clock, adapters, numbers=20)


def made(kin: Kin) -> list[Appointment]:
    return kin.granter.read(lambda session: list(session.scalars(select(Appointment))))


@rounds
def test_a_04_ended_while_it_is_booked(kin: Kin, turn: int) -> None:
    """Booked before the end, or not at all; and after it never again."""
    grant_id = kin.grant(Scope.BOOK)
    calls = [insistently(kin.book, tries=100) for _ in range(3)]
    *booked, ended = race(*calls, insistently(lambda: kin.end(grant_id), tries=100))
    assert not isinstance(ended, Exception)
    end = kin.row(grant_id).ended_at
    assert end is not None
    assert all(one.created_at <= end for one in made(kin))
    assert len(made(kin)) == len([one for one in booked if not isinstance(one, Exception)]) <= 1
    with pytest.raises(NotFound):
        kin.book()
    kin.granter.assert_sound()


@rounds
def test_a_04_ended_while_it_is_paid_and_cancelled(kin: Kin, turn: int) -> None:
    grant_id = kin.grant()
    held = kin.granter.book(PayMode.ONLINE)
    race(
        insistently(lambda: kin.holder.intend(held), tries=100),
        insistently(lambda: kin.holder.cancel(held), tries=100),
        insistently(lambda: kin.end(grant_id), tries=100),
    )
    for act in (lambda: kin.holder.intend(held), lambda: kin.holder.cancel(held)):
        with pytest.raises(NotFound):
            act()
    kin.granter.work()
    kin.granter.assert_sound()


@pytest.mark.parametrize("database", ["postgres"], indirect=True)  # SQLite's one writer lets nobody in between
def test_a_04_an_end_that_commits_between_the_look_and_the_lock_is_seen(
    kin: Kin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The grant is found live, then ended by another connection, then asked for again under its lock."""
    grant_id, look = kin.grant(Scope.BOOK), granted.granted_dependent

    def look_and_lose(session: Any, **given: Any) -> Any:
        found = look(session, **given)
        ending = Thread(target=lambda: kin.end(grant_id))
        ending.start()
        ending.join(timeout=30)
        return found

    monkeypatch.setattr("core.booking.for_another.granted_dependent", look_and_lose)
    with pytest.raises(NotFound):
        kin.book()
    assert made(kin) == []


def test_a_04_whoever_ends_it_waits_for_what_is_under_way(kin: Kin) -> None:
    """The booking holds the grant until it is committed: the end comes after it, also by the clock."""
    grant_id, begun, go_on = kin.grant(Scope.BOOK), Event(), Event()
    ended: list[Any] = []

    def book_slowly(session: Any, now: Any) -> None:
        wish = kin.wish(schedule_id=kin.granter.schedule_id)
        holder = kin.holder
        book_appointment(
            session, account_id=holder.account_id, wish=wish, now=now, cause=CAUSE, vault=holder.workbench.vault
        )
        begun.set()
        assert go_on.wait(timeout=30)

    def end() -> None:
        ended.append(insistently(lambda: kin.end(grant_id), tries=100)())

    booking = Thread(target=lambda: kin.write(book_slowly))
    booking.start()
    assert begun.wait(timeout=30)
    ending = Thread(target=end)
    ending.start()
    ending.join(timeout=0.5)
    assert not ended
    go_on.set()
    booking.join(timeout=30)
    ending.join(timeout=30)
    assert len(ended) == 1
    assert len(made(kin)) == 1
    kin.granter.assert_sound()


@rounds
def test_an_account_holds_what_its_terms_allow_for_whomever_it_books(
    kin: Kin, turn: int, adapters: FakeAdapters
) -> None:
    """Five people at once by one holder: the account that books is locked before its unpaid numbers are counted."""
    granter = kin.granter
    others = [make_kin(granter.workbench, granter.clock, adapters).granter for _ in range(4)]
    wards = [Kin(one, kin.holder) for one in others]
    for ward in wards:
        ward.grant(Scope.BOOK)
    calls = [
        insistently(lambda one=ward: one.book(PayMode.ONLINE, schedule_id=one.granter.schedule_id), tries=100)  # type: ignore[misc]
        for ward in wards
    ]
    found = race(*calls, insistently(lambda: kin.holder.book(PayMode.ONLINE), tries=100))
    refused = [one for one in found if isinstance(one, Exception)]
    assert {type(one) for one in refused} == {HoldOpen}
    assert len(found) - len(refused) == 2
    granter.assert_sound()
