"""A phone proven by a code that was sent to it, the way beside the two wallets'.

The code's row is committed before the platform is called, and what the platform said is written after it: a code that
nobody has a row for can never arrive. Sending cannot be asked about later, so an answer that never came leaves the code
good, and nothing sends it again.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.orm import Session

from core.dependents.phones import read_phone
from core.dependents.typed import InputFault
from core.identity.code_limits import Asked, CodeLimits, pass_gate, require_room, warn_of_spending
from core.identity.consents import require_consent, require_to_keep_identity
from core.identity.own import require_own_login
from core.identity.phone import keep_phone
from core.locks import lock_account
from core.ports import NumberRefused, ProviderRefused, ProviderUnavailable, SmsGateway, TextKind
from core.refusals import PhoneNotProven, ProviderDown
from core.workbench import Workbench
from models.account import PHONE_HASH, Account, Purpose
from models.base import new_id
from models.errors import FieldError, TooMany, ValidationFailed
from models.phone_code import CodePurpose, GateKind, PhoneCode, Sending, code_fits
from models.sealing import Vault
from models.states import Cause

CODE_LIFE = timedelta(minutes=5)
TRIES = 5
_DIGITS = 6
_MAINLAND = "+86"
_KINDS: Mapping[CodePurpose, TextKind] = {
    CodePurpose.ACCOUNT_PHONE: TextKind.CODE,
    CodePurpose.IDENTITY_CHECK: TextKind.CODE,
    CodePurpose.AGREEMENT: TextKind.AGREEMENT,
}
"""The text in which a code of each purpose is sent."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Asker:
    """Who asks for a code or has one, logged in how, for which phone (E.164). `net` is the network of the asker,
    `about` the dependent or the check that the code is about, if any."""

    account_id: UUID
    identity_id: UUID
    login_id: UUID
    phone: str = field(repr=False)
    net: str = field(default="", repr=False)
    purpose: CodePurpose = CodePurpose.ACCOUNT_PHONE
    about: UUID | None = None


@dataclass(frozen=True)
class CodeIntent:
    """A code that is to be sent. `again_at` is when another one may be asked for, `kind` the text that carries it."""

    code_id: UUID
    expires_at: datetime
    again_at: datetime
    gone_today: int
    kind: TextKind
    phone: str = field(repr=False)
    code: str = field(repr=False)


@dataclass(frozen=True)
class Outcome:
    """What came of sending; `number` is the platform's own of the message."""

    sending: Sending
    provider: str | None = None
    number: str | None = None


def read_own_phone(typed: str) -> str:
    """The number in E.164. Raises: ValidationFailed."""
    try:
        return read_phone(typed)
    except InputFault as fault:
        raise ValidationFailed(FieldError("#/phone", fault.code)) from None


def ask_for_code(workbench: Workbench, asker: Asker, *, limits: CodeLimits) -> CodeIntent:
    """Make a code and send it, the same way whoever the number may belong to.

    Raises: ValidationFailed (no messages here, or none to this country), ConsentRequired, TooMany, ProviderDown,
    Unauthenticated, Overloaded, OutcomeUnknown."""
    gateways = workbench.adapters.sms_gateways()
    if not gateways:
        raise ValidationFailed(FieldError("#/phone", "not_configured"))
    if not asker.phone.startswith(_MAINLAND):  # dear, and what those who are paid for calls abroad would ask for
        raise ValidationFailed(FieldError("#/phone", "mainland_only"))
    transactions, vault = workbench.transactions, workbench.vault
    intent = transactions.write(
        lambda session, now: prepare_code(session, asker=asker, limits=limits, vault=vault, now=now)
    )
    warn_of_spending(intent.gone_today, limits=limits)
    outcome = send_code(gateways, intent)
    transactions.write(lambda session, now: note_outcome(session, code_id=intent.code_id, outcome=outcome, now=now))
    if outcome.sending is Sending.FAILED:
        raise ProviderDown()
    return intent


def prepare_code(session: Session, *, asker: Asker, limits: CodeLimits, vault: Vault, now: datetime) -> CodeIntent:
    """Write the code down before it is sent; an older one for the same phone ends.

    Raises: ConsentRequired, TooMany, NotFound, Unauthenticated, Overloaded."""
    lock_account(session, asker.account_id)
    _require_consents(session, asker)
    asked = Asked(PhoneCode.account_id == asker.account_id, asker.phone, asker.net)
    gone = require_room(session, asked, limits=limits, vault=vault, now=now)
    session.execute(update(PhoneCode).where(_standing(asker, vault)).values(ended_at=now))
    code = f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}}"
    row = PhoneCode(
        id=new_id(),
        account_id=asker.account_id,
        login_id=asker.login_id,
        purpose=asker.purpose,
        created_at=now,
        expires_at=now + CODE_LIFE,
        tries=0,
        sending=Sending.STARTED,
        about_id=asker.about,
    )
    row.hash_all(vault, phone=asker.phone, net=asker.net, code=code)
    session.add(row)
    session.flush()
    require_own_login(session, login_id=asker.login_id, account_id=asker.account_id)
    return CodeIntent(row.id, row.expires_at, limits.again_at(now=now), gone, _KINDS[asker.purpose], asker.phone, code)


