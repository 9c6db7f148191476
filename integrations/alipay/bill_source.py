"""The bills of one merchant account, fetched from Alipay (alipay.md 9)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from urllib.parse import urlsplit

from core.ports import (
    BillEntry,
    BillKind,
    BillNotReady,
    BillState,
    BillUnreadable,
    FundEntry,
    ProviderRefused,
    ProviderUnavailable,
)
from integrations.alipay import bills, funds
from integrations.alipay._bill_file import Form, unpack
from integrations.alipay._client import AlipayClient, Clock
from integrations.alipay._schemas import BillPlaceSchema
from integrations.alipay._signing import utc_now
from integrations.alipay._trades import CURRENCY
from integrations.alipay.config import AlipayAccount
from integrations.answers import load_answer
from integrations.bill_days import DOWNLOAD_TIMEOUTS, MOST_DOWNLOAD_BYTES, T, days_after, fetch_of_day
from integrations.transport import DEFAULT_TIMEOUTS, Timeouts, Transport

METHOD = "alipay.data.dataservice.bill.downloadurl.query"
EMPTY = "EMPTY_DATA_WITH_BILL_FILE"
NOT_THERE = frozenset({"NO_BILL_DATA", "BILL_NOT_EXIST"})

_URL = re.compile(r"https?://[!-~]{1,4096}")


class AlipayBillSource:
    """Port BillSource. A download that is not the bill is fetched once more, from an address asked for anew."""

    provider = "alipay"

    def __init__(
        self,
        account: AlipayAccount,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        download_timeouts: Timeouts = DOWNLOAD_TIMEOUTS,
        clock: Clock = utc_now,
    ) -> None:
        self.merchant = account.merchant
        self._seller_id = account.seller_id
        self._host = account.bill_url.rstrip("/")
        self._clock = clock
        self._client = AlipayClient(account, timeouts=timeouts, clock=clock)
        # For half a minute whoever reads the address has the bill.
        self._files = Transport(timeouts=download_timeouts, secret_urls=True, most_bytes=MOST_DOWNLOAD_BYTES)

    def trade_bill(self, day: date) -> tuple[BillEntry, ...]:
        """Raises: BillNotReady, BillUnreadable, ProviderUnavailable, ProviderRefused."""
        return self._entries("trade", bills.FORM, day, self._read_trades)

    def fund_flow(self, day: date) -> tuple[FundEntry, ...]:
        """Raises: BillNotReady, BillUnreadable, ProviderUnavailable, ProviderRefused."""
        return self._entries("signcustomer", funds.FORM, day, self._read_funds)

    def _read_trades(self, content: bytes, day: date) -> tuple[BillEntry, ...]:
        rows = bills.read_trade_bill(content, seller_id=self._seller_id, day=day)
        return tuple(map(_entry, rows))

    def _read_funds(self, content: bytes, day: date) -> tuple[FundEntry, ...]:
        return funds.read_fund_flow(content, seller_id=self._seller_id, day=day)

    def _entries(
        self, bill_type: str, form: Form, day: date, read: Callable[[bytes, date], tuple[T, ...]]
    ) -> tuple[T, ...]:
        def fetch() -> tuple[T, ...]:
            place = self._place(bill_type, day)
            return () if place is None else read(unpack(self._downloaded(place), form.ending), day)

        return fetch_of_day(day, fetch)

    def _place(self, bill_type: str, day: date) -> str | None:
        """Where the archive is; None for a day that has none. Raises: BillNotReady, ProviderError."""
        try:
            told = self._client.call(METHOD, {"bill_type": bill_type, "bill_date": day.isoformat()})
        except ProviderRefused as refusal:
            if refusal.code not in NOT_THERE:
                raise
            # It may mean an empty day, and it may mean that the bill is late: a day later it is not late any more.
            if self._clock() < days_after(day, 2):
                raise BillNotReady(f"{refusal.code} for {day}") from None
            if refusal.code == "BILL_NOT_EXIST":
                raise
            return None
        place = load_answer(BillPlaceSchema(), told)
        return None if place.get("bill_file_code") == EMPTY else self._url_of(place.get("bill_download_url", ""))

    def _url_of(self, url: str) -> str:
        """The address, on the host that the configuration names: one elsewhere is not gone to, though Alipay signed
        it. Over https if either of them says so."""
        own, given = urlsplit(self._host), urlsplit(url if _URL.fullmatch(url) else "")
        if given.netloc != own.netloc or not given.path.startswith(own.path + "/"):
            raise BillUnreadable("its place is not Alipay's")
        scheme = "https" if "https" in (own.scheme, given.scheme) else "http"
        return f"{scheme}://{own.netloc}{given.path}?{given.query}"

    def _downloaded(self, url: str) -> bytes:
        answer = self._files.exchange("GET", url)
        if answer.status >= 500:
            raise ProviderUnavailable(f"answered with HTTP {answer.status}")
        if answer.status != 200:
            raise BillUnreadable(f"its place answered with HTTP {answer.status}")
        return answer.body


def _entry(row: bills.BillRow) -> BillEntry:
    """Alipay's refunds have no number of its own, and what is in a bill is done."""
    is_refund = row.kind is bills.RowKind.REFUND
    return BillEntry(
        kind=BillKind.REFUND if is_refund else BillKind.PAYMENT,
        at=row.at,
        out_trade_no=row.out_trade_no,
        platform_trade_no=row.trade_no,
        amount_fen=abs(row.amount_fen),
        currency=CURRENCY,
        fee_fen=-row.fee_fen,
        state=BillState.REFUNDED if is_refund else BillState.PAID,
        out_refund_no=row.out_request_no if is_refund else None,
    )
