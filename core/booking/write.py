"""The rows of a booking, all in one round trip, from the same models and verbs as everywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy import String, and_, bindparam, case, select, type_coerce
from sqlalchemy.orm import Session

from core.booking.charge_lines import price_lines
from core.booking.claim import Left, Taken
from core.booking.endings.end_hold import end_of_hold
from core.booking.look import Surroundings
from core.booking.rules.evaluation import full
from core.booking.shared_charge import Shared
from core.booking.tariff import FREE_FOLLOW_UP, Price, price_for
from core.booking.terms import Terms
from core.booking.views import AppointmentView
from core.booking.wish import Wish
from core.hospital.soon import first_settling
from core.notices.write import tell
from core.numbers import appointment_number
from core.refusals import ScheduleClosed, ScheduleSuspended
from core.together import insert_together
from core.transactions import Changed
from models.appointment import Appointment, AppointmentStatus
from models.as_read import keep_as_read
from models.base import Base, new_id, table_of
from models.charge import Charge, ChargeLine
from models.grant import Grant
from models.hospital_card import HospitalCard
from models.hospital_claim import HospitalClaim, HospitalClaimStatus
from models.notice import NoticeKind
from models.person import Dependent
from models.schedule import Schedule, ScheduleStatus
from models.sealing import Vault
from models.states import Cause

_SCHEDULE = table_of(Schedule).c
# Its status, where it is still what the patient looked at.
_AS_LOOKED_AT = and_(
    _SCHEDULE.fee_fen == bindparam("fee"),
    _SCHEDULE.doctor_code == bindparam("doctor"),
    _SCHEDULE.starts_at == bindparam("starts", type_=_SCHEDULE.starts_at.type),
)
_STATUS_NOW = select(case((_AS_LOOKED_AT, type_coerce(_SCHEDULE.status, String)), else_="changed")).where(
    _SCHEDULE.id == bindparam("schedule")
)


@dataclass(frozen=True)
class Sale:
    """A number that was taken, for whom, and under which terms; and the grant, where another account books.

    It is held until the fee is paid. Where it `replaces` another, it stands on the charge of that one, and beside it.
    `hold_until` is given where it may be paid for longer than the terms say for everybody, or is part of a bundle. A
    follow-up names the appointment that it is of, and costs nothing.
    """

    wish: Wish
    around: Surroundings
    terms: Terms
    dependent: Dependent
    person_id: UUID
    taken: Taken
    card: HospitalCard | None
    grant: Grant | None
    is_held: bool
    replaces: Appointment | None = None
    hold_until: datetime | None = None
    follow_up_of_id: UUID | None = None

    @property
    def price(self) -> Price:
        if self.follow_up_of_id is not None:
            return FREE_FOLLOW_UP
        return price_for(self.dependent, self.schedule, self.terms)

    @property
    def schedule(self) -> Schedule:
        return self.around.schedule

    @property
    def awaits_hospital(self) -> bool:
        """The hospital's own system must agree."""
        return self.around.hospital_system is not None

    @property
    def is_sure(self) -> bool:
        """Nothing is awaited: the number is the patient's at once."""
        return not self.is_held and not self.awaits_hospital


def write_booking(session: Session, sale: Sale, *, now: datetime, cause: Cause, vault: Vault) -> AppointmentView:
    """Write the sale. Raises: ScheduleSuspended, ScheduleClosed where that was decided before we had the number,
    Changed where it is not any more what the patient looked at."""
    charge = _charge(sale, now=now)
    appointment, lines, records = _rows(sale, charge.id, now=now, cause=cause, vault=vault)
    charge.lines = lines
    _insert(session, [charge, *records], sale)
    keep_as_read(session, appointment)
    if not appointment.awaiting:
        tell(session, NoticeKind.APPOINTMENT_BOOKED, appointment, now=now)
    return _view(sale, appointment, charge)


def write_bundle(
    session: Session, sales: Sequence[Sale], *, now: datetime, cause: Cause, vault: Vault
) -> list[AppointmentView]:
    """Write sales of one account on one charge. Raises: as `write_booking`."""
    charge = _charge(sales[0], now=now)
    rows = [_rows(sale, charge.id, now=now, cause=cause, vault=vault) for sale in sales]
    charge.lines = [line for _, lines, _ in rows for line in lines]
    before: list[Base] = [charge]
    for sale, (appointment, _, records) in zip(sales, rows, strict=True):
        _insert(session, [*before, *records], sale)
        before = []
        keep_as_read(session, appointment)
        if not appointment.awaiting:
            tell(session, NoticeKind.APPOINTMENT_BOOKED, appointment, now=now)
    ids = [appointment.id for appointment, _, _ in rows]
    shared = Shared({}, {}, {}, dict(zip(ids, ids, strict=True)), set(ids))
    return [
        _view(sale, appointment, charge, shared=shared) for sale, (appointment, _, _) in zip(sales, rows, strict=True)
    ]


def write_replacement(
    session: Session, sale: Sale, charge_id: UUID, *, now: datetime, cause: Cause, vault: Vault
) -> UUID:
    """Write the sale beside what it replaces, on the same charge; its id. Raises: ScheduleSuspended, ScheduleClosed."""
    appointment, _, records = _rows(sale, charge_id, now=now, cause=cause, vault=vault)
    _insert(session, records, sale)
    return appointment.id


