"""The cards that hospitals gave a dependent (就诊卡): several of a hospital, one of them current (rules.md 1.5.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.dependents.documents.numbers import normal_number
from core.dependents.keeping import refuse_more_of_handed_over
from core.dependents.typed import InputFault
from core.identity.consents import require_to_keep_of
from core.identity.own import own_dependent
from core.locks import lock_account, lock_charges
from core.refusals import HospitalCardExists, HospitalCardLimit
from models.appointment import Appointment
from models.base import new_id
from models.charge import Charge
from models.errors import FieldError, NotFound, ValidationFailed
from models.hospital import Hospital
from models.hospital_card import CARD_HASH, HospitalCard
from models.person import Dependent
from models.sealing import Vault

CARDS_MAX = 20
"""Of one dependent, whatever hospital they are of."""
SHORTEST, LONGEST = 4, 64
"""An electronic health card, which hospitals take as a card, has 64 characters."""

_FORM = re.compile(r"[A-Z0-9](?:[A-Z0-9-]*[A-Z0-9])", re.ASCII)


@dataclass(frozen=True)
class CardView:
    """A card and whose hospital it is of."""

    card: HospitalCard
    hospital: Hospital


@dataclass(frozen=True)
class NewCard:
    """What was typed. `is_current`: from now on it stands for the others of its hospital."""

    hospital_id: UUID
    number: str = field(repr=False)
    is_current: bool = True


def cards_of(session: Session, dependent_ids: Iterable[UUID]) -> dict[UUID, list[CardView]]:
    """By dependent, the first one added first; for everybody who is asked about."""
    found: dict[UUID, list[CardView]] = {one: [] for one in dependent_ids}
    query = select(HospitalCard, Hospital).join(Hospital, Hospital.id == HospitalCard.hospital_id)
    query = query.where(HospitalCard.dependent_id.in_(list(found))).order_by(HospitalCard.id)
    for card, hospital in session.execute(query.execution_options(populate_existing=True)):
        found[card.dependent_id].append(CardView(card, hospital))
    return found


def list_cards(session: Session, *, account_id: UUID, dependent_id: UUID) -> list[CardView]:
    """Raises: NotFound."""
    dependent = own_dependent(session, account_id=account_id, dependent_id=dependent_id)
    return cards_of(session, [dependent.id])[dependent.id]


def add_card(
    session: Session, *, account_id: UUID, dependent_id: UUID, wanted: NewCard, vault: Vault, now: datetime
) -> CardView:
    """Keep the card. The first one of a hospital is its current one in any case.

    Raises: ValidationFailed, NotFound (no such dependent or hospital), ConsentRequired, HospitalCardExists,
    HospitalCardLimit."""
    number = _read(wanted.number)
    lock_account(session, account_id)
    dependent = own_dependent(session, account_id=account_id, dependent_id=dependent_id)
    require_to_keep_of(session, dependent, on=hospital_day(now))
    refuse_more_of_handed_over(session, dependent, {"number"})
    hospital = session.get(Hospital, wanted.hospital_id)
    if hospital is None:
        raise NotFound()
    _refuse_double(session, dependent.id, hospital.id, vault, number)
    of_dependent = select(func.count()).select_from(HospitalCard).where(HospitalCard.dependent_id == dependent.id)
    if (session.scalar(of_dependent) or 0) >= CARDS_MAX:
        raise HospitalCardLimit(limit=CARDS_MAX)
    card = HospitalCard(
        id=new_id(), dependent_id=dependent.id, hospital_id=hospital.id, is_current=False, created_at=now
    )
    card.seal_number(vault, number)
    others = _same_hospital(session, card)
    session.add(card)
    if wanted.is_current or not others:
        _put_first(session, card)
    session.flush()
    return CardView(card, hospital)


def make_current(session: Session, *, account_id: UUID, dependent_id: UUID, card_id: UUID) -> CardView:
    """From now on this card stands for the others of its hospital. Raises: NotFound."""
    card = _own_card(session, account_id=account_id, dependent_id=dependent_id, card_id=card_id)
    _put_first(session, card)
    session.flush()
    return CardView(card, session.get_one(Hospital, card.hospital_id))


def remove_card(session: Session, *, account_id: UUID, dependent_id: UUID, card_id: UUID) -> None:
    """Erase the card, also where an appointment names it. The newest of the others of its hospital becomes current.

    Raises: NotFound."""
    card = _own_card(session, account_id=account_id, dependent_id=dependent_id, card_id=card_id)
    others = [one for one in _same_hospital(session, card) if one.id != card.id]
    named = (Appointment.account_id == account_id) & (Appointment.visit_card_id == card.id)
    lock_charges(session, Charge.id.in_(select(Appointment.charge_id).where(named)))
    session.execute(update(Appointment).where(named).values(visit_card_id=None))
    was_current = card.is_current
    session.delete(card)
    session.flush()
    if was_current and others:
        _put_first(session, others[-1])
    session.flush()


def card_for_visit(session: Session, *, dependent: Dependent, hospital_id: UUID, card_id: UUID) -> HospitalCard:
    """The card that the patient says they will bring.

    Raises: NotFound where it is none of the account's, ValidationFailed where it is another patient's or hospital's."""
    of_account = select(Dependent.id).where(
        Dependent.account_id == dependent.account_id, Dependent.archived_at.is_(None)
    )
    query = select(HospitalCard).where(HospitalCard.id == card_id, HospitalCard.dependent_id.in_(of_account))
    card = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if card is None:
        raise NotFound()
    if (card.dependent_id, card.hospital_id) != (dependent.id, hospital_id):
        raise ValidationFailed(FieldError("#/visit_card_id", "not_for_this_visit"))
    return card


