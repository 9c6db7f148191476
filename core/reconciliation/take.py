"""Taking a day's bill: fetched whole, then written whole, once. Taken again it must be the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.ports import BillEntry, BillSource, FundEntry, FundKind
from models.base import canonical_json, new_id
from models.reconciliation import BillDay, BillLine

log = structlog.get_logger()


class BillChanged(Exception):
    """The platform's bill of a day that was taken before is another one now. Nothing was written."""


class Taken:
    """A day's bill as it was fetched, not written yet."""

    def __init__(self, source: BillSource, day: date) -> None:
        """Raises: BillNotReady, BillUnreadable, ProviderUnavailable, ProviderRefused."""
        self.provider, self.merchant, self.day = source.provider, source.merchant, day
        self.entries: Sequence[BillEntry] = source.trade_bill(day)
        self.funds: Sequence[FundEntry] = source.fund_flow(day)
        said = [[_plain(asdict(one)) for one in part] for part in (self.entries, self.funds)]
        self.digest = hashlib.sha256(canonical_json(said)).digest()  # here, and not while rows are held

    @property
    def lacks_a_file(self) -> bool:
        """Nothing is told, or only half of it: a day without trades, or a platform that is late."""
        return not self.entries or not self.funds

    def known(self, session: Session) -> BillDay | None:
        """What was taken of that day before."""
        query = select(BillDay).where(BillDay.provider == self.provider, BillDay.merchant == self.merchant)
        return session.scalars(query.where(BillDay.day == self.day)).one_or_none()

    def moved_fen(self, kind: FundKind) -> int:
        """What came to the account by this kind of movement, less what went."""
        return sum(one.amount_fen if one.income else -one.amount_fen for one in self.funds if one.kind is kind)


def write_bill(session: Session, taken: Taken, *, now: datetime) -> BillDay:
    """The day's row, with all its lines; the one that is there where it was taken before. Raises: BillChanged."""
    known = taken.known(session)
    if known is not None:
        if known.digest != taken.digest:
            log.warning("bill_changed", provider=taken.provider, day=str(taken.day), alarm=True)
            raise BillChanged()
        return known
    made = BillDay(
        id=new_id(),
        provider=taken.provider,
        merchant=taken.merchant,
        day=taken.day,
        digest=taken.digest,
        taken_at=now,
        moved_payments_fen=taken.moved_fen(FundKind.PAYMENT),
        moved_refunds_fen=taken.moved_fen(FundKind.REFUND),
        moved_fees_fen=taken.moved_fen(FundKind.FEE),
        moved_other_fen=taken.moved_fen(FundKind.OTHER),
    )
    session.add(made)
    session.flush()
    session.add_all(_line(made.id, place, one) for place, one in enumerate(taken.entries))
    session.flush()
    return made


def _line(bill_day_id: UUID, place: int, entry: BillEntry) -> BillLine:
    return BillLine(id=new_id(), bill_day_id=bill_day_id, place=place, **asdict(entry))


def _plain(said: dict[str, object]) -> dict[str, object]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in said.items()}
