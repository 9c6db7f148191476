"""I-26, I-27, A-04: what a grant lets its holder do, whose it is then, and that nothing is left once it is over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from delegation import ALL, Kin, make_kin, one_more
from fakes import FakeAdapters, ManualClock
from harness import beside, relatives, same_person
from people import CAUSE
from sqlalchemy import event
from sqlalchemy.orm import Session

from core.booking.for_another import explain_to, see_appointment, see_appointments, show_pass
from core.booking.views import view_appointment
from core.dependents.cards import NewCard, add_card
from core.identity.consent_texts import current_version
from core.identity.consents import record_consent
from core.payments.ask import look_at_payment
from core.payments.views import own_payment
from core.refusals import AlreadyBooked, FieldsRequired, HoldOpen, NotPayable, PersonLimit
from core.workbench import Workbench
from models.account import Purpose
from models.appointment import Appointment, AppointmentStatus, PayMode
from models.base import new_id
from models.database import Database
from models.errors import NotFound, ValidationFailed
from models.grant import Scope
from models.payment import PaymentStatus
from models.person import Relationship
from models.schedule import Schedule

ROOMY = {"max_open_holds_account": 9, "max_open_holds_person": 9}


@pytest.fixture
def kin(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> Kin:
    return make_kin(workbench, clock, adapters)


def looked(kin: Kin, look: Callable[..., Any], **what: Any) -> Any:
    """What the holder is shown, and what is written down of it."""
    return kin.holder.workbench.transactions.read(
        lambda session, now: look(session, account_id=kin.holder.account_id, now=now, **what)
    )


def seen(kin: Kin, appointment_id: UUID) -> Any:
    return looked(kin, see_appointment, appointment_id=appointment_id)[0]


def listed(kin: Kin, **filters: Any) -> list[UUID]:
    standard = {"status": None, "dependent_id": None, "cursor": None, "limit": 20}
    page, _ = looked(kin, see_appointments, **standard | filters)
    return [one.appointment.id for one in page.items]


def passed(kin: Kin, appointment_id: UUID) -> Any:
    tickets = kin.holder.workbench.tickets
    return looked(kin, lambda session, **given: show_pass(session, tickets, **given), appointment_id=appointment_id)


def asked(kin: Kin) -> Any:
    given = {"schedule_id": kin.granter.schedule_id, "dependent_id": kin.granter.dependent_id}
    return looked(kin, explain_to, **given)[0]


def day(kin: Kin, in_days: int, **schedule: Any) -> UUID:
    at = (kin.now + timedelta(days=3 + in_days)).date()
    return beside(kin.granter, visit_date=at, terms=ROOMY, **schedule)


def a_card(side: Any) -> UUID:
    """Of the hospital where both book."""

    def step(session: Session, now: datetime) -> UUID:
        wanted = NewCard(session.get_one(Schedule, side.schedule_id).hospital_id, "0012345678")
        given = {"account_id": side.account_id, "dependent_id": side.dependent_id, "vault": side.workbench.vault}
        return add_card(session, **given, wanted=wanted, now=now).card.id

    return side.write(step)


# --- booking ---------------------------------------------------------------------------------------------------------


def test_i_26_what_the_holder_books_is_the_granters(kin: Kin) -> None:
    grant_id = kin.grant(Scope.BOOK)
    assert asked(kin).allowed
    appointment = kin.granter.appointment(kin.book())
    assert (appointment.account_id, appointment.grant_id) == (kin.granter.account_id, grant_id)
    assert appointment.dependent_id == kin.granter.dependent_id
    (born,) = kin.granter.moves(appointment.id)
    assert born.to_status == "booked"
    assert kin.log()[-1] == ("grant_holder", "appointment.book", str(grant_id))
    kin.granter.cancel(appointment.id)
    kin.granter.assert_sound()


def test_the_holder_cancels_and_the_number_is_free_again(kin: Kin) -> None:
    kin.grant(Scope.BOOK)
    own = kin.granter.book(PayMode.ON_SITE)
    kin.holder.cancel(own)
    assert kin.granter.appointment(own).status is AppointmentStatus.CANCELLED
    assert kin.log()[-1][1] == "appointment.cancel"
    kin.granter.assert_sound()


@pytest.mark.parametrize("scopes", [(), (Scope.SEE,), (Scope.PAY,), (Scope.SEE, Scope.PAY)])
def test_without_that_scope_nothing_is_booked_asked_or_cancelled(kin: Kin, scopes: tuple[Scope, ...]) -> None:
    if scopes:
        kin.grant(*scopes)
    own = kin.granter.book(PayMode.ON_SITE, schedule_id=day(kin, 1))
    for act in (kin.book, lambda: asked(kin), lambda: kin.holder.cancel(own)):
        with pytest.raises(NotFound):
            act()
    assert kin.granter.appointment(own).status is AppointmentStatus.BOOKED


def test_a_grant_is_over_one_person_only(kin: Kin) -> None:
    """Not over the granter's other dependents, and not over the person under a third account."""
    kin.grant()
    (relative,) = relatives(kin.granter, 1)
    third = same_person(kin.granter)
    for dependent_id in (relative, third.dependent_id):
        with pytest.raises(NotFound):
            kin.holder.book(PayMode.ON_SITE, dependent_id=dependent_id)
    theirs = third.book(PayMode.ON_SITE)
    with pytest.raises(NotFound):
        seen(kin, theirs)
    assert listed(kin) == []


