"""The bills of one merchant number, fetched from WeChat Pay (wechat.md 4.9).

A partner is told the bills of each sub-merchant, whose flow of money comes sealed.
Sources: PAY /doc/v3/merchant/4012084430, /doc/v3/partner/4014314390.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, time
from typing import Any
from urllib.parse import urlencode

from core.ports import (
    BillEntry,
    BillKind,
    BillNotReady,
    BillState,
    BillUnreadable,
    FundEntry,
    ProviderRefused,
    TokenStore,
)
from integrations.answers import load_answer
from integrations.bill_days import DOWNLOAD_TIMEOUTS, MOST_DOWNLOAD_BYTES, T, days_after, fetch_of_day
from integrations.transport import Timeouts
from integrations.wechat._bill_file import unpack, unseal
from integrations.wechat._pay_http import Clock, PayHttp, utc_now
from integrations.wechat._schemas import BillSchema, SealedBillsSchema
from integrations.wechat._signing import AEAD_ALGORITHM
from integrations.wechat.bills import BillRow, RowState, read_trade_bill
from integrations.wechat.config import MERCHANT_URLS, MerchantAccount
from integrations.wechat.funds import read_fund_flow

EMPTY_AT = time(12)
"""Bills of the day before are there from about ten. Until noon one that WeChat Pay does not know may be late."""

REFUND_STATES = {
    "SUCCESS": BillState.REFUNDED,
    "PROCESSING": BillState.REFUNDING,
    "ABNORMAL": BillState.ABNORMAL,
    **dict.fromkeys(("CLOSED", "CHANGE", "FAIL", "REFUNDCLOSE"), BillState.NOT_REFUNDED),
}
"""The words of today, and the older ones that bills have kept."""

_PLACE = re.compile(r"/v3/(billdownload/file|bill/downloadurl)\?[!-~]{1,2048}")
"""A sealed file's place is printed in the second way, and fetched in the first, on one and the same page."""


class WeChatBillSource:
    """Port BillSource. A download that is not the file that was promised is fetched once more, and then refused."""

    provider = "wechat_pay"

    def __init__(
        self,
        account: MerchantAccount,
        tokens: TokenStore,
        *,
        timeouts: Timeouts = DOWNLOAD_TIMEOUTS,
        clock: Clock = utc_now,
    ) -> None:
        self.merchant = account.merchant
        self._mchid, self._sub_mchid = account.mchid, account.sub_mchid
        self._private_key = account.private_key()
        own = account.base_url.rstrip("/")
        # Either host of WeChat Pay may name the other one; the file is asked of our own in any case.
        self._hosts = MERCHANT_URLS if own in MERCHANT_URLS else (own,)
        self._clock = clock
        self._http = PayHttp(account, tokens, timeouts=timeouts, clock=clock, most_bytes=MOST_DOWNLOAD_BYTES)

    def trade_bill(self, day: date) -> tuple[BillEntry, ...]:
        """Raises: BillNotReady, BillUnreadable, ProviderUnavailable, ProviderRefused."""
        asked = {"bill_date": day.isoformat(), "bill_type": "ALL", "tar_type": "GZIP"}
        if self._sub_mchid is not None:
            asked["sub_mchid"] = self._sub_mchid
        return self._of_day(day, lambda: self._read_trades(self._file("tradebill", asked)))

    def fund_flow(self, day: date) -> tuple[FundEntry, ...]:
        """Of the basic account, which takes the payments.

        Raises: BillNotReady, BillUnreadable, ProviderUnavailable, ProviderRefused."""
        asked = {"bill_date": day.isoformat(), "account_type": "BASIC", "tar_type": "GZIP"}
        if self._sub_mchid is None:
            return self._of_day(day, lambda: read_fund_flow(self._file("fundflowbill", asked)))
        asked |= {"sub_mchid": self._sub_mchid, "algorithm": AEAD_ALGORITHM}
        return self._of_day(day, lambda: read_fund_flow(self._sealed_file("sub-merchant-fundflowbill", asked)))

    def _of_day(self, day: date, read: Callable[[], tuple[T, ...]]) -> tuple[T, ...]:
        try:
            # A place to fetch it from is good once, so it is asked for again too.
            return fetch_of_day(day, read)
        except ProviderRefused as refusal:
            is_early = self._clock() < days_after(day, 1, EMPTY_AT)
            if refusal.code == "STATEMENT_CREATING" or (refusal.code == "NO_STATEMENT_EXIST" and is_early):
                raise BillNotReady(f"{refusal.code} for {day}") from None
            if refusal.code == "NO_STATEMENT_EXIST":
                return ()
            raise

    def _file(self, bill: str, asked: Mapping[str, str]) -> bytes:
        told = load_answer(BillSchema(), self._ask(bill, asked))
        return unpack(self._downloaded(told["download_url"]), sha1=told["hash_value"])

    def _sealed_file(self, bill: str, asked: Mapping[str, str]) -> bytes:
        """Its seal proves the file, by a key that stood in a proven answer. A hash is told, too, but of what it is no
        page says."""
        told = load_answer(SealedBillsSchema(), self._ask(bill, asked))["download_bill_list"][0]
        body = self._downloaded(told["download_url"])
        packed = unseal(body, self._private_key, encrypt_key=told["encrypt_key"], nonce=told["nonce"])
        return unpack(packed, sha1=None)

    def _ask(self, bill: str, asked: Mapping[str, str]) -> dict[str, Any]:
        return self._http.send("GET", f"/v3/bill/{bill}?{urlencode(asked)}")

    def _downloaded(self, url: str) -> bytes:
        place = self._path_of(url)
        try:
            return self._http.download(place)
        except ProviderRefused as refusal:
            raise BillUnreadable(f"its place says {refusal.code}") from None

    def _path_of(self, url: str) -> str:
        """What is asked of our own host. A place elsewhere is not gone to, though WeChat signed it."""
        for host in self._hosts:
            if url.startswith(host) and _PLACE.fullmatch(url, len(host)):
                return url.removeprefix(host)
        raise BillUnreadable("its place is not WeChat Pay's")

    def _read_trades(self, content: bytes) -> tuple[BillEntry, ...]:
        return tuple(self._entry(row, number) for number, row in enumerate(read_trade_bill(content), 2))

    def _entry(self, row: BillRow, number: int) -> BillEntry:
        is_refund = row.state is RowState.REFUND
        amount = row.refund_fen if is_refund else row.paid_fen
        state = _state(row)
        if (row.mchid, row.sub_mchid) != (self._mchid, self._sub_mchid):
            raise BillUnreadable(f"line {number} is of another merchant")
        whole = amount > 0 and row.fee_fen == row.fee_fen.to_integral_value()
        if not whole or state is None or is_refund is not bool(row.refund_id and row.out_refund_no):
            raise BillUnreadable(f"line {number} has a value that does not fit")
        return BillEntry(
            kind=BillKind.REFUND if is_refund else BillKind.PAYMENT,
            at=row.at,
            out_trade_no=row.out_trade_no,
            platform_trade_no=row.transaction_id,
            amount_fen=amount,
            currency=row.currency,
            fee_fen=int(row.fee_fen),
            state=state,
            out_refund_no=row.out_refund_no,
            platform_refund_no=row.refund_id,
        )


def _state(row: BillRow) -> BillState | None:
    if row.state is RowState.REFUND:
        return REFUND_STATES.get(row.refund_state or "")
    return BillState.PAID if row.state is RowState.PAID else BillState.REVOKED
