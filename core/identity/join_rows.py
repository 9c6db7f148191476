"""What a join carries from one account to the other, and how undoing gives it back.

Both accounts are locked by the caller. Then, in the order of the house: dependents (with their checks) → charges, under
which appointments and payments hold still → the rest. Identities go after the charges: whoever opens a payment holds
them in that order.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select, true, update
from sqlalchemy.orm import Session, aliased

from core.identity.join_cards import CARDS, CURRENT_CARDS, carry_cards, return_cards
from core.identity.join_proofs import return_phone, return_proofs
from core.identity.join_twins import archive_twins, choose_default, defaults_of, lead_back, restore_twins
from core.locks import lock_appointments, lock_charges, lock_dependents_of
from models.account import Account, Consent, LoginSession, PlatformIdentity
from models.account_join import AccountJoin
from models.agreement import Agreement
from models.appointment import Appointment
from models.base import Base, table_of
from models.booking_signal import BookingSignal
from models.charge import Charge
from models.grant import Grant
from models.idempotency import IdempotencyKey
from models.identity_check import IdentityCheck
from models.notice import Notice
from models.payment import Payment
from models.person import Dependent
from models.sealing import Vault
from models.waitlist import WaitlistEntry

CARRIED: tuple[type[Base], ...] = (
    Dependent,
    IdentityCheck,
    Consent,
    Agreement,
    BookingSignal,
    Charge,
    Appointment,
    Payment,
    Notice,
    WaitlistEntry,
    Grant,
    PlatformIdentity,
    LoginSession,
    IdempotencyKey,
)
"""Everything that hangs on an account. A consent comes along only with the dependent that it names; of the others,
those said since go back with whoever said them. A grant is carried with its holder; what it is about is a dependent."""

ARCHIVED, DEFAULTS = "archived", "defaults"


def carry(session: Session, *, kept: Account, emptied: Account, now: datetime) -> dict[str, list[str]]:
    """Move everything to the account that is kept; what was moved, by table, and which dependents were archived."""
    dependents = lock_dependents_of(session, [kept.id, emptied.id])
    lock_charges(session, Charge.account_id == emptied.id)
    # One by one: the job that follows a waitlist entry takes several of them without their charges.
    lock_appointments(session, session.scalars(select(Appointment.id).where(Appointment.account_id == emptied.id)))
    defaults = defaults_of(dependents, kept_id=kept.id)
    archived = archive_twins(session, dependents, kept_id=kept.id, now=now)
    emptied.joined_into_id = kept.id
    session.flush()
    cards = carry_cards(session, archived)
    carried = {
        record.__tablename__: _move(session, record, of=emptied.id, to=kept.id, where=_comes_along(record, kept.id))
        for record in CARRIED
    }
    session.expire_all()
    choose_default(session, kept.id, first=defaults)
    beside = {ARCHIVED: archived, DEFAULTS: defaults} | cards
    return carried | {name: _text(ids) for name, ids in beside.items()}


def _comes_along(record: type[Base], kept_id: UUID) -> ColumnElement[bool]:
    if record is Consent:
        return Consent.dependent_id.is_not(None)
    if record is IdempotencyKey:  # the same key of both: each stays where it was used
        twin = aliased(IdempotencyKey)
        return IdempotencyKey.key.not_in(select(twin.key).where(twin.account_id == kept_id))
    return true()


def give_back(session: Session, join: AccountJoin, *, kept: Account, emptied: Account, vault: Vault) -> bool:
    """Return what came, and whatever hangs on a returned dependent or identity since. Whether the phone went too."""
    came = _Came(join.carried or {})
    dependents = came.ids(Dependent)
    lock_dependents_of(session, [kept.id])
    appointments = list(session.scalars(select(Appointment.id).where(Appointment.dependent_id.in_(dependents))))
    named = Appointment.visit_card_id.in_(came.named(CARDS))  # also of those that stay: they lose the card
    lock_charges(session, Charge.id.in_(select(Appointment.charge_id).where(Appointment.id.in_(appointments) | named)))
    lock_appointments(session, appointments)
    charges = list(session.scalars(select(Appointment.charge_id).where(Appointment.id.in_(appointments))))
    identities = _with_descendants(session, came.ids(PlatformIdentity))
    returning: dict[type[Base], ColumnElement[bool]] = {
        Dependent: Dependent.id.in_(dependents),
        IdentityCheck: IdentityCheck.dependent_id.in_(dependents),
        Consent: Consent.dependent_id.in_(dependents)
        | (Consent.dependent_id.is_(None) & Consent.given_by_id.in_(identities)),
        Agreement: Agreement.dependent_id.in_(dependents),
        BookingSignal: BookingSignal.id.in_(came.ids(BookingSignal)),
        Charge: Charge.id.in_(charges),
        Appointment: Appointment.id.in_(appointments),
        Payment: Payment.charge_id.in_(charges),
        Notice: Notice.appointment_id.in_(appointments)
        | Notice.dependent_id.in_(dependents)
        | Notice.id.in_(came.ids(Notice)),
        WaitlistEntry: WaitlistEntry.id.in_(came.ids(WaitlistEntry)),
        Grant: Grant.accepted_by_id.in_(identities),
        PlatformIdentity: PlatformIdentity.id.in_(identities),
        LoginSession: LoginSession.platform_identity_id.in_(identities),
        IdempotencyKey: IdempotencyKey.id.in_(came.ids(IdempotencyKey)),
    }
    emptied.joined_into_id = None
    _forget_defaults(session, kept.id)
    for record in CARRIED:
        _move(session, record, of=kept.id, to=emptied.id, where=returning[record])
    session.expire_all()
    archived = came.named(ARCHIVED)
    lead_back(session, archived)
    return_cards(session, archived, came.named(CARDS), came.named(CURRENT_CARDS))
    return_proofs(session, archived)
    restore_twins(session, archived)
    _part_from_guardians(session, kept.id, emptied.id)
    for account_id in (kept.id, emptied.id):
        choose_default(session, account_id, first=came.named(DEFAULTS))
    return return_phone(kept, emptied, identities, vault)


class _Came:
    """The ids that a join has written down."""

    def __init__(self, carried: dict[str, list[str]]) -> None:
        self._carried = carried

    def named(self, name: str) -> list[UUID]:
        return [UUID(one) for one in self._carried.get(name, [])]

    def ids(self, record: type[Base]) -> list[UUID]:
        return self.named(record.__tablename__)


def _with_descendants(session: Session, identities: Iterable[UUID]) -> list[UUID]:
    """With those that were first seen at a login of one of them: they are the same person's."""
    found, newest = set(identities), set(identities)
    while newest:
        query = select(PlatformIdentity.id).where(PlatformIdentity.found_by_id.in_(newest))
        newest = set(session.scalars(query)) - found
        found |= newest
    return sorted(found)


