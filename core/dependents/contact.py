"""How a dependent is reached, where they live, and what else they told: what the account may change at any time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from core.booking.policy_book import policies_for
from core.clock import hospital_day
from core.dependents.agreements import end_agreement
from core.dependents.correct import correct_identity
from core.dependents.emails import read_email
from core.dependents.fields import Fields
from core.dependents.guardians import forget_guardians_part
from core.dependents.insurance import contradicts, read_insurance_number
from core.dependents.keeping import refuse_more_of_handed_over
from core.dependents.minors import guardian_among
from core.dependents.numberless import follow_guardian
from core.dependents.phones import masked_phone, read_phone
from core.dependents.regions import is_known_region
from core.dependents.texts import read_text
from core.dependents.typed import InputFault
from core.identity.consents import (
    require_consent,
    require_of_minor,
    require_to_keep_identity,
    require_to_keep_of,
)
from core.identity.own import dependents_of, own_dependent
from core.locks import lock_account, lock_dependent
from core.refusals import ChangeLimit
from models.account import Purpose
from models.agreement import AgreementEnd, AgreementWay
from models.errors import FieldError, ValidationFailed
from models.person import Dependent, PersonIdentifier
from models.sealing import Vault
from models.states import Cause

ADDRESS_MAX = 200
HISTORY_MAX = 1000
HISTORY = "allergies_and_history"
GUARDIAN = "guardian_dependent_id"
INSURANCE = "insurance_number"


@dataclass(frozen=True)
class Change:
    """What is to be different: contact fields and the guardian by name, and who it is as it was typed anew."""

    contact: Mapping[str, Any] = field(repr=False)
    identity: Mapping[str, Any] = field(default_factory=dict, repr=False)


def change_contact(
    session: Session, *, account_id: UUID, dependent_id: UUID, change: Change, vault: Vault, now: datetime, cause: Cause
) -> Dependent:
    """Write new contact data, or another guardian; null takes anything but the phone away. Who it is may be corrected
    until it is matched (`core/dependents/correct.py`).

    An agreement that was given by a code to the old phone ends with it. Whoever withdrew the consents may still put the
    phone right, by which a standing appointment reaches them, and take the rest away; nothing more is kept.
    Raises: NotFound, IdentityFrozen, ChangeLimit, ValidationFailed, ConsentRequired, DependentInUse, DependentExists,
    DependentLimit, Changed.
    """
    lock_account(session, account_id)
    own_dependent(session, account_id=account_id, dependent_id=dependent_id)
    dependent = lock_dependent(session, dependent_id)
    if change.identity:
        correct_identity(session, dependent, change.identity, vault=vault, now=now, cause=cause)
    contact = dict(change.contact)
    _require_consents(session, dependent, contact, now=now)
    if GUARDIAN in contact:
        guardian_id = _guardian(session, dependent, contact.pop(GUARDIAN), now=now)
        if guardian_id != dependent.guardian_dependent_id:
            forget_guardians_part(session, dependent, now=now, cause=cause)
        dependent.guardian_dependent_id = guardian_id
        follow_guardian(session, dependent, vault, now=now)
    read = read_contact(contact)
    _refuse_anothers_insurance(session, dependent, read, typed=change.identity, vault=vault)
    if read.get("phone") not in (None, dependent.phone(vault)):
        _refuse_too_often(session, dependent, now=now)
        dependent.phone_changed_at = now
        end_agreement(session, dependent.id, AgreementEnd.OTHER_PHONE, now=now, way=AgreementWay.PHONE_CODE)
    write_contact(dependent, read, vault)
    session.flush()
    return dependent


def _require_consents(session: Session, dependent: Dependent, contact: Mapping[str, Any], *, now: datetime) -> None:
    """Raises: ConsentRequired."""
    told = {name for name, value in contact.items() if value is not None}
    refuse_more_of_handed_over(session, dependent, told - {"phone"})
    if GUARDIAN in told and dependent.guardian_dependent_id is None:  # the consent is theirs: it comes after them
        require_to_keep_identity(session, dependent.account_id)
        told = told - {GUARDIAN}
    if told - {"phone", HISTORY}:
        require_to_keep_of(session, dependent, on=hospital_day(now))
    if HISTORY in told:
        require_consent(session, dependent.account_id, Purpose.SERVICE)
        require_of_minor(session, dependent, on=hospital_day(now))
        require_consent(session, dependent.account_id, Purpose.HEALTH, dependent.id)


def _refuse_anothers_insurance(
    session: Session,
    dependent: Dependent,
    contact: Mapping[str, str | None],
    *,
    typed: Mapping[str, Any],
    vault: Vault,
) -> None:
    """Whichever of the two numbers was typed, beside the other one that stands. Raises: ValidationFailed."""
    is_typed = INSURANCE in contact
    number = contact[INSURANCE] if is_typed else dependent.insurance_number(vault)
    if number is None or not (is_typed or typed.keys() & {"id_type", "id_number"}):
        return
    identifier = session.get_one(PersonIdentifier, dependent.identifier_id)
    if contradicts(number, dependent.id_type, dependent.number(vault, identifier)):
        fault = (INSURANCE, "contradicts_id_number") if is_typed else ("id_number", "contradicts_insurance_number")
        raise ValidationFailed(FieldError(f"#/{fault[0]}", fault[1]))


def _refuse_too_often(session: Session, dependent: Dependent, *, now: datetime) -> None:
    """A phone is changed once in half a year (rules.md 1.1.3, 1.1.5). Raises: ChangeLimit."""
    if dependent.phone_changed_at is None:
        return
    again_at = dependent.phone_changed_at + timedelta(days=policies_for(session).phone_change_days or 0)
    if now < again_at:
        raise ChangeLimit(retry_at=again_at)


def _guardian(session: Session, ward: Dependent, guardian_id: UUID | None, *, now: datetime) -> UUID | None:
    """Raises: ValidationFailed, NotFound."""
    if guardian_id is None:
        return None
    standing = session.scalars(dependents_of(ward.account_id)).all()
    try:
        found = guardian_among(standing, guardian_id, ward_id=ward.id, born=ward.birth_date, on=hospital_day(now))
    except InputFault as fault:
        raise ValidationFailed(FieldError(f"#/{GUARDIAN}", fault.code)) from None
    return found.id


def read_contact(typed: Mapping[str, Any], fields: Fields | None = None) -> dict[str, str | None]:
    """The given fields in the form to store; faults go to `fields`, or are raised at once without it.

    Raises: ValidationFailed."""
    faults = fields or Fields()
    read = {
        name: None if typed[name] is None else faults.read(name, reader, typed[name])
        for name, reader in _READERS.items()
        if name in typed
    }
    if fields is None:
        faults.done()
    return read


def write_contact(dependent: Dependent, contact: Mapping[str, str | None], vault: Vault) -> None:
    """Seal what `read_contact` made of it; a phone is changed but never taken away."""
    phone = contact.get("phone")
    if phone is not None:
        dependent.seal_phone(vault, phone, masked=masked_phone(phone))
    if "address" in contact:
        dependent.seal_address(vault, contact["address"])
    if "region_code" in contact:
        dependent.region_code = contact["region_code"]
    if "email" in contact:
        dependent.seal_email(vault, contact["email"])
    if INSURANCE in contact:
        dependent.seal_insurance_number(vault, contact[INSURANCE])
    if HISTORY in contact:
        dependent.seal_history(vault, contact[HISTORY])


def read_address(typed: str) -> str:
    """NFC, without outer blanks. Raises: InputFault."""
    return read_text(typed, most=ADDRESS_MAX)


def read_history(typed: str) -> str:
    """As the patient wrote it, with its lines. Raises: InputFault."""
    return read_text(typed, most=HISTORY_MAX, lines=True)


def read_region(typed: str) -> str:
    """Raises: InputFault."""
    if not is_known_region(typed):
        raise InputFault("unknown_region")
    return typed


_READERS: Mapping[str, Callable[[str], str]] = {
    "phone": read_phone,
    "address": read_address,
    "region_code": read_region,
    "email": read_email,
    INSURANCE: read_insurance_number,
    HISTORY: read_history,
}
