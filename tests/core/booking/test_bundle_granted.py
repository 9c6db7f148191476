"""A bundle, seen by whoever holds a grant over one of those in it: that one alone."""

from __future__ import annotations

from uuid import UUID

import pytest
from delegation import Kin, make_kin
from fakes import FakeAdapters, ManualClock
from harness import REQUEST, relatives

from core.booking.bundle import book_bundle
from core.booking.for_another import see_appointment
from core.booking.wish import Wish
from core.refusals import NotPayable
from core.workbench import Workbench
from models.appointment import AppointmentStatus, PayMode
from models.errors import NotFound


@pytest.fixture
def kin(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Kin:
    return make_kin(workbench, clock, adapters)


def bundled(kin: Kin, whom: list[UUID]) -> list[UUID]:
    """By the granter."""
    schedule_id = kin.granter.schedule_id
    made = kin.write(
        lambda session, now: book_bundle(
            session,
            account_id=kin.granter.account_id,
            wishes=[Wish(schedule_id, one, PayMode.ONLINE) for one in whom],
            now=now,
            cause=REQUEST,
            vault=kin.granter.workbench.vault,
        )
    )
    return [one.appointment.id for one in made.items]


def test_the_rest_of_it_is_neither_shown_nor_paid_for(kin: Kin) -> None:
    kin.grant()
    own, others = bundled(kin, [kin.granter.dependent_id, *relatives(kin.granter, 1)])
    with pytest.raises(NotPayable):
        kin.holder.intend(own)
    with pytest.raises(NotFound):
        kin.holder.intend(others)
    seen = kin.holder.workbench.transactions.read(
        lambda session, now: see_appointment(session, appointment_id=own, account_id=kin.holder.account_id, now=now)[0]
    )
    assert (seen.money.due_fen, seen.money.paid_fen, seen.bundle, seen.payment) == (5000, 0, [], None)
    assert [one.appointment_id for one in seen.money.lines] == [own]
    assert kin.granter.open_payment(own) is None
    kin.granter.hear(kin.granter.gateway.pay(kin.granter.payments()[0].out_trade_no))
    kin.granter.work()
    seen = kin.holder.workbench.transactions.read(
        lambda session, now: see_appointment(session, appointment_id=own, account_id=kin.holder.account_id, now=now)[0]
    )
    assert (seen.appointment.status, seen.money.paid_fen, seen.payment) == (AppointmentStatus.BOOKED, 5000, None)
    kin.granter.assert_sound()


def test_once_the_others_are_let_go_the_holder_may_pay(kin: Kin) -> None:
    kin.grant()
    own, others = bundled(kin, [kin.granter.dependent_id, *relatives(kin.granter, 1)])
    kin.granter.cancel(others)
    assert kin.holder.open_payment(own) is None
    assert [one.amount_fen for one in kin.granter.payments()] == [5000]
    kin.granter.assert_sound()


def test_nobody_books_a_bundle_under_a_grant(kin: Kin) -> None:
    kin.grant()
    with pytest.raises(NotFound):
        bundled(Kin(kin.holder, kin.granter), [kin.holder.dependent_id, kin.granter.dependent_id])