def _move(session: Session, record: type[Base], *, of: UUID, to: UUID, where: ColumnElement[bool]) -> list[str]:
    table = table_of(record)
    moving = update(table).where(table.c.account_id == of, where).values(account_id=to).returning(table.c.id)
    return _text(sorted(session.scalars(moving)))


def _part_from_guardians(session: Session, *account_ids: UUID) -> None:
    """A guardian named meanwhile may be the other account's now, or gone: a minor is asked about anew then."""
    session.flush()
    ward, guardian = table_of(Dependent), table_of(Dependent).alias()
    stays = select(guardian.c.id).where(
        guardian.c.account_id == ward.c.account_id, guardian.c.archived_at.is_(None) | ward.c.archived_at.is_not(None)
    )
    parted = ward.c.guardian_dependent_id.not_in(stays) & ward.c.account_id.in_(account_ids)
    session.execute(update(ward).where(parted).values(guardian_dependent_id=None))


def _forget_defaults(session: Session, account_id: UUID) -> None:
    """Before anything moves: neither of the two may have two for a moment."""
    table = table_of(Dependent)
    session.flush()
    session.execute(update(table).where(table.c.account_id == account_id).values(is_default=False))


def _text(ids: Iterable[UUID]) -> list[str]:
    return [str(one) for one in ids]
