"""WeChat Pay's trade bill of a day, read strictly (wechat.md 4.9).

A bill that does not fit in every row and in its own sums is no bill: reconciliation on half of it would tell lies.
Source: PAY /docs/merchant/products/bill-download/format-trade.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from core.ports import BillUnreadable
from integrations.wechat._bill_file import fen, instant, read_table, yuan

_TEXTS = ("公众账号ID", "商户号", "微信订单号", "商户订单号", "用户标识", "货币种类")
_SUMS = {
    "应结订单总金额": "应结订单金额",
    "退款总金额": "退款金额",
    "充值券退款总金额": "充值券退款金额",
    "手续费总金额": "手续费",
    "订单总金额": "订单金额",
    "申请退款总金额": "申请退款金额",
}
_COUNT = "总交易单数"


class RowState(StrEnum):
    """What a row tells of: money that came, went back, or was taken back by the payer's bank before it was booked."""

    PAID = "SUCCESS"
    REFUND = "REFUND"
    REVOKED = "REVOKED"


@dataclass(frozen=True)
class BillRow:
    """One payment or one refund; amounts in fen. A refund's row has `paid_fen` 0, and its state is not updated later.

    `at` is when it was paid, or the refund was accepted. `fee_fen` may be a fraction of a fen. `sub_mchid` stands in a
    partner's bill.
    """

    at: datetime
    state: RowState
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
    refund_state: str | None = None
    sub_mchid: str | None = None


def read_trade_bill(content: bytes) -> tuple[BillRow, ...]:
    """Read a file of type ALL, SUCCESS or REFUND; columns by their names. Raises: BillUnreadable."""
    table = read_table(content)
    rows = tuple(_row(cells, number) for number, cells in enumerate(table.details, 2))
    _check_sums(table.details, table.summary)
    return rows


def _row(cells: Mapping[str, str], number: int) -> BillRow:
    try:
        appid, mchid, transaction_id, out_trade_no, payer, currency = (cells[name] for name in _TEXTS)
        return BillRow(
            at=instant(cells["交易时间"]),
            state=RowState(cells["交易状态"]),
            mchid=mchid,
            appid=appid,
            payer=payer,
            transaction_id=transaction_id,
            out_trade_no=out_trade_no,
            currency=currency,
            paid_fen=fen(cells["订单金额"]),
            fee_fen=yuan(cells["手续费"]) * 100,
            refund_id=_number(cells.get("微信退款单号")),
            out_refund_no=_number(cells.get("商户退款单号")),
            refund_fen=fen(cells.get("申请退款金额", "0")),
            refund_state=cells.get("退款状态") or None,
            sub_mchid=_number(cells.get("特约商户号")),
        )
    except KeyError as error:
        raise BillUnreadable(f"no column {error.args[0]}") from None
    except ValueError:
        raise BillUnreadable(f"line {number} has a value that does not fit") from None


def _check_sums(rows: Sequence[Mapping[str, str]], summary: Mapping[str, str]) -> None:
    try:
        told = {name: yuan(value) for name, value in summary.items()}
        found = {name: sum((yuan(row[_SUMS[name]]) for row in rows), Decimal(0)) for name in told.keys() - {_COUNT}}
        count = told[_COUNT]
    except (KeyError, ValueError):
        raise BillUnreadable("the summary does not fit") from None
    if count != len(rows) or any(told[name] != total for name, total in found.items()):
        raise BillUnreadable("the rows do not add up to the summary")


def _number(text: str | None) -> str | None:
    """What there is none of prints as 0."""
    return None if text in (None, "", "0") else text