def current_card(session: Session, *, dependent_id: UUID, hospital_id: UUID) -> HospitalCard | None:
    """Of one hospital."""
    of_both = (HospitalCard.dependent_id == dependent_id) & (HospitalCard.hospital_id == hospital_id)
    query = select(HospitalCard).where(of_both, HospitalCard.is_current)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def _read(typed: str) -> str:
    """Raises: ValidationFailed."""
    try:
        return read_card_number(typed)
    except InputFault as fault:
        raise ValidationFailed(FieldError("#/number", fault.code)) from None


def read_card_number(typed: str) -> str:
    """Letters, digits, and hyphens between them; blanks dropped, letters upper-case.

    Raises: InputFault with `empty`, `bad_length` or `bad_charset`."""
    number = normal_number(typed)
    if not number:
        raise InputFault("empty")
    if not SHORTEST <= len(number) <= LONGEST:
        raise InputFault("bad_length")
    if _FORM.fullmatch(number) is None:
        raise InputFault("bad_charset")
    return number


def _refuse_double(session: Session, dependent_id: UUID, hospital_id: UUID, vault: Vault, number: str) -> None:
    """Raises: HospitalCardExists."""
    digests = vault.keyed_hashes(CARD_HASH, number)
    is_this = or_(
        *((HospitalCard.number_hash_key == one.key_id) & (HospitalCard.number_hash == one.digest) for one in digests)
    )
    of_both = (HospitalCard.dependent_id == dependent_id) & (HospitalCard.hospital_id == hospital_id)
    known = session.scalar(select(HospitalCard.id).where(of_both, is_this))
    if known is not None:
        raise HospitalCardExists(card_id=str(known))


def _own_card(session: Session, *, account_id: UUID, dependent_id: UUID, card_id: UUID) -> HospitalCard:
    """With the account locked, so that no two change the cards of one dependent at once. Raises: NotFound."""
    lock_account(session, account_id)
    own_dependent(session, account_id=account_id, dependent_id=dependent_id)
    query = select(HospitalCard).where(HospitalCard.id == card_id, HospitalCard.dependent_id == dependent_id)
    card = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if card is None:
        raise NotFound()
    return card


def _same_hospital(session: Session, card: HospitalCard) -> Sequence[HospitalCard]:
    """In the order in which they came."""
    of_both = (HospitalCard.dependent_id == card.dependent_id) & (HospitalCard.hospital_id == card.hospital_id)
    return session.scalars(select(HospitalCard).where(of_both).order_by(HospitalCard.id)).all()


def _put_first(session: Session, card: HospitalCard) -> None:
    """Never two at a time: the one before goes first."""
    of_both = (HospitalCard.dependent_id == card.dependent_id) & (HospitalCard.hospital_id == card.hospital_id)
    session.execute(update(HospitalCard).where(of_both, HospitalCard.is_current).values(is_current=False))
    card.is_current = True
