"""What becomes of each kind of data when an account is closed (rules.md L-06, L-07). One row for each holding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from core.rights.laws import Law

YEAR = timedelta(days=365.25)


class Outcome(StrEnum):
    ERASED = "erased"
    """Gone at once."""
    KEPT = "kept"
    """A law wants it; it names nobody any more."""
    RESTRICTED = "restricted"
    """A law wants it and it names somebody: stored only, shown to nobody, erased when its time is over."""


@dataclass(frozen=True)
class Retention:
    """`lasts` from the closing of the account on, after which nothing happens to it, and for GIVEN_TO_HOSPITALS from
    the last visit; None where nothing of it is left. When its time is over `expire.py` deletes it."""

    outcome: Outcome
    law: Law
    lasts: timedelta | None = None


FORGOTTEN = Retention(Outcome.ERASED, Law.MINIMUM)
_LOGS = Retention(Outcome.KEPT, Law.NETWORK_LOGS, YEAR / 2)
_EVIDENCE = Retention(Outcome.KEPT, Law.PROOF, 3 * YEAR)
_MONEY = Retention(Outcome.KEPT, Law.VOUCHERS, 30 * YEAR)
_BOOKING = Retention(Outcome.KEPT, Law.VOUCHERS_IF_PAID, 30 * YEAR)
UNPAID_LASTS = 3 * YEAR
"""As long as it may be asked which hospital was told of whom (GIVEN_TO_HOSPITALS): an unpaid booking is no voucher."""
GIVEN_TO_HOSPITALS = Retention(Outcome.RESTRICTED, Law.GIVEN_TO_OTHERS, 3 * YEAR)
"""Name and document of whom a hospital was told about, from the last visit on."""

RETENTION: Mapping[str, Retention] = {
    "account": FORGOTTEN,
    "platform_identities": FORGOTTEN,
    "logins": _LOGS,
    "consents": _EVIDENCE,
    "joins": _EVIDENCE,
    "dependents": GIVEN_TO_HOSPITALS,
    "grants_given": _EVIDENCE,
    "grants_held": _EVIDENCE,
    "hospital_cards": FORGOTTEN,
    "identity_checks": _EVIDENCE,
    "agreements": _EVIDENCE,
    "booking_signals": _LOGS,
    "appointments": _BOOKING,
    "arrivals": _EVIDENCE,
    "not_me_reports": _EVIDENCE,
    "strikes": _EVIDENCE,
    "strike_appeals": _EVIDENCE,
    "offers": _BOOKING,
    "charges": _BOOKING,
    "charge_lines": _BOOKING,
    "payments": _BOOKING,
    "payments_for_others": _MONEY,
    "refunds": _MONEY,
    "refund_lines": _MONEY,
    "refund_decisions": _MONEY,
    "receipts": _MONEY,
    "shipping_reports": _MONEY,
    "journals": _MONEY,
    "ledger_entries": _MONEY,
    "waitlist_entries": _LOGS,
    "waitlist_places": _LOGS,
    "notices": FORGOTTEN,
    "accesses": _LOGS,
}
