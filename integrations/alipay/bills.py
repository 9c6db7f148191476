"""Alipay's trade bill of a day, read strictly (alipay.md 9).

A bill that does not fit in every row and in its own sums is no bill: reconciliation on half of it would tell lies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from core.ports import BillUnreadable
from integrations.alipay._bill_file import Form, fen, instant, present, read_table, told_sum

FORM = Form("业务", times=("创建时间", "完成时间"))


class RowKind(StrEnum):
    PAYMENT = "交易"
    REFUND = "退款"


_SUMS = {
    RowKind.PAYMENT: re.compile(r"#交易合计：([0-9]{1,9})笔，商家实收共(-?[0-9.]{1,16})元，.*"),
    RowKind.REFUND: re.compile(r"#退款合计：([0-9]{1,9})笔，商家实收退款共(-?[0-9.]{1,16})元，.*"),
}


@dataclass(frozen=True)
class BillRow:
    """One payment or one refund; amounts in fen, those of a refund below zero, and so is a fee that was taken.

    `at` is when it was done. `amount_fen` is what was ordered, `received_fen` what of it is the merchant's.
    """

    at: datetime
    kind: RowKind
    trade_no: str
    out_trade_no: str
    amount_fen: int
    received_fen: int
    fee_fen: int
    out_request_no: str | None = None


def read_trade_bill(content: bytes, *, seller_id: str, day: date) -> tuple[BillRow, ...]:
    """Read the details of our own account for one day; columns by their names. Raises: BillUnreadable."""
    table = read_table(content, FORM, seller_id=seller_id, day=day)
    rows = tuple(_row(cells, number) for number, cells in table.details)
    _check_sums(rows, table.trailer)
    return rows


def _row(cells: Mapping[str, str], number: int) -> BillRow:
    try:
        kind = RowKind(cells["业务类型"])
        row = BillRow(
            at=instant(cells["完成时间"]),
            kind=kind,
            trade_no=present(cells["支付宝交易号"]),
            out_trade_no=present(cells["商户订单号"]),
            amount_fen=fen(cells["订单金额（元）"]),
            received_fen=fen(cells["商家实收（元）"]),
            fee_fen=fen(cells["服务费（元）"]),
            out_request_no=cells["退款批次号/请求号"] or None,
        )
    except KeyError as error:
        raise BillUnreadable(f"no column {error.args[0]}") from None
    except ValueError:
        raise BillUnreadable(f"line {number} has a value that does not fit") from None
    if row.amount_fen == 0 or (row.amount_fen < 0) is not (kind is RowKind.REFUND):
        raise BillUnreadable(f"line {number} has another sign than its kind")
    return row


def _check_sums(rows: Sequence[BillRow], trailer: Sequence[str]) -> None:
    for kind, shape in _SUMS.items():
        mine = [row.received_fen for row in rows if row.kind is kind]
        if told_sum(trailer, shape) != (len(mine), sum(mine)):
            raise BillUnreadable("the rows do not add up to the trailer")
