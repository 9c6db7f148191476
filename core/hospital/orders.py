"""What a call to a hospital says, read before the call; and the patient's record there, found or made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.dependents.cards import NewCard, add_card
from core.payments.charge_account import ChargeAccount
from core.ports import HoldOrder, HospitalPatient, HospitalPlace, HospitalSystem
from core.workbench import Workbench
from models.appointment import Appointment, PayMode
from models.errors import DomainError
from models.hospital import Department, Hospital
from models.hospital_claim import ClaimStep
from models.person import Dependent, PersonIdentifier
from models.schedule import Schedule
from models.sealing import Vault

log = structlog.get_logger()


@dataclass(frozen=True)
class Asked:
    """One call. `order` and `patient` are there where a number is to be held; the order lacks the patient's record."""

    system: str
    claim: str
    paid_fen: int
    appointment: Appointment
    order: HoldOrder | None = None
    patient: HospitalPatient | None = field(default=None, repr=False)


def read_asked(
    session: Session, vault: Vault, account: ChargeAccount, appointment: Appointment, step: ClaimStep
) -> Asked:
    """Raises: LookupError for an appointment whose numbers are ours."""
    if appointment.hospital_system is None:
        raise LookupError("nobody is to be asked")
    paid = appointment.pay_mode is PayMode.ONLINE and not appointment.awaiting_payment
    asked = Asked(
        system=appointment.hospital_system,
        claim=appointment.number,
        paid_fen=appointment.fee_fen if paid else 0,
        appointment=appointment,
    )
    if step is not ClaimStep.HOLD:
        return asked
    order = _order(session, account, appointment)
    return replace(asked, order=order, patient=_patient(session, vault, appointment))


def _order(session: Session, account: ChargeAccount, appointment: Appointment) -> HoldOrder:
    slot = account.slots[appointment.slot_id]
    schedule, hospital, department = session.execute(
        select(Schedule, Hospital.code, Department.code)
        .join(Hospital, Hospital.id == Schedule.hospital_id)
        .join(Department, Department.id == Schedule.department_id)
        .where(Schedule.id == appointment.schedule_id)
    ).one()
    return HoldOrder(
        claim=appointment.number,
        place=HospitalPlace(
            hospital=hospital,
            department=department,
            doctor=schedule.doctor_code,
            visit_date=schedule.visit_date,
            period=str(schedule.period),
            clinic_type=schedule.clinic_type,
            starts_at=schedule.starts_at,
        ),
        sequence=slot.sequence,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        patient="",
        fee_fen=appointment.fee_fen,
        until=appointment.close_by,
    )


def _patient(session: Session, vault: Vault, appointment: Appointment) -> HospitalPatient:
    dependent = session.get_one(Dependent, appointment.dependent_id)
    identifier = session.get_one(PersonIdentifier, dependent.identifier_id)
    return HospitalPatient(
        name=dependent.name(vault),
        id_type=str(dependent.id_type),
        id_number=dependent.number(vault, identifier),
        sex=str(dependent.sex),
        birth_date=dependent.birth_date,
        phone=dependent.phone(vault),
    )


def with_record(workbench: Workbench, system: HospitalSystem, asked: Asked) -> HoldOrder:
    """The order for the patient's own record there, which is made where there is none. It is looked for by the
    document: a card that somebody typed may be another's.

    Raises: ProviderUnavailable, HospitalRefused."""
    if asked.order is None or asked.patient is None:
        raise LookupError("nothing is to be held")
    hospital = asked.order.place.hospital
    number = system.find_patient(hospital, asked.patient) or system.create_patient(hospital, asked.patient)
    workbench.transactions.write(lambda session, now: _keep_card(session, workbench.vault, asked, number, now=now))
    return replace(asked.order, patient=number)


def _keep_card(session: Session, vault: Vault, asked: Asked, number: str, *, now: datetime) -> None:
    """Among the patient's cards, unless it is there already. What cannot be kept does not stop a booking."""
    one = asked.appointment
    wanted = NewCard(one.hospital_id, number, is_current=False)
    try:
        with session.begin_nested():
            add_card(
                session, account_id=one.account_id, dependent_id=one.dependent_id, wanted=wanted, vault=vault, now=now
            )
    except DomainError as refused:
        log.info("hospital_card_not_kept", appointment=str(one.id), refused=type(refused).__name__)
