"""The phone of an account: proven by the platform that its holder is logged in at, never typed.

Several accounts may have proven one number: that is what joining is for (`core/identity/join.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from core.dependents.own_phones import end_said_by_own_phone
from core.dependents.phones import masked_phone, read_phone
from core.dependents.typed import InputFault
from core.identity.consents import require_consent
from core.identity.join import PHONE_CHANGED, withdraw_asks
from core.locks import lock_account
from core.ports import PhoneProver, PhoneRefused, ProviderError, ProviderRefused
from core.refusals import PhoneNotProven, ProviderDown
from models.account import Account, PlatformIdentity, Purpose
from models.errors import FieldError, ValidationFailed
from models.sealing import Vault
from models.states import Cause

log = structlog.get_logger()


def about_to_prove(session: Session, *, account_id: UUID, identity_id: UUID, vault: Vault) -> str:
    """The platform's id of who is logged in, for the question to come. Raises: ConsentRequired."""
    require_consent(session, account_id, Purpose.SERVICE)
    return session.get_one(PlatformIdentity, identity_id).subject(vault)


def ask_phone(prover: PhoneProver, proof: Mapping[str, str], *, user: str) -> str:
    """The number that the platform vouches for, in E.164. Calls the platform, so never inside a transaction.

    Raises: ValidationFailed (not what this platform's proof consists of), PhoneNotProven, ProviderDown."""
    _refuse_ill_formed(proof, takes=prover.takes)
    try:
        return read_phone(prover.read_phone(proof, user=user))
    except (PhoneRefused, InputFault) as refusal:
        raise PhoneNotProven() from refusal
    except ProviderError as error:
        if isinstance(error, ProviderRefused):  # about our own account at the platform: operators must see it
            log.error("phone_platform_refused", provider=prover.provider, app=prover.app, platform_code=error.code)
        raise ProviderDown() from error


def keep_phone(
    session: Session, *, account_id: UUID, identity_id: UUID, phone: str, vault: Vault, now: datetime, cause: Cause
) -> Account:
    """Seal the proven number (E.164) on the account. An older number gives way, and with it every ask to join that it
    stood behind. What a code to the new one had others agree to ends: it is nobody else's word any more.

    Raises: NotFound, Overloaded."""
    account = lock_account(session, account_id)
    if account.phone(vault) not in (None, phone):
        withdraw_asks(session, account_id, why=PHONE_CHANGED, now=now, cause=cause)
    account.seal_phone(vault, phone, masked=masked_phone(phone), proven_at=now, proven_by=identity_id)
    session.flush()
    end_said_by_own_phone(session, account_id, vault, now=now)
    return account


def _refuse_ill_formed(proof: Mapping[str, str], *, takes: frozenset[str]) -> None:
    faults = [FieldError(f"#/{name}", "missing") for name in sorted(takes - proof.keys())]
    faults += [FieldError(f"#/{name}", "not_allowed") for name in sorted(proof.keys() - takes)]
    if faults:
        raise ValidationFailed(*faults)
