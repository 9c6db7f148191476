"""A code sent to the dependent's own phone: whoever completes the check holds it, or knows who does.

That proves a phone and nobody's name: the check passes with the level that the dependent has by a match, else 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.identity.code_limits import CodeLimits
from core.identity.outcomes import fail_check, pass_phone
from core.identity.own import own_check
from core.identity.phone_codes import Asker, CodeIntent, Outcome, note_outcome, prepare_code, try_code, use_code
from core.locks import lock_account, lock_dependent, lock_identity_check
from core.refusals import PhoneNotProven
from models.errors import FieldError, ValidationFailed
from models.identity_check import IdentityCheck, IdentityMethod
from models.person import Dependent
from models.phone_code import CodePurpose, Sending
from models.sealing import ERASED, Vault
from models.states import Cause

NOT_SENT, REPLACED = "not_sent", "replaced"


@dataclass(frozen=True)
class Codes:
    """Who asks for a code, and how many there may be. The caller's own phone is of no account here."""

    caller: Asker
    limits: CodeLimits


def prepare(
    session: Session, check: IdentityCheck, dependent: Dependent, codes: Codes, vault: Vault, *, now: datetime
) -> CodeIntent:
    """The check's code, written down before it is sent.

    Raises: ConsentRequired, TooMany, Unauthenticated, Overloaded."""
    asker = _about(codes.caller, check, dependent, vault)
    intent = prepare_code(session, asker=asker, limits=codes.limits, vault=vault, now=now)
    check.expires_at = intent.expires_at
    return intent


def note_sent(
    session: Session,
    check: IdentityCheck,
    dependent: Dependent,
    code_id: UUID,
    outcome: Outcome,
    *,
    now: datetime,
    cause: Cause,
) -> None:
    """What became of the message. A number that is refused is answered like any other."""
    note_outcome(session, code_id=code_id, outcome=outcome, now=now)
    if outcome.sending is Sending.FAILED:
        fail_check(session, check, dependent, reason=NOT_SENT, now=now, cause=cause)


def try_check(
    session: Session, *, caller: Asker, check_id: UUID, guess: str, vault: Vault, now: datetime
) -> UUID | None:
    """Use up one try, to be committed before anything is answered; the code that the guess fits.

    Raises: NotFound, ValidationFailed (no such check waits for a code), PhoneNotProven, ConsentRequired, TooMany."""
    check = own_check(session, account_id=caller.account_id, check_id=check_id)
    if check.method is not IdentityMethod.PHONE_OTP:
        raise ValidationFailed(FieldError("#/otp", "not_allowed"))
    dependent = session.get_one(Dependent, check.dependent_id)
    asker = _about(caller, check, dependent, vault)
    return try_code(session, asker=asker, guess=guess, vault=vault, now=now)


def pass_by_code(
    session: Session, *, caller: Asker, check_id: UUID, code_id: UUID, vault: Vault, now: datetime, cause: Cause
) -> IdentityCheck:
    """Use the code up. Raises: NotFound, PhoneNotProven."""
    lock_account(session, caller.account_id)
    found = own_check(session, account_id=caller.account_id, check_id=check_id)
    dependent, check = lock_dependent(session, found.dependent_id), lock_identity_check(session, check_id)
    asker = _about(caller, check, dependent, vault)
    if not use_code(session, asker=asker, code_id=code_id, vault=vault, now=now):
        raise PhoneNotProven()
    pass_phone(session, check, dependent, now=now, cause=cause)
    return check


def _about(caller: Asker, check: IdentityCheck, dependent: Dependent, vault: Vault) -> Asker:
    """The caller, about this check and the dependent's phone as it stands now.

    Raises: PhoneNotProven where the check is over, or the phone went with a dependent that was just removed."""
    if not check.is_pending or dependent.phone_sealed == ERASED:
        raise PhoneNotProven()
    return replace(caller, phone=dependent.phone(vault), purpose=CodePurpose.IDENTITY_CHECK, about=check.id)
