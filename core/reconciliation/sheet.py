"""The closing sheet of a merchant's day: its sums, what is not settled, and every line with what we have of it."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import xlsxwriter
from sqlalchemy import or_, select, union_all
from sqlalchemy.orm import Session

from core.clock import HOSPITAL_ZONE, day_begins
from core.ledger.read import balances
from core.reconciliation.match import PAYMENT, REFUND
from models.errors import NotFound
from models.ledger import LedgerAccount
from models.payment import Channel, Payment
from models.reconciliation import BillDay, BillLine, Difference, DifferenceKind

Cell = str | int | Decimal
Rows = Sequence[Sequence[Cell]]

_MATCHED = "相符"
_WORDS = {
    "ours_only": "仅我方有",
    "theirs_only": "仅平台有",
    "amount_differs": "金额不符",
    "state_differs": "状态不符",
    "duplicate": "重复",
    "late": "跨日",
    "orphan": "无对应预约",
}
_KINDS = {PAYMENT: "收款", REFUND: "退款", "movements": "资金流水"}
_COLUMNS = (
    "类型",
    "我方单号",
    "平台单号",
    "时间",
    "金额（元）",
    "手续费（元）",
    "渠道",
    "付款方式",
    "平台状态",
    "结论",
)
_CHANNELS = {
    Channel.WECHAT_JSAPI: "微信支付 JSAPI",
    Channel.WECHAT_H5: "微信支付 H5",
    Channel.ALIPAY_MINIAPP: "支付宝 小程序",
    Channel.ALIPAY_WAP: "支付宝 手机网站",
}
_ACCOUNTS = {
    LedgerAccount.GATEWAY: "平台账户",
    LedgerAccount.CHARGE: "已收未退",
    LedgerAccount.RETURNING: "待退",
    LedgerAccount.FEES: "平台手续费",
    LedgerAccount.DESK: "线下退款",
}
_BEGINS_A_FORMULA = frozenset("=+-@")
_BEGINS_A_CELL = ("\t", "\r", "\n")


@dataclass(frozen=True)
class ClosingSheet:
    """`sums` by their names, `differences` and `lines` under their headings; amounts in yuan."""

    title: str
    sums: Rows
    differences: Rows
    lines: Rows

    def rows(self) -> list[Sequence[Cell]]:
        """All of it, one part below the other."""
        differences = self.differences or [("无",)]
        return [(self.title,), (), *self.sums, (), ("差异",), *differences, (), _COLUMNS, *self.lines]

    def as_csv(self) -> bytes:
        """In UTF-8 with a mark, as spreadsheets open it. No cell of text begins a formula."""
        text = io.StringIO(newline="")
        csv.writer(text).writerows([_harmless(cell) for cell in row] for row in self.rows())
        return b"\xef\xbb\xbf" + text.getvalue().encode()

    def as_xlsx(self) -> bytes:
        """Text is written as text, whatever it looks like."""
        content = io.BytesIO()
        book = xlsxwriter.Workbook(content, {"in_memory": True})
        sheet = book.add_worksheet("对账")
        for number, row in enumerate(self.rows()):
            for column, cell in enumerate(row):
                write = sheet.write_string if isinstance(cell, str) else sheet.write_number
                write(number, column, cell)
        book.close()
        return content.getvalue()


def closing_sheet(session: Session, *, provider: str, merchant: str, day: date) -> ClosingSheet:
    """Of a day whose bill was taken. Raises: NotFound."""
    bill = session.scalars(
        select(BillDay).where(BillDay.provider == provider, BillDay.merchant == merchant, BillDay.day == day)
    ).one_or_none()
    if bill is None:
        raise NotFound()
    lines = list(session.scalars(select(BillLine).where(BillLine.bill_day_id == bill.id).order_by(BillLine.place)))
    differences = _differences(session, bill)
    still_open = sum(one.ended_at is None for one in differences)
    verdicts, ways = _verdicts(bill, differences), _ways(session, bill)
    return ClosingSheet(
        title=f"对账单 {provider} {merchant} {day.isoformat()}",
        sums=[
            *_sums(bill, lines),
            *_books(session, bill),
            ("未结差异", still_open),
        ],
        differences=[_told(one) for one in differences],
        lines=[_line(one, ways.get(one.out_trade_no), verdicts.get((one.kind, one.told_as))) for one in lines],
    )


def _differences(session: Session, bill: BillDay) -> list[Difference]:
    """Those of the day, and those of other days that are about one of its lines."""
    numbers = union_all(
        *(
            select(number).where(BillLine.bill_day_id == bill.id)
            for number in (BillLine.out_trade_no, BillLine.out_refund_no, BillLine.platform_trade_no)
        )
    )
    query = select(Difference).where(
        Difference.provider == bill.provider,
        Difference.merchant == bill.merchant,
        or_(Difference.day == bill.day, Difference.number.in_(numbers)),
    )
    return list(session.scalars(query.order_by(Difference.opened_at, Difference.id)))


def _verdicts(bill: BillDay, differences: Sequence[Difference]) -> dict[tuple[str, str], Difference]:
    """By what a line is told as. What is open stands before what has ended, then the day's own before another's. That
    no bill names it is said of no line."""
    of_lines = [one for one in differences if one.kind is not DifferenceKind.OURS_ONLY]
    found: dict[tuple[str, str], Difference] = {}
    for one in sorted(of_lines, key=lambda one: (one.ended_at is not None, one.day != bill.day)):
        found.setdefault((one.entry, one.number), one)
    return found


def _ways(session: Session, bill: BillDay) -> dict[str, tuple[Channel, str | None]]:
    """By our number, over which channel it was paid and by what, as the platform has told us of the payment."""
    query = (
        select(Payment.out_trade_no, Payment.channel, Payment.funding)
        .join(BillLine, BillLine.out_trade_no == Payment.out_trade_no)
        .where(BillLine.bill_day_id == bill.id, Payment.merchant == bill.merchant)
    )
    return {number: (channel, funding) for number, channel, funding in session.execute(query)}


def _sums(bill: BillDay, lines: Sequence[BillLine]) -> list[Sequence[Cell]]:
    paid = [one.moved_fen for one in lines if one.kind == PAYMENT and one.moved_fen]
    back = [-one.moved_fen for one in lines if one.kind == REFUND and one.moved_fen]
    fees = sum(one.fee_fen for one in lines)
    moved = bill.moved_payments_fen + bill.moved_refunds_fen + bill.moved_fees_fen
    return [
        ("收款", len(paid), _yuan(sum(paid))),
        ("退款", len(back), _yuan(sum(back))),
        ("手续费", "", _yuan(fees)),
        ("应结净额", "", _yuan(sum(paid) - sum(back) - fees)),
        ("资金流水净额", "", _yuan(moved)),
    ]


def _books(session: Session, bill: BillDay) -> list[Sequence[Cell]]:
    """What the day moved in the books, and what stood there when it was over."""
    begins, ends = day_begins(bill.day), day_begins(bill.day + timedelta(days=1))
    named = (
        select(Payment.channel)
        .join(BillLine, BillLine.out_trade_no == Payment.out_trade_no)
        .join(BillDay, BillDay.id == BillLine.bill_day_id)
        .where(BillDay.provider == bill.provider, BillDay.merchant == bill.merchant, Payment.merchant == bill.merchant)
    )
    channels = session.scalars(named.distinct()).all()
    moved = balances(session, merchant=bill.merchant, channels=channels, since=begins, until=ends)
    stood = balances(session, merchant=bill.merchant, channels=channels, until=ends)
    rows: list[Sequence[Cell]] = [("账簿", "当日发生", "日终余额")]
    return rows + [(name, _yuan(moved[one]), _yuan(stood[one])) for one, name in _ACCOUNTS.items()]


def _told(one: Difference) -> Sequence[Cell]:
    facts = "，".join(f"{name}={value}" for name, value in sorted(one.facts.items()))
    ended = "未结" if one.ended_as is None else str(one.ended_as)
    return (_WORDS[one.kind], _KINDS[one.entry], one.number, facts, ended, one.why or "")


def _line(line: BillLine, way: tuple[Channel, str | None] | None, difference: Difference | None) -> Sequence[Cell]:
    channel, funding = ("", None) if way is None else (_CHANNELS[way[0]], way[1])
    return (
        _KINDS[line.kind],
        line.number,
        line.platform_refund_no or line.platform_trade_no,
        f"{line.at.astimezone(HOSPITAL_ZONE):%Y-%m-%d %H:%M:%S}",
        _yuan(line.amount_fen),
        _yuan(line.fee_fen),
        channel,
        funding or "",
        line.state,
        _MATCHED if difference is None else _WORDS[difference.kind],
    )


def _yuan(fen: int) -> Decimal:
    return Decimal(fen).scaleb(-2)


def _harmless(cell: Cell) -> Cell:
    """Whatever the width of the sign, and whatever blank or invisible character stands before it."""
    if not isinstance(cell, str):
        return cell
    seen = (one for one in unicodedata.normalize("NFKC", cell) if one.isprintable() and not one.isspace())
    is_formula = next(seen, "") in _BEGINS_A_FORMULA or cell.startswith(_BEGINS_A_CELL)
    return f"'{cell}" if is_formula else cell
