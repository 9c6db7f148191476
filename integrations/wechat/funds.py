"""WeChat Pay's flow of money of a day, read strictly (wechat.md 4.9).

Source: PAY /docs/merchant/products/bill-download/format-fundflow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from core.ports import BillUnreadable, FundEntry, FundKind
from integrations.wechat._bill_file import fen, instant, read_table, whole_fen, yuan

_KINDS = {"交易": FundKind.PAYMENT, "退款": FundKind.REFUND}
_FEE = "手续费"
"""Stands in the name of every movement that is one, or that gives one back."""


class _Way(StrEnum):
    IN = "收入"
    OUT = "支出"


def read_fund_flow(content: bytes) -> tuple[FundEntry, ...]:
    """Read a file of any account type; columns by their names. Raises: BillUnreadable."""
    table = read_table(content)
    entries = tuple(_entry(cells, number) for number, cells in enumerate(table.details, 2))
    _check_sums(entries, table.summary)
    return entries


def _entry(cells: Mapping[str, str], number: int) -> FundEntry:
    try:
        return FundEntry(
            flow_no=_present(cells["资金流水单号"]),
            business_no=_present(cells["微信支付业务单号"]),
            at=instant(cells["记账时间"]),
            kind=_kind(cells["业务类型"]),
            income=_Way(cells["收支类型"]) is _Way.IN,
            amount_fen=fen(cells["收支金额(元)"]),
            balance_fen=whole_fen(cells["账户结余(元)"]),
        )
    except KeyError as error:
        raise BillUnreadable(f"no column {error.args[0]}") from None
    except ValueError:
        raise BillUnreadable(f"line {number} has a value that does not fit") from None


def _check_sums(entries: Sequence[FundEntry], summary: Mapping[str, str]) -> None:
    incomes = [one.amount_fen for one in entries if one.income]
    expenses = [one.amount_fen for one in entries if not one.income]
    try:
        counts = [yuan(summary[name]) for name in ("资金流水总笔数", "收入笔数", "支出笔数")]
        sums = [fen(summary[name]) for name in ("收入金额", "支出金额")]
    except (KeyError, ValueError):
        raise BillUnreadable("the summary does not fit") from None
    if counts != [len(entries), len(incomes), len(expenses)] or sums != [sum(incomes), sum(expenses)]:
        raise BillUnreadable("the rows do not add up to the summary")


def _kind(word: str) -> FundKind:
    return FundKind.FEE if _FEE in word else _KINDS.get(word, FundKind.OTHER)


def _present(text: str) -> str:
    if not text:
        raise ValueError("nothing")
    return text