def send_code(gateways: Sequence[SmsGateway], intent: CodeIntent) -> Outcome:
    """Have the first of them send it that can: outside any transaction, and not again once it may be on its way."""
    for gateway in gateways:
        about = {"phone_code": str(intent.code_id), "provider": gateway.provider}
        try:
            number = gateway.send_code(phone=intent.phone, code=intent.code, kind=intent.kind)
        except NumberRefused as refusal:
            log.info("sms_number_refused", platform_code=refusal.code, **about)
            return Outcome(Sending.REFUSED, gateway.provider)
        except ProviderRefused as refusal:  # about our own account at the platform: somebody must see to it
            log.error("sms_platform_refused", platform_code=refusal.code, alarm=True, **about)
        except ProviderUnavailable as error:
            log.warning("sms_platform_unavailable", reason=str(error), sent=error.sent, **about)
            if error.sent:
                return Outcome(Sending.UNKNOWN, gateway.provider)
        else:
            return Outcome(Sending.SENT, gateway.provider, number or None)
    return Outcome(Sending.FAILED)


def note_outcome(session: Session, *, code_id: UUID, outcome: Outcome, now: datetime) -> None:
    """Write down what became of the message. A code that reached nobody ends."""
    told: dict[str, Any] = {"sending": outcome.sending, "provider": outcome.provider}
    told["provider_number"] = outcome.number
    if outcome.sending in (Sending.REFUSED, Sending.FAILED):
        told["ended_at"] = func.coalesce(PhoneCode.ended_at, now)
    session.execute(update(PhoneCode).where(PhoneCode.id == code_id).values(told))


def try_code(session: Session, *, asker: Asker, guess: str, vault: Vault, now: datetime) -> UUID | None:
    """Use up one try, and tell which code the guess fits. To be committed before anything is answered.

    A code that is wrong, over, of another login or not there at all takes the same statements and gives None. The gate
    makes tries of one account wait for one another. Raises: ConsentRequired, TooMany where this code's tries are gone.
    """
    _require_consents(session, asker)
    pass_gate(session, GateKind.ACCOUNT, str(asker.account_id), vault=vault, now=now)
    live = and_(_good(asker, vault, now=now), PhoneCode.login_id == asker.login_id)
    spent_until = session.scalar(select(PhoneCode.expires_at).where(live, PhoneCode.tries >= TRIES))
    taken = session.execute(
        update(PhoneCode)
        .where(live, PhoneCode.tries < TRIES)
        .values(tries=PhoneCode.tries + 1)
        .returning(PhoneCode.id, PhoneCode.code_hash)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if spent_until is not None:
        raise TooMany(retry_at=spent_until)
    code_id, code_hash = taken or (new_id(), bytes(16))
    return code_id if code_fits(vault, code_id=code_id, code_hash=bytes(code_hash), guess=guess) else None


def prove_by_code(
    session: Session, *, asker: Asker, code_id: UUID, vault: Vault, now: datetime, cause: Cause
) -> Account:
    """Use the code up and keep the phone that it proves. Raises: PhoneNotProven, NotFound, Overloaded."""
    lock_account(session, asker.account_id)
    if not use_code(session, asker=asker, code_id=code_id, vault=vault, now=now):
        raise PhoneNotProven()
    return keep_phone(
        session,
        account_id=asker.account_id,
        identity_id=asker.identity_id,
        phone=asker.phone,
        vault=vault,
        now=now,
        cause=cause,
    )


def use_code(session: Session, *, asker: Asker, code_id: UUID, vault: Vault, now: datetime) -> bool:
    """Whether the code was still good; it is no longer. The caller holds the account's lock."""
    used = session.scalars(
        update(PhoneCode)
        .where(PhoneCode.id == code_id, _good(asker, vault, now=now))
        .values(used_at=now, ended_at=now)
        .returning(PhoneCode.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    return used is not None


def _require_consents(session: Session, asker: Asker) -> None:
    """The account's own phone is its own matter; any other code asks about somebody. Raises: ConsentRequired."""
    if asker.purpose is CodePurpose.ACCOUNT_PHONE:
        require_consent(session, asker.account_id, Purpose.SERVICE)
    else:
        require_to_keep_identity(session, asker.account_id)


def _good(asker: Asker, vault: Vault, *, now: datetime) -> ColumnElement[bool]:
    """The asker's code, while it lasts. Of two dependents with one phone each has a code of their own."""
    about = PhoneCode.about_id.is_not_distinct_from(asker.about)
    return and_(_standing(asker, vault), about, PhoneCode.expires_at > now)


def _standing(asker: Asker, vault: Vault) -> ColumnElement[bool]:
    """The account's codes for this phone and purpose that have not ended; one at most."""
    phones = [known.digest for known in vault.keyed_hashes(PHONE_HASH, asker.phone)]
    return and_(
        PhoneCode.account_id == asker.account_id,
        PhoneCode.purpose == asker.purpose,
        PhoneCode.phone_hash.in_(phones),
        PhoneCode.ended_at.is_(None),
    )
