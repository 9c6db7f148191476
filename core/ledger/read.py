"""What stands in the books."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models.ledger import Journal, LedgerAccount, LedgerEntry
from models.payment import Channel


def balances(
    session: Session, *, merchant: str, channels: Collection[Channel], until: datetime, since: datetime | None = None
) -> Mapping[LedgerAccount, int]:
    """What stood at each account of a merchant at an instant, in fen; with `since`, what moved there in between.
    One name may stand at several platforms: `channels` are those of one.

    They come to zero together, and are worked out anew each time."""
    query = (
        select(LedgerEntry.account, func.sum(LedgerEntry.amount_fen))
        .join(Journal, Journal.id == LedgerEntry.journal_id)
        .where(Journal.merchant == merchant, Journal.channel.in_(channels), Journal.at < until)
        .group_by(LedgerEntry.account)
    )
    if since is not None:
        query = query.where(Journal.at >= since)
    found = {account: int(total) for account, total in session.execute(query)}
    return {account: found.get(account, 0) for account in LedgerAccount}
