"""Alipay's flow of money of a day (`signcustomer`), read strictly (alipay.md 9)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date

from core.ports import BillUnreadable, FundEntry, FundKind
from integrations.alipay._bill_file import Form, fen, instant, present, read_table, told_sum

FORM = Form("账务", times=("发生时间",))

_KINDS = {
    "在线支付": FundKind.PAYMENT,
    "交易付款": FundKind.PAYMENT,
    "交易退款": FundKind.REFUND,
    "退款": FundKind.REFUND,
    "收费": FundKind.FEE,
    "退费": FundKind.FEE,
}
_SUMS = {
    True: re.compile(r"#收入合计：([0-9]{1,9})笔，共([-+]?[0-9.]{1,16})元.*"),
    False: re.compile(r"#支出合计：([0-9]{1,9})笔，共([-+]?[0-9.]{1,16})元.*"),
}


def read_fund_flow(content: bytes, *, seller_id: str, day: date) -> tuple[FundEntry, ...]:
    """Read the details of our own account for one day; columns by their names. Raises: BillUnreadable."""
    table = read_table(content, FORM, seller_id=seller_id, day=day)
    entries = tuple(_entry(cells, number) for number, cells in table.details)
    _check_sums(entries, table.trailer)
    return entries


def _entry(cells: Mapping[str, str], number: int) -> FundEntry:
    try:
        moved = _moved(cells["收入金额（+元）"], cells["支出金额（-元）"])
        return FundEntry(
            flow_no=present(cells["账务流水号"]),
            business_no=present(cells["业务流水号"]),
            at=instant(cells["发生时间"]),
            kind=_KINDS.get(cells["业务类型"], FundKind.OTHER),
            income=moved >= 0,
            amount_fen=abs(moved),
            balance_fen=fen(cells["账户余额（元）"]),
        )
    except KeyError as error:
        raise BillUnreadable(f"no column {error.args[0]}") from None
    except ValueError:
        raise BillUnreadable(f"line {number} has a value that does not fit") from None


def _moved(income: str, expense: str) -> int:
    """Fen, below zero where they went out. One of the two is empty or nothing. Raises: ValueError."""
    came, went = fen(income or "0.00"), fen(expense or "0.00")
    if came < 0 or went > 0 or (came and went) or not (income or expense):
        raise ValueError("not one way")
    return came + went


def _check_sums(entries: Sequence[FundEntry], trailer: Sequence[str]) -> None:
    for income, shape in _SUMS.items():
        mine = [one.amount_fen for one in entries if one.income is income]
        if told_sum(trailer, shape) != (len(mine), sum(mine) if income else -sum(mine)):
            raise BillUnreadable("the rows do not add up to the trailer")
