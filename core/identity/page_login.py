"""Login of a web page: the browser goes to the platform with a one-time `state`, comes back with a code, and the page
that asked for it gets a one-time code of ours, the handoff. No token is ever part of an address.

A `state` is good in the browser that began, for ten minutes, once. A handoff is good for a minute, once.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core.identity.login import LoggedIn, open_login, recognise, token_digest
from core.locks import lock_accounts
from core.ports import PlatformUser
from core.refusals import LoginFailed
from core.transactions import Changed
from models.account import PlatformIdentity
from models.base import new_id
from models.page_login import Handoff, PageLoginAttempt
from models.sealing import Vault
from models.states import Cause

ATTEMPT_LIFE = timedelta(minutes=10)
HANDOFF_LIFE = timedelta(seconds=60)
HOME = "/h5/"
TARGET = r"^/h5/([0-9A-Za-z_~-]+/)*[0-9A-Za-z_~-]*(\?[0-9A-Za-z_~=&-]*)?$"
"""A page of ours. Without dots, colons, escapes or empty segments it cannot lead anywhere else."""
LONGEST_TARGET = 512

_TARGET = re.compile(TARGET.removeprefix("^").removesuffix("$"))
_STATE_BYTES, _BROWSER_BYTES, _CODE_BYTES = 32, 32, 32
_KEPT_FOR = timedelta(hours=1)


@dataclass(frozen=True)
class BegunPageLogin:
    """`state` goes to the platform and back, `browser` stays in a cookie."""

    state: str = field(repr=False)
    browser: str = field(repr=False)


@dataclass(frozen=True)
class Returned:
    """A browser that came back. Where it is not `accepted`, `target` only tells where a fresh try would lead."""

    target: str
    accepted: bool


def read_target(text: str) -> str | None:
    """The same text where it names a page of ours, else None."""
    return text if len(text) <= LONGEST_TARGET and _TARGET.fullmatch(text) else None


def begin_page_login(session: Session, *, app: str, target: str, now: datetime) -> BegunPageLogin:
    """Remember where a browser wants to go. `target` was read by `read_target`."""
    begun = BegunPageLogin(secrets.token_hex(_STATE_BYTES), secrets.token_urlsafe(_BROWSER_BYTES))
    session.add(
        PageLoginAttempt(
            id=new_id(),
            app=app,
            state_hash=token_digest(begun.state),
            browser_hash=token_digest(begun.browser),
            target=target,
            created_at=now,
            expires_at=now + ATTEMPT_LIFE,
        )
    )
    return begun


def return_from_platform(session: Session, *, app: str, state: str, browser: str, now: datetime) -> Returned:
    """Use the state up. One statement decides, so of two that come at once one is accepted."""
    own = (
        PageLoginAttempt.app == app,
        PageLoginAttempt.state_hash == token_digest(state),
        PageLoginAttempt.browser_hash == token_digest(browser),
    )
    target = session.scalars(
        update(PageLoginAttempt)
        .where(*own, PageLoginAttempt.used_at.is_(None), PageLoginAttempt.expires_at > now)
        .values(used_at=now)
        .returning(PageLoginAttempt.target)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if target is not None:
        return Returned(target, accepted=True)
    known = session.scalars(select(PageLoginAttempt.target).where(*own)).one_or_none()
    return Returned(known or HOME, accepted=False)


def hand_off(session: Session, *, user: PlatformUser, vault: Vault, now: datetime, cause: Cause) -> str:
    """The one-time code by which the page logs in as `user`; the account is made at the first login.

    Raises: Changed."""
    identity = recognise(session, user=user, vault=vault, now=now, cause=cause)
    code = secrets.token_urlsafe(_CODE_BYTES)
    session.add(
        Handoff(
            id=new_id(),
            code_hash=token_digest(code),
            platform_identity_id=identity.id,
            created_at=now,
            expires_at=now + HANDOFF_LIFE,
        )
    )
    return code


def log_in_by_handoff(session: Session, *, code: str, lasts: timedelta, now: datetime) -> LoggedIn:
    """Open a login session of the identity that the code was made for.

    Raises: LoginFailed, Changed."""
    identity_id = session.scalars(
        update(Handoff)
        .where(Handoff.code_hash == token_digest(code), Handoff.used_at.is_(None), Handoff.expires_at > now)
        .values(used_at=now)
        .returning(Handoff.platform_identity_id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if identity_id is None:
        raise LoginFailed()
    identity = session.get_one(PlatformIdentity, identity_id)
    owner = identity.account_id
    account = lock_accounts(session, [owner])[owner]
    session.refresh(identity)
    if identity.account_id != owner:
        raise Changed()
    if account.closed_at is not None:
        raise LoginFailed()
    return open_login(session, identity, lasts=lasts, now=now)


def forget_page_logins(session: Session, *, now: datetime) -> None:
    """What ended an hour ago is of no use to anybody."""
    for record in (PageLoginAttempt, Handoff):
        session.execute(
            delete(record).where(record.expires_at < now - _KEPT_FOR).execution_options(synchronize_session=False)
        )
