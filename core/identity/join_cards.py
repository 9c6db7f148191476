"""The cards of hospitals of whom both accounts had: at a join they come to the dependent that stays, so that they are
shown and can be brought, and go back when the join is undone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from models.appointment import Appointment
from models.hospital_card import HospitalCard
from models.person import Dependent

CARDS, CURRENT_CARDS = "cards", "current_cards"


def carry_cards(session: Session, archived: Collection[UUID]) -> dict[str, list[UUID]]:
    """Which were moved, and which of them were current before. What the one that stays has too is not moved, and its
    own current card stays the current one. Both accounts are locked."""
    moved: dict[str, list[UUID]] = {CARDS: [], CURRENT_CARDS: []}
    for twin in _twins(session, archived):
        held = _cards(session, HospitalCard.dependent_id == twin.merged_into_id)
        known = {(one.hospital_id, one.number_hash_key, one.number_hash) for one in held}
        led = {one.hospital_id for one in held if one.is_current}
        for card in _cards(session, HospitalCard.dependent_id == twin.id):
            if (card.hospital_id, card.number_hash_key, card.number_hash) in known:
                continue
            moved[CARDS].append(card.id)
            if card.is_current:
                moved[CURRENT_CARDS].append(card.id)
            card.is_current = card.is_current and card.hospital_id not in led
            card.dependent_id = twin.merged_into_id  # type: ignore[assignment]  # it has one
        session.flush()
    return moved


def return_cards(
    session: Session, archived: Collection[UUID], moved: Collection[UUID], current: Collection[UUID]
) -> None:
    """To the archived ones, which still point at who stood for them. A number that was booked for those with such a
    card goes on without it. The caller holds the charges of these."""
    for twin in _twins(session, archived):
        stood = twin.merged_into_id
        back = _cards(session, HospitalCard.dependent_id == stood, HospitalCard.id.in_(moved))
        for card in back:
            card.dependent_id, card.is_current = twin.id, card.id in current
        session.flush()
        named = Appointment.visit_card_id.in_([one.id for one in back])
        session.execute(update(Appointment).where(named, Appointment.dependent_id == stood).values(visit_card_id=None))
        for dependent_id in (twin.id, stood):
            _choose_current(_cards(session, HospitalCard.dependent_id == dependent_id))
        session.flush()


def _choose_current(cards: Sequence[HospitalCard]) -> None:
    """The newest of a hospital where none is, as when one is removed."""
    newest = {card.hospital_id: card for card in cards}
    for hospital_id in newest.keys() - {card.hospital_id for card in cards if card.is_current}:
        newest[hospital_id].is_current = True


def _twins(session: Session, archived: Collection[UUID]) -> Sequence[Dependent]:
    merged = select(Dependent).where(Dependent.id.in_(archived), Dependent.merged_into_id.is_not(None))
    return session.scalars(merged.order_by(Dependent.id)).all()


def _cards(session: Session, *which: ColumnElement[bool]) -> Sequence[HospitalCard]:
    """In the order in which they came."""
    return session.scalars(select(HospitalCard).where(*which).order_by(HospitalCard.id)).all()
