"""What an account did with a dependent that it removed, as far as it counts against one that was added since.

A limit that removing and adding anew would lift is none. Who was removed may have been erased, so that nobody can say
any more whether this is the same person: then whoever of the account has the same sex counts as the same. Of other
accounts nothing is looked at, and nothing here turns on what they have (decision 0046).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.refusals import ChangeLimit
from models.person import Dependent, Relationship, Sex

SELVES_REPLACED = 1
"""How often within the time of a change of phone somebody else may be oneself (rules.md 1.1.5)."""
TIMES_OVER = 2
"""How often over, within a day, an account may add as many as it may have: a family is typed once and its slips anew,
a list of other people's numbers is not (A-41)."""
A_DAY = timedelta(days=1)


def removed_of(session: Session, account_id: UUID) -> Sequence[Dependent]:
    """Those that the account removed, and that no join put together with another one."""
    own = select(Dependent).where(Dependent.account_id == account_id, Dependent.merged_into_id.is_(None))
    return session.scalars(own.where(Dependent.archived_at.is_not(None))).all()


def may_be(removed: Dependent, person_id: UUID, sex: Sex) -> bool:
    """Whether the removed one can have been this person. The person of a row that was erased says nothing."""
    return removed.sex is sex if removed.is_erased else removed.person_id == person_id


def remember_changes(added: Dependent, removed: Iterable[Dependent]) -> None:
    """When the phone was last changed, and who it is was last corrected, on a row that is gone. Oneself is corrected
    once for ever, so it counts for oneself, and whoever else for anybody else."""
    same = [one for one in removed if may_be(one, added.person_id, added.sex)]
    alike = [one for one in same if _is_self(one) is _is_self(added)]
    added.phone_changed_at = _last(one.phone_changed_at for one in same)
    added.identity_changed_at = _last(one.identity_changed_at for one in alike)


def _is_self(dependent: Dependent) -> bool:
    return dependent.relationship_ is Relationship.SELF


def _last(times: Iterable[datetime | None]) -> datetime | None:
    return max((at for at in times if at is not None), default=None)


def refuse_another_self(removed: Iterable[Dependent], person_id: UUID, *, within: timedelta, now: datetime) -> None:
    """Raises: ChangeLimit, with when the account may name another self."""
    ended = sorted(
        one.archived_at
        for one in removed
        if one.relationship_ is Relationship.SELF and one.archived_at is not None and now < one.archived_at + within
        if one.is_erased or one.person_id != person_id
    )
    if len(ended) > SELVES_REPLACED:
        raise ChangeLimit(retry_at=ended[-1 - SELVES_REPLACED] + within)


def refuse_many_in_a_day(added: Iterable[Dependent], *, most: int, now: datetime) -> None:
    """`most` is how many may stand besides oneself. Raises: ChangeLimit, with when the account may add another."""
    lately = sorted(one.created_at for one in added if now < one.created_at + A_DAY)
    allowed = TIMES_OVER * (most + 1)
    if len(lately) >= allowed:
        raise ChangeLimit(retry_at=lately[-allowed] + A_DAY)