# --- limits and consents ---------------------------------------------------------------------------------------------


def test_what_the_granter_has_is_named_by_no_id(kin: Kin) -> None:
    kin.grant(Scope.BOOK)
    kin.granter.book(PayMode.ONLINE)
    given = {"schedule_id": kin.granter.schedule_id, "dependent_id": kin.granter.dependent_id}
    told = [reason.error for reason in looked(kin, explain_to, **given)[0].reasons]
    assert [(one.code, one.facts) for one in told] == [("already_booked", {}), ("hold_open", {})]


def test_the_person_has_one_limit_whoever_books(kin: Kin) -> None:
    kin.grant()
    kin.granter.book(PayMode.ON_SITE)
    with pytest.raises(AlreadyBooked):  # who may book may see that it is there
        kin.book()
    kin.end(kin.told(kin.granter)[0].grant.id)
    other = same_person(kin.granter)
    kin.granter.account_id, kin.granter.dependent_id = other.account_id, other.dependent_id
    with pytest.raises(PersonLimit):
        kin.granter.book(PayMode.ON_SITE)


def test_a_limit_reached_in_a_third_account_is_the_generic_one(kin: Kin) -> None:
    kin.grant()
    same_person(kin.granter).book(PayMode.ON_SITE)
    with pytest.raises(PersonLimit):
        kin.book()


def test_unpaid_numbers_count_for_the_account_that_books(kin: Kin, adapters: FakeAdapters) -> None:
    """Two for others leave no room for one's own, and one's own none for others."""
    others = [make_kin(kin.granter.workbench, kin.granter.clock, adapters).granter for _ in range(3)]
    wards = [Kin(one, kin.holder) for one in others]
    for ward in wards:
        ward.grant(Scope.BOOK)
    for ward in wards[:2]:
        ward.book(PayMode.ONLINE, schedule_id=ward.granter.schedule_id)
    with pytest.raises(HoldOpen):
        wards[2].book(PayMode.ONLINE, schedule_id=wards[2].granter.schedule_id)
    with pytest.raises(HoldOpen):
        kin.holder.book(PayMode.ONLINE)
    kin.granter.book(PayMode.ONLINE)
    kin.granter.assert_sound()


def test_the_granters_own_unpaid_numbers_are_not_told_of(kin: Kin) -> None:
    kin.grant()
    for relative, where in zip(relatives(kin.granter, 2), (day(kin, 1), day(kin, 2)), strict=True):
        kin.granter.book(PayMode.ONLINE, dependent_id=relative, schedule_id=where)
    with pytest.raises(PersonLimit):
        kin.book(PayMode.ONLINE)


def test_the_granters_consents_count_and_not_the_holders(kin: Kin) -> None:
    kin.grant()
    assert asked(kin).allowed
    kin.granter.clock.advance(timedelta(seconds=1))
    withdraw(kin)
    assert [one.error.code for one in asked(kin).reasons] == ["consent_required"]


def withdraw(kin: Kin) -> None:
    kin.write(
        lambda session, now: record_consent(
            session,
            account_id=kin.granter.account_id,
            purpose=Purpose.SENSITIVE_IDENTITY,
            version=current_version(Purpose.SENSITIVE_IDENTITY),
            granted=False,
            dependent_id=None,
            provider="wechat_miniapp",
            identity_id=kin.granter.payer.identity_id,
            now=now,
            cause=CAUSE,
        )
    )


# --- seeing ----------------------------------------------------------------------------------------------------------


def test_i_27_what_the_holder_sees_and_that_it_is_written_down(kin: Kin) -> None:
    own = kin.granter.book(PayMode.ON_SITE)
    grant_id = kin.grant(Scope.SEE)
    view, uses = looked(kin, see_appointment, appointment_id=own)
    assert (view.appointment.id, view.whom.relationship) == (own, Relationship.OTHER)
    assert [(use.grant.id, use.action, use.about) for use in uses] == [(grant_id, "appointment.see", own)]
    assert listed(kin) == [own]
    assert listed(kin, dependent_id=kin.granter.dependent_id) == [own]
    assert passed(kin, own)[0].code
    assert [use.action for use in passed(kin, own)[1]] == ["visit_pass.show"]