def _rows(
    sale: Sale, charge_id: UUID, *, now: datetime, cause: Cause, vault: Vault
) -> tuple[Appointment, list[ChargeLine], list[Base]]:
    """The appointment, its lines, and both with everything else that is written for the sale."""
    price = sale.price
    appointment = _appointment(sale, charge_id, fee_fen=price.due_fen, now=now)
    appointment.seal_complaint(vault, sale.wish.told)
    born = appointment.move(
        AppointmentStatus.PENDING if appointment.awaiting else AppointmentStatus.BOOKED, at=now, cause=cause
    )
    lines = price_lines(appointment, price)
    records: list[Base] = [appointment, *lines, sale.taken.event, born]
    if appointment.hold_expires_at is not None:
        records.append(end_of_hold(appointment.id, appointment.hold_expires_at, now=now))
    if sale.awaits_hospital:
        records += claim_at_hospital(appointment, now=now, cause=cause)
    return appointment, lines, records


def _insert(session: Session, records: list[Base], sale: Sale) -> None:
    # Suspending waits for claims under way and then lists appointments: ours must see it if it came first.
    _refuse_unless_open(insert_together(session, records, then=_STATUS_NOW, given=_looked_at(sale.schedule)))


def _looked_at(schedule: Schedule) -> dict[str, Any]:
    fee, doctor, starts = schedule.fee_fen, schedule.doctor_code, schedule.starts_at
    return {"schedule": schedule.id, "fee": fee, "doctor": doctor, "starts": starts}


def _refuse_unless_open(status: str | None) -> None:
    """Raises: ScheduleSuspended, ScheduleClosed, Changed where it was given to another doctor, moved, or made anew, so
    that there is none any more."""
    if status == ScheduleStatus.SUSPENDED:
        raise ScheduleSuspended()
    if status == ScheduleStatus.CLOSED:
        raise ScheduleClosed()
    if status != ScheduleStatus.OPEN:
        raise Changed()


def refuse_for_none(session: Session, schedule: Schedule, left: Left, *, now: datetime) -> NoReturn:
    """No number was had of what was looked at before: it is full, or it was taken off sale meanwhile, which ends its
    numbers too.

    Raises: SoldOut, NumbersInFlight, ScheduleSuspended, ScheduleClosed, Changed where it was given to another doctor,
    moved, or made anew."""
    _refuse_unless_open(session.execute(_STATUS_NOW, _looked_at(schedule)).scalar_one_or_none())
    raise full(left, now=now)


def _charge(sale: Sale, *, now: datetime) -> Charge:
    return Charge(
        id=new_id(),
        hospital_id=sale.schedule.hospital_id,
        account_id=sale.dependent.account_id,
        currency="CNY",
        created_at=now,
    )


def _appointment(sale: Sale, charge_id: UUID, *, fee_fen: int, now: datetime) -> Appointment:
    """Every column is given, so that none needs to be read back."""
    schedule, terms, held = sale.schedule, sale.terms, sale.is_held
    pay_until = sale.hold_until or now + terms.hold_for
    return Appointment(
        id=new_id(),
        number=appointment_number(now=now),
        hospital_id=schedule.hospital_id,
        account_id=sale.dependent.account_id,
        # Of two records of one human in joined accounts it stays with the one that was booked for: both may part again.
        dependent_id=sale.dependent.id if sale.replaces is None else sale.replaces.dependent_id,
        person_id=sale.person_id,
        department_id=schedule.department_id,
        schedule_id=schedule.id,
        slot_id=sale.taken.slot.id,
        charge_id=charge_id,
        visit_date=schedule.visit_date,
        awaiting_payment=held,
        awaiting_hospital=sale.awaits_hospital,
        pay_mode=sale.wish.pay,
        payer_kind=sale.wish.payer_kind,
        fee_fen=fee_fen,
        hold_expires_at=pay_until if held else None,
        close_by=pay_until + terms.close_cap if held else None,
        cancel_before=terms.cancel_before(schedule.cancel_before, sale.taken.slot.starts_at),
        terms=schedule.terms,
        one_per_department_day=terms.one_per_department_day and sale.follow_up_of_id is None,
        visit_card_id=None if sale.card is None else sale.card.id,
        replaces_id=None if sale.replaces is None else sale.replaces.id,
        beside_replaced=sale.replaces is not None,
        cancel_reason=None,
        created_at=now,
        ended_at=None,
        grant_id=None if sale.grant is None else sale.grant.id,
        free_to_leave_until=None,
        booked_through=sale.wish.booked_through,
        notice_version=sale.wish.notice_version,
        hospital_system=sale.around.hospital_system,
        hospital_sequence=None,
        follow_up_until=None,
        follow_up_of_id=sale.follow_up_of_id,
    )


def claim_at_hospital(appointment: Appointment, *, now: datetime, cause: Cause) -> list[Base]:
    """What the hospital's own system is to be asked, and the job that asks."""
    claim = HospitalClaim(
        id=new_id(),
        hospital_id=appointment.hospital_id,
        appointment_id=appointment.id,
        hospital_number=None,
        created_at=now,
    )
    born = claim.move(HospitalClaimStatus.NONE, at=now, cause=cause)
    return [claim, born, first_settling(appointment, now=now)]


def _view(sale: Sale, appointment: Appointment, charge: Charge, *, shared: Shared | None = None) -> AppointmentView:
    """What reading it again would show: nothing is paid yet."""
    return AppointmentView(
        appointment=appointment,
        hospital=sale.around.hospital,
        department=sale.around.department,
        doctor=sale.around.doctor,
        schedule=sale.schedule,
        slot=sale.taken.slot,
        dependent=sale.dependent,
        charge=charge,
        payments=[],
        refunds=[],
        visit_card=sale.card if sale.grant is None else None,
        shown_under=sale.grant,
        shared=shared,
    )
