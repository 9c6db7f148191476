"""Log in by what a platform says of its user, and the login sessions that come of it."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.identity.consents import consents_due
from core.identity.join import join_by_union_id
from core.keys.in_use import hashing_key
from core.locks import lock_accounts
from core.ports import LoginPlatform, LoginRefused, PlatformUser, ProviderError, ProviderRefused
from core.refusals import LoginFailed, ProviderDown
from core.transactions import Changed, may_run_again
from models.account import Account, IdKind, LoginSession, PlatformIdentity, Provider, Purpose
from models.base import new_id
from models.errors import DomainError
from models.sealing import Vault
from models.states import Cause

TOKEN_BYTES = 32
NO_APP = ""
"""A union id is the same in every app of one open platform, so its row names no app."""

log = structlog.get_logger()


@dataclass(frozen=True)
class LoggedIn:
    """A fresh login. The token is told once, to its holder, and is stored nowhere."""

    token: str = field(repr=False)
    login: LoginSession
    account: Account
    consents_due: list[Purpose]


@dataclass(frozen=True)
class _Subject:
    """One id of the platform's user, as it is kept."""

    provider: Provider
    app: str
    kind: IdKind
    value: str = field(repr=False)


_BY_WEIGHT = (IdKind.OPEN_ID, IdKind.USER_ID, IdKind.UNION_ID)
_Known = dict[_Subject, PlatformIdentity]


def ask_who(platform: LoginPlatform, code: str) -> PlatformUser:
    """Turn a one-time code into the platform's user. Calls the platform, so never inside a transaction.

    Raises: LoginFailed, ProviderDown."""
    try:
        return platform.exchange_code(code)
    except LoginRefused as refusal:
        raise LoginFailed() from refusal
    except ProviderError as error:
        if isinstance(error, ProviderRefused):  # about our own account at the platform: operators must see it
            log.error("login_platform_refused", provider=platform.provider, app=platform.app, platform_code=error.code)
        raise ProviderDown() from error


def log_in(
    session: Session, *, user: PlatformUser, vault: Vault, lasts: timedelta, now: datetime, cause: Cause
) -> LoggedIn:
    """Open a login session of the account that the platform's user has, making the account at the first login.

    Raises: Changed."""
    return open_login(session, recognise(session, user=user, vault=vault, now=now, cause=cause), lasts=lasts, now=now)


def recognise(session: Session, *, user: PlatformUser, vault: Vault, now: datetime, cause: Cause) -> PlatformIdentity:
    """The identity under which the platform's user logs in; it and its account are made at the first login.

    Two first logins at once meet at the unique constraint of platform_identities; the later transaction is run again
    and finds the account. Where the union id shows for the first time that two accounts are one person's, they are
    joined. Where that cannot be, they stay apart and the app's own id decides: no login fails for it.
    Raises: Changed.
    """
    subjects = _subjects(user)
    known = _lock_known(session, subjects, vault)
    if len(_owners(known)) > 1 and _join(session, known, vault, now=now, cause=cause):
        known = _known(session, subjects, vault)
    found_by = next((known[subject] for subject in subjects if subject in known), None)
    hash_key = _hash_key_for_new(session, subjects, known, vault, now=now)
    account = _new_account(session, now=now) if found_by is None else session.get_one(Account, found_by.account_id)
    for subject in subjects:
        if subject not in known:
            known[subject] = _add(session, account, subject, vault, hash_key=hash_key, found_by=found_by, now=now)
    session.flush()
    return known[subjects[0]]


def account_of(session: Session, *, user: PlatformUser, vault: Vault) -> UUID | None:
    """Whose the platform's user is, without making anything; None where no open account knows it."""
    known = _known(session, _subjects(user), vault)
    owners = [session.get_one(Account, account_id) for account_id in _owners(known)]
    return next((account.id for account in owners if account.closed_at is None), None)


def open_login(session: Session, identity: PlatformIdentity, *, lasts: timedelta, now: datetime) -> LoggedIn:
    """A fresh login session through `identity`, of the account that has it now."""
    account = session.get_one(Account, identity.account_id)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    login = LoginSession(
        id=new_id(),
        account_id=account.id,
        platform_identity_id=identity.id,
        token_hash=token_digest(token),
        created_at=now,
        expires_at=now + lasts,
    )
    session.add(login)
    return LoggedIn(token, login, account, consents_due(session, account_id=account.id))


def log_out(session: Session, *, session_id: UUID, now: datetime) -> None:
    """The token is dead at once, also for requests under way. Logging out twice is the same as once."""
    login = session.get_one(LoginSession, session_id)
    login.revoked_at = login.revoked_at or now


