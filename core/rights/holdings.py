"""Everything that is kept about an account: which rows of which tables. One list, for exporting and for erasing.

A table that is reached from an account or from one of these and stands neither here nor in NOT_TOLD fails a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute

from core.rights.access import UNTOLD
from models.account import Account, Consent, LoginSession, PlatformIdentity
from models.account_join import AccountJoin
from models.agreement import Agreement
from models.appointment import Appointment
from models.arrival import Arrival, NotMeReport
from models.audit import AuditEntry
from models.base import Base
from models.booking_signal import BookingSignal
from models.charge import Charge, ChargeLine
from models.grant import Grant
from models.hospital_card import HospitalCard
from models.identity_check import IdentityCheck
from models.ledger import Journal, LedgerEntry
from models.notice import Notice
from models.offer import Offer
from models.payment import Payment, Refund, RefundLine
from models.person import Dependent
from models.receipt import Receipt
from models.refund_decision import RefundDecision
from models.shipping import ShippingReport
from models.strike import Strike, StrikeAppeal
from models.waitlist import WaitlistEntry, WaitlistPlace

AccountId = UUID | InstrumentedAttribute[UUID]
Where = Callable[[AccountId], ColumnElement[bool]]
EVERY_ROW = true()


@dataclass(frozen=True)
class Holding:
    """The rows of one table that are about an account. `name` is what the export calls them.

    `where` takes the account's id, or the column `Account.id` of a query around it. `shown` says which of these rows
    the account is told of; the others are kept and go with them.
    """

    name: str
    record: type[Base]
    where: Where
    shown: ColumnElement[bool] = EVERY_ROW

    def told_to(self, account_id: UUID) -> ColumnElement[bool]:
        """Which rows the account is told of, be it only how many there are."""
        return self.where(account_id) & self.shown


def _of_charges(account_id: AccountId) -> Select[UUID]:
    return select(Charge.id).where(Charge.account_id == account_id).correlate(Account)


def _of_refunds(account_id: AccountId) -> Select[UUID]:
    return select(Refund.id).where(Refund.charge_id.in_(_of_charges(account_id)))


def _of_payments(account_id: AccountId) -> Select[UUID]:
    return select(Payment.id).where(Payment.account_id == account_id).correlate(Account)


def _of_appointments(account_id: AccountId) -> Select[UUID]:
    return select(Appointment.id).where(Appointment.account_id == account_id).correlate(Account)


def _of_dependents(account_id: AccountId) -> Select[UUID]:
    return select(Dependent.id).where(Dependent.account_id == account_id).correlate(Account)


def _held(account_id: AccountId) -> Select[UUID]:
    return select(Grant.id).where(Grant.account_id == account_id).correlate(Account)


def _waits(account_id: AccountId) -> Select[UUID]:
    return select(WaitlistEntry.id).where(WaitlistEntry.account_id == account_id).correlate(Account)


def _of_strikes(account_id: AccountId) -> Select[UUID]:
    return select(Strike.id).where(Strike.appointment_id.in_(_of_appointments(account_id)))


HOLDINGS = (
    Holding("account", Account, lambda one: Account.id == one),
    Holding("platform_identities", PlatformIdentity, lambda one: PlatformIdentity.account_id == one),
    Holding("logins", LoginSession, lambda one: LoginSession.account_id == one),
    Holding("consents", Consent, lambda one: Consent.account_id == one),
    Holding(
        "joins", AccountJoin, lambda one: or_(AccountJoin.asking_account_id == one, AccountJoin.asked_account_id == one)
    ),
    Holding("dependents", Dependent, lambda one: Dependent.account_id == one),
    Holding("hospital_cards", HospitalCard, lambda one: HospitalCard.dependent_id.in_(_of_dependents(one))),
    Holding("grants_given", Grant, lambda one: Grant.dependent_id.in_(_of_dependents(one))),
    Holding("grants_held", Grant, lambda one: Grant.account_id == one),
    Holding("identity_checks", IdentityCheck, lambda one: IdentityCheck.account_id == one),
    Holding("booking_signals", BookingSignal, lambda one: BookingSignal.account_id == one),
    Holding("agreements", Agreement, lambda one: Agreement.account_id == one),
    Holding("appointments", Appointment, lambda one: Appointment.account_id == one),
    Holding("arrivals", Arrival, lambda one: Arrival.appointment_id.in_(_of_appointments(one))),
    Holding("not_me_reports", NotMeReport, lambda one: NotMeReport.appointment_id.in_(_of_appointments(one))),
    Holding("strikes", Strike, lambda one: Strike.appointment_id.in_(_of_appointments(one))),
    Holding("strike_appeals", StrikeAppeal, lambda one: StrikeAppeal.strike_id.in_(_of_strikes(one))),
    Holding("offers", Offer, lambda one: Offer.appointment_id.in_(_of_appointments(one))),
    Holding("charges", Charge, lambda one: Charge.account_id == one),
    Holding("charge_lines", ChargeLine, lambda one: ChargeLine.charge_id.in_(_of_charges(one))),
    Holding("payments", Payment, lambda one: Payment.account_id == one),
    Holding("payments_for_others", Payment, lambda one: Payment.grant_id.in_(_held(one))),
    Holding("refunds", Refund, lambda one: Refund.charge_id.in_(_of_charges(one))),
    Holding(
        "refund_lines",
        RefundLine,
        lambda one: RefundLine.refund_id.in_(_of_refunds(one)),
    ),
    Holding(
        "refund_decisions",
        RefundDecision,
        lambda one: RefundDecision.refund_id.in_(_of_refunds(one)),
    ),
    Holding("receipts", Receipt, lambda one: Receipt.charge_id.in_(_of_charges(one))),
    Holding("shipping_reports", ShippingReport, lambda one: ShippingReport.payment_id.in_(_of_payments(one))),
    Holding("journals", Journal, lambda one: Journal.payment_id.in_(_of_payments(one))),
    Holding(
        "ledger_entries",
        LedgerEntry,
        lambda one: LedgerEntry.journal_id.in_(select(Journal.id).where(Journal.payment_id.in_(_of_payments(one)))),
    ),
    Holding("waitlist_entries", WaitlistEntry, lambda one: WaitlistEntry.account_id == one),
    Holding(
        "waitlist_places",
        WaitlistPlace,
        lambda one: WaitlistPlace.entry_id.in_(_waits(one)),
    ),
    Holding("notices", Notice, lambda one: Notice.account_id == one),
    Holding(
        "accesses",
        AuditEntry,
        lambda one: or_(AuditEntry.account_id == one, AuditEntry.dependent_id.in_(_of_dependents(one))),
        shown=AuditEntry.action.not_in(UNTOLD),
    ),
)

OF_OTHERS = frozenset({"payments_for_others"})
"""What an account has a part in and another one owns: it goes with that one."""

NOT_TOLD: Mapping[str, str] = {
    "persons": "one human being, whoever names them: when it was made would tell that another account did so before",
    "person_identifiers": "the same; the number is told with each dependent",
    "phone_codes": "digests of a code of five minutes, gone after a day",
    "idempotency_keys": "copies of replies that were sent already, for seven days",
    "handoffs": "a code of 60 seconds for one login, kept as a digest",
    "hospital_claims": "the hospital's own words for an appointment that is told",
}
"""Tables that hang on these and are not told, each with the reason."""
