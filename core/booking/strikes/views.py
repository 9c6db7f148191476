"""What counts against the people for whom an account books, as their account is shown it.

Only of what that account booked itself. A strike counts whatever account booked, but who booked elsewhere, and that
somebody did, is told to nobody: where such a one restricts them, booking says that a limit is reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.booking.strikes.appeals import own_strike
from core.booking.strikes.restricted import counts_others_too
from core.paging import Page, page_of
from models.appointment import Appointment, AppointmentStatus
from models.hospital import Hospital
from models.person import Person
from models.sealing import Vault
from models.strike import UNTIL_APPEAL, Lift, Strike, StrikeAppeal


@dataclass(frozen=True)
class AppealView:
    appeal: StrikeAppeal
    answer: str | None = field(repr=False)


@dataclass(frozen=True)
class StrikeView:
    """One strike, the appointment that it is about, and what became of the patient's appeal."""

    strike: Strike
    appointment: Appointment
    hospital: Hospital
    appeal: AppealView | None
    restricts_alone: bool
    """Without any that another account brought."""

    @property
    def restricts_until(self) -> datetime | None:
        """None also where it has no end of its own, and where others were counted with it."""
        return None if self.restricts_until_appeal or not self.restricts_alone else self.strike.restricts_until

    @property
    def restricts_until_appeal(self) -> bool:
        return self.restricts_alone and self.strike.restricts_until == UNTIL_APPEAL

    @property
    def lifted_why(self) -> Lift | None:
        """None where they came with another number: who booked that one, and that somebody did, is told to nobody."""
        why, was = self.strike.lifted_why, self.appointment.status
        return None if why is Lift.SEEN and was is AppointmentStatus.NOSHOW else why

    @property
    def may_appeal(self) -> bool:
        return self.appeal is None and self.strike.lifted_at is None


def list_strikes(
    session: Session, *, account_id: UUID, vault: Vault, cursor: str | None, limit: int
) -> Page[StrikeView]:
    """The newest first. Raises: ValidationFailed."""
    own = select(Strike).join(Appointment, Appointment.id == Strike.appointment_id)
    own = own.where(Appointment.account_id == account_id)
    page = page_of(session, own, Strike.id, cursor=cursor, limit=limit, newest_first=True)
    return Page(_views(session, page.items, vault), page.next_cursor)


def view_strike(session: Session, *, account_id: UUID, strike_id: UUID, vault: Vault) -> StrikeView:
    """Raises: NotFound."""
    return _views(session, [own_strike(session, account_id=account_id, strike_id=strike_id)], vault)[0]


def _views(session: Session, strikes: Sequence[Strike], vault: Vault) -> list[StrikeView]:
    """In their order."""
    root = func.coalesce(Person.alias_of_id, Person.id)
    rows = session.execute(
        select(Strike, Appointment, Hospital, StrikeAppeal, counts_others_too(root, Appointment.account_id))
        .join(Person, Person.id == Strike.person_id)
        .join(Appointment, Appointment.id == Strike.appointment_id)
        .join(Hospital, Hospital.id == Strike.hospital_id)
        .outerjoin(StrikeAppeal, StrikeAppeal.strike_id == Strike.id)
        .where(Strike.id.in_([one.id for one in strikes]))
    )
    found = {
        strike.id: StrikeView(strike, appointment, hospital, _shown(appeal, vault), restricts_alone=not with_others)
        for strike, appointment, hospital, appeal, with_others in rows
    }
    return [found[one.id] for one in strikes]


def _shown(appeal: StrikeAppeal | None, vault: Vault) -> AppealView | None:
    return None if appeal is None else AppealView(appeal, appeal.answer(vault))
