"""A grown-up agrees by a code that was sent to their own phone, and that they hand on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core.clock import hospital_day
from core.dependents.agreement_words import VERSION
from core.dependents.agreements import note_agreement, refuse_unless_asked_right
from core.dependents.own_phones import own_phones
from core.identity.code_limits import CodeLimits
from core.identity.consents import require_to_keep_identity
from core.identity.own import own_dependent
from core.identity.phone_codes import Asker, CodeIntent, ask_for_code, try_code, use_code
from core.locks import lock_account, lock_dependent
from core.refusals import OwnPhone, PhoneNotProven
from core.workbench import Workbench
from models.agreement import AgreementWay
from models.errors import FieldError, ValidationFailed
from models.person import Dependent
from models.phone_code import CodePurpose
from models.sealing import Vault


@dataclass(frozen=True)
class Saying:
    """Who says that which dependent agrees, to which version of the text. The caller's phone is of no account here."""

    caller: Asker
    dependent_id: UUID
    version: str = VERSION


def ask_to_agree(workbench: Workbench, saying: Saying, *, limits: CodeLimits) -> CodeIntent:
    """Send a code to the dependent's phone.

    Raises: NotFound, OwnPhone, and what `ask_for_code` raises."""
    asker = workbench.transactions.read(lambda session, now: _about(session, saying, workbench.vault, now=now))
    try:
        return ask_for_code(workbench, asker, limits=limits)
    except ValidationFailed as refused:  # about the phone, which stands nowhere in this request
        raise ValidationFailed(*(FieldError("#/way", fault.code) for fault in refused.errors)) from refused


def try_to_agree(session: Session, saying: Saying, *, otp: str, vault: Vault, now: datetime) -> UUID | None:
    """Use up one try, to be committed before anything is answered.

    Raises: NotFound, OwnPhone, ValidationFailed, ConsentRequired, TooMany."""
    return try_code(session, asker=_about(session, saying, vault, now=now), guess=otp, vault=vault, now=now)


def agree_by_code(session: Session, saying: Saying, *, code_id: UUID | None, vault: Vault, now: datetime) -> Dependent:
    """Use the code up and write the agreement down; `code_id` as `try_to_agree` gave it.

    Raises: NotFound, ConsentRequired, OwnPhone, ValidationFailed, PhoneNotProven."""
    lock_account(session, saying.caller.account_id)
    require_to_keep_identity(session, saying.caller.account_id)
    asker = _about(session, saying, vault, now=now)
    dependent = lock_dependent(session, saying.dependent_id)
    if code_id is None or not use_code(session, asker=asker, code_id=code_id, vault=vault, now=now):
        raise PhoneNotProven()
    note_agreement(session, dependent, AgreementWay.PHONE_CODE, now=now)
    return dependent


def _about(session: Session, saying: Saying, vault: Vault, *, now: datetime) -> Asker:
    """The caller, about this dependent's phone as it stands now. Raises: NotFound, OwnPhone, ValidationFailed."""
    account_id = saying.caller.account_id
    dependent = own_dependent(session, account_id=account_id, dependent_id=saying.dependent_id)
    refuse_unless_asked_right(dependent, saying.version, on=hospital_day(now))
    phone = dependent.phone(vault)
    _refuse_own(session, account_id, phone, vault)
    return replace(saying.caller, phone=phone, purpose=CodePurpose.AGREEMENT, about=dependent.id)


def _refuse_own(session: Session, account_id: UUID, phone: str, vault: Vault) -> None:
    """Whoever books cannot agree in another's place, nor where nothing says which phone is theirs: with nobody named as
    oneself and no phone proven it might be this one. Raises: OwnPhone."""
    own = own_phones(session, account_id, vault)
    if not own or phone in own:
        raise OwnPhone()
