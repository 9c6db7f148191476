"""Log in by what a platform says of its user, and the login sessions that come of it."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import or_, select
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

    kind: IdKind
    app: str
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
    known = {subject: _find(session, user.provider, subject, vault) for subject in subjects}
    owners = [identity.account_id for identity in known.values() if identity is not None]
    account = session.get_one(Account, owners[0]) if owners else _new_account(session, now=now)
    for subject in subjects:
        if known[subject] is None:
            known[subject] = _add(session, account, user.provider, subject, vault, now=now)
    session.flush()
    used = known[subjects[0]]
    assert used is not None  # noqa: S101 - the loop above left none out
    token = secrets.token_urlsafe(TOKEN_BYTES)
    login = LoginSession(
        id=new_id(),
        account_id=account.id,
        platform_identity_id=used.id,
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
    """The ids that the platform told, the app's own first."""
    told = (
        _Subject(IdKind.OPEN_ID, user.app, user.open_id or ""),
        _Subject(IdKind.USER_ID, user.app, user.user_id or ""),
        _Subject(IdKind.UNION_ID, NO_APP, user.union_id or ""),
    )
    return [subject for subject in told if subject.value]


def _find(session: Session, provider: str, subject: _Subject, vault: Vault) -> PlatformIdentity | None:
    purpose = PlatformIdentity.hash_purpose(provider, subject.app, subject.kind)
    digests = vault.keyed_hashes(purpose, subject.value)
    same = or_(
        *(
            (PlatformIdentity.subject_hash_key == digest.key_id) & (PlatformIdentity.subject_hash == digest.digest)
            for digest in digests
        )
    )
    query = select(PlatformIdentity).where(
        PlatformIdentity.provider == Provider(provider),
        PlatformIdentity.app == subject.app,
        PlatformIdentity.kind == subject.kind,
        same,
    )
    return session.scalars(query.order_by(PlatformIdentity.id).limit(1)).one_or_none()


def _new_account(session: Session, *, now: datetime) -> Account:
    account = Account(id=new_id(), created_at=now)
    session.add(account)
    session.flush()
    return account


def _add(
    session: Session, account: Account, provider: str, subject: _Subject, vault: Vault, *, now: datetime
) -> PlatformIdentity:
    identity = PlatformIdentity(
        id=new_id(),
        account_id=account.id,
        provider=Provider(provider),
        app=subject.app,
        kind=subject.kind,
        created_at=now,
    )
    identity.seal_subject(vault, subject.value)
    session.add(identity)
    return identity