def test_ones_own_is_shown_as_ever_and_written_down_nowhere(kin: Kin) -> None:
    kin.grant()
    mine = kin.holder.book(PayMode.ON_SITE)
    view, uses = looked(kin, see_appointment, appointment_id=mine)
    assert (view.whom.relationship, view.shown_under, uses) == (Relationship.SELF, None, [])
    assert listed(kin) == [mine]


def test_who_may_only_pay_sees_what_waits_for_it(kin: Kin) -> None:
    kin.grant(Scope.PAY)
    waits, stands = kin.granter.book(PayMode.ONLINE), kin.granter.book(PayMode.ON_SITE, schedule_id=day(kin, 1))
    assert listed(kin) == [waits]
    assert seen(kin, waits).money.due_fen == 5000
    with pytest.raises(NotFound):
        seen(kin, stands)
    for one in (waits, stands):
        with pytest.raises(NotFound):
            passed(kin, one)


# --- paying ----------------------------------------------------------------------------------------------------------


def test_the_holder_pays_and_what_goes_back_goes_to_the_holder(kin: Kin) -> None:
    grant_id = kin.grant(Scope.PAY)
    appointment_id = kin.granter.book(PayMode.ONLINE)
    assert kin.holder.open_payment(appointment_id) is None
    (payment,) = kin.granter.payments()
    assert (payment.account_id, payment.grant_id) == (kin.granter.account_id, grant_id)
    assert payment.payer_identity_id == kin.holder.payer.identity_id
    kin.granter.hear(kin.granter.gateway.pay(payment.out_trade_no))
    kin.granter.work()
    assert kin.granter.appointment(appointment_id).status is AppointmentStatus.BOOKED
    kin.granter.cancel(appointment_id)
    kin.granter.work()
    assert [one.payment_id for one in kin.granter.refunds()] == [payment.id]
    assert kin.log()[-1] == ("grant_holder", "payment.open", str(grant_id))
    kin.granter.assert_sound()


def test_the_granter_takes_over_and_the_holders_prepay_is_closed_first(kin: Kin) -> None:
    kin.grant(Scope.PAY)
    appointment_id = kin.granter.book(PayMode.ONLINE)
    assert kin.holder.open_payment(appointment_id) is None
    kin.granter.clock.advance(timedelta(seconds=40))
    assert kin.granter.open_payment(appointment_id) is None
    assert [one.status for one in kin.granter.payments()] == ["closed", "pending"]
    kin.granter.assert_sound()


@pytest.mark.parametrize("scopes", [(), (Scope.SEE,), (Scope.BOOK,)])
def test_without_that_scope_nothing_is_paid(kin: Kin, scopes: tuple[Scope, ...]) -> None:
    if scopes:
        kin.grant(*scopes)
    appointment_id = kin.granter.book(PayMode.ONLINE)
    with pytest.raises(NotFound):
        kin.holder.open_payment(appointment_id)
    assert kin.granter.payments() == []


def test_ones_own_money_is_seen_after_the_end_and_nothing_else(kin: Kin) -> None:
    grant_id = kin.grant()
    appointment_id = kin.book(PayMode.ONLINE)
    assert kin.holder.open_payment(appointment_id) is None
    (payment,) = kin.granter.payments()
    kin.end(grant_id)
    for side in (kin.granter, kin.holder):
        look_at_payment(side.workbench, payment_id=payment.id, account_id=side.account_id, cause=CAUSE)
        shown = side.read(
            lambda session, side=side: own_payment(session, payment_id=payment.id, account_id=side.account_id)
        )
        assert shown.amount_fen == 5000
        assert (shown.out_trade_no is None) == (side is kin.granter)
    with pytest.raises(NotFound):
        seen(kin, appointment_id)
    stranger = one_more(kin.granter)
    with pytest.raises(NotFound):
        stranger.read(lambda session: own_payment(session, payment_id=payment.id, account_id=stranger.account_id))


@pytest.mark.parametrize("payer", ["granter", "holder"])
def test_l_06_by_what_means_one_side_paid_is_not_shown_to_the_other(kin: Kin, payer: str) -> None:
    kin.grant(*ALL)
    appointment_id = kin.granter.book(PayMode.ONLINE)
    assert getattr(kin, payer).open_payment(appointment_id) is None
    (payment,) = kin.granter.payments()
    kin.granter.hear(kin.granter.gateway.pay(payment.out_trade_no))
    kin.granter.work()
    views = {
        "granter": kin.granter.read(
            lambda session: view_appointment(session, appointment_id=appointment_id, account_id=kin.granter.account_id)
        ),
        "holder": seen(kin, appointment_id),
    }
    for side, view in views.items():
        shown = view.payment
        assert shown.status is PaymentStatus.SUCCEEDED
        means = (payment.out_trade_no, kin.granter.payments()[0].funding) if side == payer else (None, None)
        assert (shown.out_trade_no, shown.funding) == means, side


