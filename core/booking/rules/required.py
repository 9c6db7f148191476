"""What a hospital must know of a patient before it gives them a number, and the card that they bring."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from core.booking.terms import Terms
from core.dependents.cards import card_for_visit, current_card
from models.hospital_card import HospitalCard
from models.person import Dependent
from models.policy import RequiredField
from models.schedule import Schedule


def missing_fields(terms: Terms, dependent: Dependent, card: HospitalCard | None) -> list[str]:
    """Those that the schedule asks for and that nobody has filled in, in the order in which it names them."""
    known = {
        RequiredField.ADDRESS: dependent.address_sealed,
        RequiredField.EMAIL: dependent.email_sealed,
        RequiredField.INSURANCE_NUMBER: dependent.insurance_number_sealed,
        RequiredField.HOSPITAL_CARD: card,
    }
    return [name for name in terms.required_fields if known[RequiredField(name)] is None]


def card_to_bring(
    session: Session, *, schedule: Schedule, terms: Terms, dependent: Dependent, named: UUID | None
) -> HospitalCard | None:
    """The card that was named; without one the current one of the hospital, but only where it wants one: nothing is
    read otherwise. Raises: NotFound, ValidationFailed."""
    if named is not None:
        return card_for_visit(session, dependent=dependent, hospital_id=schedule.hospital_id, card_id=named)
    if RequiredField.HOSPITAL_CARD in terms.required_fields:
        return current_card(session, dependent_id=dependent.id, hospital_id=schedule.hospital_id)
    return None
