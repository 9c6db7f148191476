"""What may happen to a payment while another thing does: to one charge with one prepay that is handed out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

from harness import REQUEST, Patient

from core.booking.endings.release import end_hold
from core.jobs.queue import LeasedJob
from core.payments.ask import ask_payment, look_at_payment
from core.payments.inbox import apply_event
from core.payments.open import PaymentIntent
from core.refusals import AlreadyPaid, HoldEnding, NotCancellable, NotPayable
from core.transactions import Step, Transactions
from core.workbench import Workbench
from models.base import new_id
from models.payment import Payment

R = TypeVar("R")


def in_hand(kind: str, **payload: Any) -> LeasedJob:
    return LeasedJob(new_id(), kind, {name: str(value) for name, value in payload.items()}, 1, 1)


@dataclass
class Case:
    """One charge with one prepay that is handed out, and what the happenings need to know of it."""

    patient: Patient
    appointment_id: UUID
    payment: Payment
    other_phone: PaymentIntent
    event_id: UUID

    def pays(self, out_trade_no: str) -> bool:
        """The patient, unless the sheet says that it is over."""
        with suppress(AssertionError):
            self.patient.gateway.pay(out_trade_no)
            return True
        return False


def back_from_paying(case: Case, bench: Workbench) -> None:
    of = {"payment_id": case.payment.id, "account_id": case.patient.account_id}
    look_at_payment(bench, **of, cause=REQUEST)


def notice(case: Case, bench: Workbench) -> None:
    apply_event(bench, in_hand("apply_event", platform_event_id=case.event_id))


def poll(case: Case, bench: Workbench) -> None:
    ask_payment(bench, in_hand("ask_payment", payment_id=case.payment.id))


def expiry(case: Case, bench: Workbench) -> None:
    end_hold(bench, in_hand("end_hold", appointment_id=case.appointment_id))


def cancel(case: Case, bench: Workbench) -> None:
    with suppress(NotCancellable):
        replace(case.patient, workbench=bench).cancel(case.appointment_id)


def close(case: Case, bench: Workbench) -> None:
    """The patient's other phone asks for a prepay: first this one is closed at the platform."""
    with suppress(AlreadyPaid, NotPayable, HoldEnding):
        replace(case.patient, workbench=bench).finish_opening(case.other_phone)


Happening = Callable[[Case, Workbench], None]
HAPPENINGS: dict[str, Happening] = {
    "return": back_from_paying,
    "notice": notice,
    "poll": poll,
    "expiry": expiry,
    "cancel": cancel,
    "close": close,
}


class Interrupted(Transactions):
    """Before one of its transactions, or on the way of one of the calls between them, something else happens, from
    beginning to end."""

    def __init__(self, of: Transactions, at: int, meanwhile: Callable[[], None]) -> None:
        super().__init__(of.database, of.clock)
        self._left, self._meanwhile = at, meanwhile

    def tick(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._meanwhile()

    def write(self, step: Step[R], *, planned_once: bool = False) -> R:
        self.tick()
        return super().write(step, planned_once=planned_once)

    def read(self, look: Step[R]) -> R:
        self.tick()
        return super().read(look)

    def finish(self) -> None:
        """It was over before that."""
        if self._left > 0:
            self._left = 0
            self._meanwhile()
