"""What breaks the promises about money, and what comes close without breaking them."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.appointment import Appointment, AppointmentStatus
from models.base import new_id
from models.charge import Charge, ChargeLine
from models.payment import Payment, PaymentStatus, Refund, RefundLine, RefundStatus
from models.schedule import Slot, SlotStatus, WithheldReason
from plants import World, change, clone, drop, plant, quiet, table

CLOSED_BEFORE = "prepay_is_closed_before_its_number_comes_back"
_LATER = timedelta(minutes=1)


# --- kept money of a charge


@plant("kept_money_is_what_is_due")
def _kept_after_cancelling(session: Session, world: World) -> None:
    drop(session, Refund, world.of(session, Refund, world.cancelled))


@plant("kept_money_is_what_is_due")
def _refund_closed_without_a_successor(session: Session, world: World) -> None:
    change(session, Refund, world.of(session, Refund, world.cancelled), status=RefundStatus.CLOSED)


@plant("kept_money_is_what_is_due")
def _booked_without_money(session: Session, world: World) -> None:
    drop(session, Payment, world.of(session, Payment, world.paid))


@plant("kept_money_is_what_is_due")
def _booked_with_money_that_did_not_arrive(session: Session, world: World) -> None:
    change(session, Payment, world.of(session, Payment, world.paid), status=PaymentStatus.CLOSED)


@plant("kept_money_is_what_is_due")
def _a_fen_short(session: Session, world: World) -> None:
    change(session, Payment, world.of(session, Payment, world.paid), received_fen=4999)


@plant("kept_money_is_what_is_due")
def _a_fen_too_much(session: Session, world: World) -> None:
    change(session, Payment, world.of(session, Payment, world.paid), received_fen=5001)


@plant("kept_money_is_what_is_due")
def _a_fen_not_given_back(session: Session, world: World) -> None:
    change(session, Refund, world.of(session, Refund, world.cancelled), amount_fen=4999)


@plant("kept_money_is_what_is_due")
def _paid_twice(session: Session, world: World) -> None:
    clone(session, Payment, world.of(session, Payment, world.paid))


@plant("kept_money_is_what_is_due")
def _given_back_while_booked(session: Session, world: World) -> None:
    payment, charge = world.of(session, Payment, world.paid), world.of(session, Charge, world.paid)
    clone(session, Refund, world.of(session, Refund, world.cancelled), payment_id=payment, charge_id=charge)


@plant("kept_money_is_what_is_due")
def _nothing_due_for_what_was_paid(session: Session, world: World) -> None:
    change(session, ChargeLine, world.of(session, ChargeLine, world.paid), voided_at=world.now)


@plant("kept_money_is_what_is_due")
def _paid_and_still_waiting(session: Session, world: World) -> None:
    change(session, Appointment, world.paid, status=AppointmentStatus.PENDING, awaiting_payment=True)


def _exchanged_for(session: Session, world: World, *, fee_fen: int, **more: Any) -> None:
    """Beside the paid one, one in its place that the hospital has yet to confirm."""
    beside = {"status": AppointmentStatus.PENDING, "beside_replaced": True, "replaces_id": world.paid} | more
    new = clone(session, Appointment, world.paid, slot_id=new_id(), awaiting_hospital=True, fee_fen=fee_fen, **beside)
    line = world.of(session, ChargeLine, world.paid)
    clone(session, ChargeLine, line, appointment_id=new, amount_fen=fee_fen)


for _covered in (3000, 5000):
    quiet("kept_money_is_what_is_due")(partial(_exchanged_for, fee_fen=_covered))
plant("kept_money_is_what_is_due")(partial(_exchanged_for, fee_fen=5001))
plant("kept_money_is_what_is_due")(partial(_exchanged_for, fee_fen=3000, beside_replaced=False))


@quiet("kept_money_is_what_is_due")
@quiet("refunds_within_payment")
def _refund_closed_beside_kept_money(session: Session, world: World) -> None:
    payment, charge = world.of(session, Payment, world.paid), world.of(session, Charge, world.paid)
    refund = world.of(session, Refund, world.cancelled)
    clone(session, Refund, refund, payment_id=payment, charge_id=charge, amount_fen=5001, status=RefundStatus.CLOSED)


@quiet("kept_money_is_what_is_due")
def _a_line_that_ended_earlier(session: Session, world: World) -> None:
    clone(session, ChargeLine, world.of(session, ChargeLine, world.paid), voided_at=world.now)


# --- lines and prices


@plant("line_lives_with_its_appointment")
def _live_appointment_void_line(session: Session, world: World) -> None:
    change(session, ChargeLine, world.of(session, ChargeLine, world.paid), voided_at=world.now)


@plant("line_lives_with_its_appointment")
def _ended_appointment_live_line(session: Session, world: World) -> None:
    change(session, ChargeLine, world.of(session, ChargeLine, world.cancelled), voided_at=None)


@plant("price_is_the_fee")
def _no_line_at_all(session: Session, world: World) -> None:
    drop(session, ChargeLine, world.of(session, ChargeLine, world.paid))


@plant("price_is_the_fee")
def _charged_twice(session: Session, world: World) -> None:
    clone(session, ChargeLine, world.of(session, ChargeLine, world.paid))


@plant("price_is_the_fee")
def _charged_less(session: Session, world: World) -> None:
    change(session, ChargeLine, world.of(session, ChargeLine, world.paid), amount_fen=4999)


# --- a prepay that is open


def _let_go_unpaid(session: Session, world: World, *, status: SlotStatus, why: WithheldReason | None) -> None:
    change(session, Appointment, world.held, status=AppointmentStatus.CANCELLED, ended_at=world.now + _LATER)
    change(session, Slot, world.of(session, Slot, world.held), status=status, withheld_reason=why)


for _status in (SlotStatus.FREE, SlotStatus.HELD, SlotStatus.BOOKED):
    plant(CLOSED_BEFORE)(partial(_let_go_unpaid, status=_status, why=None))
plant(CLOSED_BEFORE)(partial(_let_go_unpaid, status=SlotStatus.WITHHELD, why=WithheldReason.COOLING))
quiet(CLOSED_BEFORE)(partial(_let_go_unpaid, status=SlotStatus.WITHHELD, why=WithheldReason.CLOSING))
quiet(CLOSED_BEFORE)(partial(_let_go_unpaid, status=SlotStatus.SUSPENDED, why=None))


@quiet(CLOSED_BEFORE)
def _given_up_at_the_cap(session: Session, world: World) -> None:
    _let_go_unpaid(session, world, status=SlotStatus.FREE, why=None)
    change(session, Payment, world.of(session, Payment, world.held), let_go=True, status=PaymentStatus.UNKNOWN)


@quiet(CLOSED_BEFORE)
def _opened_for_what_came_after(session: Session, world: World) -> None:
    _let_go_unpaid(session, world, status=SlotStatus.FREE, why=None)
    change(session, Payment, world.of(session, Payment, world.held), created_at=world.now + 2 * _LATER)


@quiet(CLOSED_BEFORE)
def _another_of_the_bundle_is_still_to_be_paid(session: Session, world: World) -> None:
    clone(session, Appointment, world.held, slot_id=new_id(), person_id=new_id())
    _let_go_unpaid(session, world, status=SlotStatus.FREE, why=None)


# --- refunds of a payment


def _line_given_back(session: Session, world: World) -> UUID:
    lines, refund = table(RefundLine), world.of(session, Refund, world.cancelled)
    return session.execute(select(lines.c.id).where(lines.c.refund_id == refund)).scalar_one()


@plant("each_is_given_back_what_it_cost")
def _a_fen_more_than_it_cost(session: Session, world: World) -> None:
    change(session, RefundLine, _line_given_back(session, world), amount_fen=5001)


@plant("each_is_given_back_what_it_cost")
def _its_line_twice(session: Session, world: World) -> None:
    clone(session, RefundLine, _line_given_back(session, world))


@quiet("each_is_given_back_what_it_cost")
def _of_two_each_its_own(session: Session, world: World) -> None:
    line = world.of(session, ChargeLine, world.paid)
    clone(session, RefundLine, _line_given_back(session, world), charge_line_id=line, amount_fen=5000)


@plant("refunds_within_payment")
def _a_fen_more_than_was_paid(session: Session, world: World) -> None:
    change(session, Refund, world.of(session, Refund, world.cancelled), amount_fen=5001)


@plant("refunds_within_payment")
def _given_back_twice(session: Session, world: World) -> None:
    clone(session, Refund, world.of(session, Refund, world.cancelled))


@plant("refunds_within_payment")
def _given_back_before_it_came(session: Session, world: World) -> None:
    payment, charge = world.of(session, Payment, world.held), world.of(session, Charge, world.held)
    clone(session, Refund, world.of(session, Refund, world.cancelled), payment_id=payment, charge_id=charge)
