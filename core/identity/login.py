"""Log in by what a platform says of its user, and the login sessions that come of it."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from core.identity.consents import consents_due
from core.ports import LoginPlatform, LoginRefused, PlatformUser, ProviderError, ProviderRefused
from core.refusals import LoginFailed, ProviderDown
from models.account import Account, IdKind, LoginSession, PlatformIdentity, Provider, Purpose
from models.base import new_id
from models.sealing import Vault

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


def log_in(session: Session, *, user: PlatformUser, vault: Vault, lasts: timedelta, now: datetime) -> LoggedIn:
    """Open a login session of the account that the platform's user has, making the account at the first login.

    Two first logins at once meet at the unique constraint of platform_identities; the later transaction is run again
    and finds the account. The app's own id goes first: where a union id points at another account, the two stay apart
    until their holder joins them.
    """
    subjects = _subjects(user)
    known = _known(session, subjects, vault)
    account = _account(session, known, subjects, now=now)
    for subject in subjects:
        if subject not in known:
            known[subject] = _add(session, account, subject, vault, now=now)
    session.flush()
    token = secrets.token_urlsafe(TOKEN_BYTES)
    login = LoginSession(
        id=new_id(),
        account_id=account.id,
        platform_identity_id=known[subjects[0]].id,
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


def _known(session: Session, subjects: list[_Subject], vault: Vault) -> dict[_Subject, PlatformIdentity]:
    """Those of the ids that an account has. Two rows of one id, under two hashing keys, count as the older one."""
    kept = {(subject.provider, subject.app, subject.kind): subject for subject in subjects}
    query = select(PlatformIdentity).where(or_(*(_names(subject, vault) for subject in subjects)))
    known: dict[_Subject, PlatformIdentity] = {}
    for identity in session.scalars(query.order_by(PlatformIdentity.id)):
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


def _account(
    session: Session, known: dict[_Subject, PlatformIdentity], subjects: list[_Subject], *, now: datetime
) -> Account:
    owners = [known[subject].account_id for subject in subjects if subject in known]
    return session.get_one(Account, owners[0]) if owners else _new_account(session, now=now)


def _new_account(session: Session, *, now: datetime) -> Account:
    account = Account(id=new_id(), created_at=now)
    session.add(account)
    session.flush()
    return account


def _add(session: Session, account: Account, subject: _Subject, vault: Vault, *, now: datetime) -> PlatformIdentity:
    identity = PlatformIdentity(
        id=new_id(),
        account_id=account.id,
        provider=subject.provider,
        app=subject.app,
        kind=subject.kind,
        created_at=now,
    )
    identity.seal_subject(vault, subject.value)
    session.add(identity)
    return identity