def token_digest(token: str) -> bytes:
    """A token has 256 random bits, so a plain digest gives nothing away."""
    return hashlib.sha256(token.encode()).digest()


def _subjects(user: PlatformUser) -> list[_Subject]:
    """The ids that the platform told, the app's own first. A union id is kept under the provider that names it."""
    own, union = Provider(user.provider), Provider(user.union_provider or user.provider)
    told = (
        _Subject(own, user.app, IdKind.OPEN_ID, user.open_id or ""),
        _Subject(own, user.app, IdKind.USER_ID, user.user_id or ""),
        _Subject(union, NO_APP, IdKind.UNION_ID, user.union_id or ""),
    )
    return [subject for subject in told if subject.value]


def _known(session: Session, subjects: list[_Subject], vault: Vault) -> _Known:
    """Those of the ids that an account has. Two rows of one id, under two hashing keys, count as the older one."""
    kept = {(subject.provider, subject.app, subject.kind): subject for subject in subjects}
    query = select(PlatformIdentity).where(or_(*(_names(subject, vault) for subject in subjects)))
    in_order = query.order_by(PlatformIdentity.id).execution_options(populate_existing=True)
    known: _Known = {}
    for identity in session.scalars(in_order):
        known.setdefault(kept[identity.provider, identity.app, identity.kind], identity)
    return known


def _names(subject: _Subject, vault: Vault) -> ColumnElement[bool]:
    """The rows of this id, under whichever key they were hashed."""
    purpose = PlatformIdentity.hash_purpose(subject.provider, subject.app, subject.kind)
    same = or_(
        *(
            (PlatformIdentity.subject_hash_key == digest.key_id) & (PlatformIdentity.subject_hash == digest.digest)
            for digest in vault.keyed_hashes(purpose, subject.value)
        )
    )
    return and_(
        PlatformIdentity.provider == subject.provider,
        PlatformIdentity.app == subject.app,
        PlatformIdentity.kind == subject.kind,
        same,
    )


def _hash_key_for_new(
    session: Session, subjects: list[_Subject], known: _Known, vault: Vault, *, now: datetime
) -> int | None:
    """The key to hash what is not known under, once nobody can be making it under another. Raises: Changed."""
    if all(subject in known for subject in subjects):
        return None
    hash_key = hashing_key(session, vault, now=now)
    if _known(session, subjects, vault).keys() != known.keys():
        raise Changed()
    return hash_key


def _owners(known: _Known) -> list[UUID]:
    """Each once, that of the app's own id first."""
    in_order = sorted(known, key=lambda subject: _BY_WEIGHT.index(subject.kind))
    return list(dict.fromkeys(known[subject].account_id for subject in in_order))


def _lock_known(session: Session, subjects: list[_Subject], vault: Vault) -> _Known:
    """With their accounts locked, so that no join carries them away meanwhile. Raises: Changed."""
    seen = _known(session, subjects, vault)
    if not seen:
        return seen
    owners = _owners(seen)
    lock_accounts(session, owners)
    known = _known(session, subjects, vault)
    if _owners(known) != owners:
        raise Changed()
    return known


def _join(session: Session, known: _Known, vault: Vault, *, now: datetime, cause: Cause) -> bool:
    """In a savepoint of its own: whatever goes wrong in it, the login goes on without. But where another one was in the
    way only for a moment the whole login runs again, and joins."""
    mine, other = _owners(known)[:2]
    try:
        with session.begin_nested():
            accounts = [session.get_one(Account, account_id) for account_id in (mine, other)]
            apart = join_by_union_id(session, *accounts, vault=vault, now=now, cause=cause)
    except (DBAPIError, DomainError) as error:
        if isinstance(error, DBAPIError) and may_run_again(error):
            raise
        apart = type(error).__name__
    if apart is not None:
        log.warning("accounts_stay_apart", account=str(mine), other=str(other), reason=apart)
    return apart is None


def _new_account(session: Session, *, now: datetime) -> Account:
    account = Account(id=new_id(), created_at=now)
    session.add(account)
    session.flush()
    return account


def _add(
    session: Session,
    account: Account,
    subject: _Subject,
    vault: Vault,
    *,
    hash_key: int | None,
    found_by: PlatformIdentity | None,
    now: datetime,
) -> PlatformIdentity:
    identity = PlatformIdentity(
        id=new_id(),
        account_id=account.id,
        provider=subject.provider,
        app=subject.app,
        kind=subject.kind,
        created_at=now,
        found_by_id=None if found_by is None else found_by.id,
    )
    identity.seal_subject(vault, subject.value, hash_key=hash_key)
    session.add(identity)
    return identity
