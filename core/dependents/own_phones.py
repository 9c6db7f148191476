"""Whose word a code to a phone is: to a phone of whoever books, it is nobody else's (decision 0028)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.identity.own import dependents_of
from models.account import Account
from models.agreement import Agreement, AgreementEnd, AgreementWay
from models.person import Dependent, Relationship
from models.sealing import Vault


def own_phones(session: Session, account_id: UUID, vault: Vault) -> set[str]:
    """What was typed for oneself, and what the account has proven, or one that was joined into it."""
    oneself = dependents_of(account_id).where(Dependent.relationship_ == Relationship.SELF)
    accounts = select(Account).where((Account.id == account_id) | (Account.joined_into_id == account_id))
    proven = {one.phone(vault) for one in session.scalars(accounts)}
    return {one.phone(vault) for one in session.scalars(oneself)} | {phone for phone in proven if phone is not None}


def end_said_by_own_phone(session: Session, account_id: UUID, vault: Vault, *, now: datetime) -> None:
    """What a code to a phone said that has become one's own, of archived dependents too: they may come back. The caller
    holds the account's lock."""
    own = own_phones(session, account_id, vault)
    said = select(Agreement, Dependent).join(Dependent, Dependent.id == Agreement.dependent_id)
    standing = said.where(Dependent.account_id == account_id, Agreement.ended_at.is_(None))
    for agreement, dependent in session.execute(standing.execution_options(populate_existing=True)).all():
        if agreement.way is AgreementWay.PHONE_CODE and dependent.phone(vault) in own:
            agreement.end(AgreementEnd.OWN_PHONE, at=now)
    session.flush()
