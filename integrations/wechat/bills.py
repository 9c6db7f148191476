"""WeChat Pay's trade bill of a day: unpacked, proven by its hash, and read strictly (wechat.md 4.9).

A bill that does not fit in every row and in its own sums is no bill: reconciliation on half of it would tell lies.
Source: PAY /docs/merchant/products/bill-download/format-trade.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

BOM = b"\xef\xbb\xbf"
MOST_BYTES = 256 * 1024 * 1024

_ZONE = ZoneInfo("Asia/Shanghai")
_GZIP = 31  # zlib's word for: gzip, with its header and check sum
_YUAN = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")

_TEXTS = ("交易时间", "公众账号ID", "商户号", "微信订单号", "商户订单号", "用户标识", "交易状态", "货币种类")
_SUMS = {
    "应结订单总金额": "应结订单金额",
    "退款总金额": "退款金额",
    "充值券退款总金额": "充值券退款金额",
    "手续费总金额": "手续费",
    "订单总金额": "订单金额",
    "申请退款总金额": "申请退款金额",
}
_COUNT = "总交易单数"


class BillUnreadable(Exception):
    """What came is not the bill. The message names line and column, and shows no value."""


class BillState(StrEnum):
    """What a row tells of: money that came, went back, or was taken back by the payer's bank before it was booked."""

    PAID = "SUCCESS"
    REFUND = "REFUND"
    REVOKED = "REVOKED"


@dataclass(frozen=True)
class BillRow:
    """One payment or one refund; amounts in fen. A refund's row has `paid_fen` 0, and its state is not updated later.

    `at` is when it was paid, or the refund was accepted. `fee_fen` may be a fraction of a fen.
    """

    at: datetime
    state: BillState
    mchid: str
    appid: str
    payer: str = field(repr=False)
    transaction_id: str
    out_trade_no: str
    currency: str
    paid_fen: int
    fee_fen: Decimal
    refund_id: str | None = None
    out_refund_no: str | None = None
    refund_fen: int = 0


def unpack(body: bytes, *, sha1: str) -> bytes:
    """The file inside a download that was asked for as GZIP; `sha1` (hex, as told beforehand) is of the file itself.

    Raises: BillUnreadable.
    """
    unzip = zlib.decompressobj(_GZIP)
    try:
        content = unzip.decompress(body, MOST_BYTES)
    except zlib.error:
        raise BillUnreadable("not gzip") from None
    if not unzip.eof or unzip.unused_data:
        raise BillUnreadable("too large, cut, or not alone")
    if hashlib.sha1(content, usedforsecurity=False).hexdigest() != sha1.lower():
        raise BillUnreadable("another hash")
    return content


def read_trade_bill(content: bytes) -> tuple[BillRow, ...]:
    """Read a file of type ALL, SUCCESS or REFUND; columns by their names. Raises: BillUnreadable."""
    lines = _lines(content)
    if len(lines) < 3:
        raise BillUnreadable("too short")
    *details, summary_header, summary = lines
    cells = [_cells(details[0].split(","), line, number) for number, line in enumerate(details[1:], 2)]
    rows = tuple(_row(one, number) for number, one in enumerate(cells, 2))
    _check_sums(cells, _cells(summary_header.split(","), summary, len(lines)))
    return rows


def _lines(content: bytes) -> list[str]:
    if not content.startswith(BOM):
        raise BillUnreadable("no byte order mark")
    try:
        text = content[len(BOM) :].decode()
    except UnicodeDecodeError:
        raise BillUnreadable("not UTF-8") from None
    *lines, end = text.split("\r\n")
    if end or any("\n" in line or "\r" in line for line in lines):
        raise BillUnreadable("lines do not end in CRLF")
    return lines


def _cells(header: list[str], line: str, number: int) -> dict[str, str]:
    """A backquote before every value tells a comma between values from one inside a name."""
    values = line[1:].split(",`")
    if len(set(header)) != len(header) or not line.startswith("`") or len(values) != len(header):
        raise BillUnreadable(f"line {number} does not fit its header")
    return dict(zip(header, values, strict=True))


def _row(cells: Mapping[str, str], number: int) -> BillRow:
    try:
        time, appid, mchid, transaction_id, out_trade_no, payer, state, currency = (cells[name] for name in _TEXTS)
        if _TIME.fullmatch(time) is None:
            raise ValueError("交易时间")
        return BillRow(
            at=datetime.fromisoformat(time).replace(tzinfo=_ZONE).astimezone(UTC),
            state=BillState(state),
            mchid=mchid,
            appid=appid,
            payer=payer,
            transaction_id=transaction_id,
            out_trade_no=out_trade_no,
            currency=currency,
            paid_fen=_fen(cells["订单金额"]),
            fee_fen=_yuan(cells["手续费"]) * 100,
            refund_id=_number(cells.get("微信退款单号")),
            out_refund_no=_number(cells.get("商户退款单号")),
            refund_fen=_fen(cells.get("申请退款金额", "0")),
        )
    except KeyError as error:
        raise BillUnreadable(f"no column {error.args[0]}") from None
    except ValueError:
        raise BillUnreadable(f"line {number} has a value that does not fit") from None


def _check_sums(rows: Iterable[Mapping[str, str]], summary: Mapping[str, str]) -> None:
    rows = list(rows)
    try:
        told = {name: _yuan(value) for name, value in summary.items()}
        found = {name: sum((_yuan(row[_SUMS[name]]) for row in rows), Decimal(0)) for name in told.keys() - {_COUNT}}
        count = told[_COUNT]
    except (KeyError, ValueError):
        raise BillUnreadable("the summary does not fit") from None
    if count != len(rows) or any(told[name] != total for name, total in found.items()):
        raise BillUnreadable("the rows do not add up to the summary")


def _yuan(text: str) -> Decimal:
    if _YUAN.fullmatch(text) is None:
        raise ValueError("no amount")
    return Decimal(text)


def _fen(text: str) -> int:
    fen = _yuan(text) * 100
    if fen < 0 or fen != fen.to_integral_value():
        raise ValueError("no whole fen")
    return int(fen)


def _number(text: str | None) -> str | None:
    """An empty refund number prints as 0."""
    return None if text in (None, "", "0") else text