# --- what the patient has not said -----------------------------------------------------------------------------------


def test_the_holder_learns_that_the_record_is_not_complete_and_not_what_it_lacks(kin: Kin) -> None:
    kin.grant(Scope.BOOK)
    said = []
    for names in (["address"], ["email", "hospital_card"]):
        schedule_id = beside(kin.granter, terms=ROOMY | {"required_fields": names})
        given = {"schedule_id": schedule_id, "dependent_id": kin.granter.dependent_id}
        (reason,) = looked(kin, explain_to, **given)[0].reasons
        assert reason.alternatives == ["ask_granter", "desk"]
        with pytest.raises(FieldsRequired) as refused:
            kin.book(schedule_id=schedule_id)
        assert refused.value.facts == reason.error.facts
        said.append(reason.error.facts)
    assert said == [{"dependent_id": str(kin.granter.dependent_id)}] * 2


def test_a_card_named_under_a_grant_is_one_refusal_whosever_it_is(kin: Kin) -> None:
    kin.grant(Scope.BOOK)
    for card_id in (a_card(kin.granter), a_card(kin.holder), new_id()):
        with pytest.raises(ValidationFailed) as refused:
            kin.book(visit_card_id=card_id)
        assert [(one.pointer, one.code) for one in refused.value.errors] == [("#/visit_card_id", "not_allowed")]


# --- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["granter", "holder", "time"])
def test_a_04_once_it_is_over_everything_is_as_if_it_had_never_been(kin: Kin, how: str) -> None:
    grant_id = kin.grant(*ALL, lasts=timedelta(hours=2))
    booked = kin.book(PayMode.ON_SITE)
    held = kin.granter.book(PayMode.ONLINE, schedule_id=day(kin, 1))
    assert listed(kin) == [held, booked]
    kin.granter.clock.advance(timedelta(minutes=5))
    if how == "time":
        kin.granter.clock.advance(timedelta(hours=2) - timedelta(minutes=5, microseconds=1))
        assert listed(kin, status=AppointmentStatus.BOOKED) == [booked]
        kin.granter.clock.advance(timedelta(microseconds=1))  # half-open: the end itself is too late
    else:
        kin.end(grant_id, getattr(kin, how))
    acts = (
        lambda: kin.book(schedule_id=day(kin, 2)),
        lambda: asked(kin),
        lambda: kin.holder.cancel(booked),
        lambda: kin.holder.open_payment(held),
        lambda: seen(kin, booked),
        lambda: seen(kin, held),
        lambda: passed(kin, booked),
    )
    for act in acts:
        with pytest.raises(NotFound):
            act()
    assert listed(kin) == []
    # What was booked stays booked, and is the granter's to cancel.
    assert kin.granter.appointment(booked).status is AppointmentStatus.BOOKED
    kin.granter.cancel(booked)


def test_the_prepay_begun_before_the_end_may_still_be_paid_and_is_not_opened_again(kin: Kin) -> None:
    grant_id = kin.grant(Scope.PAY)
    appointment_id = kin.granter.book(PayMode.ONLINE)
    assert kin.holder.open_payment(appointment_id) is None
    kin.end(grant_id)
    with pytest.raises(NotFound):
        kin.holder.open_payment(appointment_id)
    kin.granter.hear(kin.granter.gateway.pay(kin.granter.payments()[0].out_trade_no))
    kin.granter.work()
    assert kin.granter.appointment(appointment_id).status is AppointmentStatus.BOOKED
    with pytest.raises(NotPayable):
        kin.granter.open_payment(kin.granter.book(PayMode.ON_SITE, schedule_id=day(kin, 1)))
    kin.granter.assert_sound()


# --- what it costs ---------------------------------------------------------------------------------------------------


def test_a_booking_for_ones_own_never_asks_for_a_grant(kin: Kin, database: Database) -> None:
    """docs/decisions/0014: what grants cost is paid by those who use one."""
    kin.grant()

    def counted(book: Callable[[], UUID]) -> list[str]:
        said: list[str] = []

        def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            said.append(statement)

        event.listen(database.engine, "before_cursor_execute", hear)
        book()
        event.remove(database.engine, "before_cursor_execute", hear)
        return said

    own = counted(lambda: kin.holder.book(PayMode.ON_SITE))
    others = counted(kin.book)
    # In the claim only of a number that its own column says was let go lately: whoever let it go may have held a grant.
    asked = [one for one in own if "FROM grants" in one.partition("slots.let_go_at > ")[0] and "UNION ALL" not in one]
    assert not asked
    assert sum("FROM grants" in one for one in own) == 2
    assert len(others) > len(own)
    assert kin.granter.read(lambda session: session.query(Appointment).count()) == 2
