"""The closing sheet says what the day came to, and no spreadsheet computes anything of what it says."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date, timedelta

import pytest
from bills import FakeBills, another_paid, with_a_stranger, with_another_movement, without_last
from fakes import FakeAdapters
from harness import REQUEST, Patient

from core.catalog.workbook import first_sheet, grid
from core.clock import hospital_day
from core.ports import BillEntry, BillKind, BillState
from core.reconciliation.day import MerchantDay, reconcile
from core.reconciliation.desk import list_open, say_of
from core.reconciliation.sheet import ClosingSheet, closing_sheet
from models.errors import NotFound


@pytest.fixture
def bills(adapters: FakeAdapters) -> FakeBills:
    made = FakeBills(adapters.the_gateway, fee_per_mille=6)
    adapters.bills[made.provider, made.merchant] = made
    return made


def sheet_of(patient: Patient, day: date | None = None) -> ClosingSheet:
    return patient.read(
        lambda session: closing_sheet(
            session, provider="wechat_pay", merchant="demo", day=day or hospital_day(patient.clock.now())
        )
    )


def close_day(patient: Patient) -> ClosingSheet:
    day = hospital_day(patient.clock.now())
    reconcile(patient.workbench, MerchantDay("wechat_pay", "demo", day), cause=REQUEST)
    return sheet_of(patient)


def sums(sheet: ClosingSheet) -> dict[str, list[str]]:
    return {str(row[0]): [str(cell) for cell in row[1:]] for row in sheet.sums}


def test_it_says_what_came_went_and_was_taken(patient: Patient, bills: FakeBills) -> None:
    patient.paid()
    said = sums(close_day(patient))
    assert said["收款"] == ["1", "50.00"]
    assert said["退款"] == ["0", "0.00"]
    assert said["手续费"] == ["", "0.30"]
    assert said["应结净额"] == said["资金流水净额"] == ["", "49.70"]
    assert said["平台账户"] == ["49.70", "49.70"]
    assert said["已收未退"] == ["-50.00", "-50.00"]
    assert said["未结差异"] == ["0"]


def test_the_books_of_another_platform_under_the_same_name_are_not_in_it(patient: Patient, bills: FakeBills) -> None:
    patient.paid()
    sheet = close_day(patient)
    theirs = FakeBills(patient.gateway)
    theirs.provider, theirs.spoil, theirs.spoil_funds = "alipay", lambda _entries: [], lambda _funds: []
    patient.adapters.bills["alipay", "demo"] = theirs
    day = hospital_day(patient.clock.now())
    reconcile(patient.workbench, MerchantDay("alipay", "demo", day), cause=REQUEST)
    other = patient.read(lambda session: closing_sheet(session, provider="alipay", merchant="demo", day=day))
    assert sums(other)["平台账户"] == ["0.00", "0.00"]
    assert sums(sheet)["平台账户"] == ["49.70", "49.70"]


def test_each_line_says_over_which_channel_it_was_paid_and_by_what(patient: Patient, bills: FakeBills) -> None:
    patient.cancel(patient.paid())
    patient.work(after=timedelta(seconds=1))
    bills.spoil = with_a_stranger
    sheet = close_day(patient)
    headings = next(row for row in sheet.rows() if row and row[0] == "类型")
    place = headings.index("渠道")
    assert headings[place + 1] == "付款方式"
    paid, back, stranger = (tuple(row[place : place + 2]) for row in sheet.lines)
    assert paid == back == ("微信支付 JSAPI", "BANK")
    assert stranger == ("", "")


def test_each_line_says_what_became_of_it(patient: Patient, bills: FakeBills) -> None:
    patient.cancel(patient.paid())
    patient.work(after=timedelta(seconds=1))
    bills.spoil = with_a_stranger
    sheet = close_day(patient)
    assert [(row[0], row[-1]) for row in sheet.lines] == [("收款", "相符"), ("退款", "相符"), ("收款", "仅平台有")]
    assert ("仅平台有", "收款", "P" + "0" * 25) in [tuple(row[:3]) for row in sheet.differences]
    assert sums(sheet)["未结差异"] == [str(len(sheet.differences))]


def of_the_first(entries: list[BillEntry], state: BillState, number: str | None) -> BillEntry:
    """A refund of what the bill names first, told without fees."""
    return replace(entries[0], kind=BillKind.REFUND, state=state, out_refund_no=number, fee_fen=0)


def test_money_that_did_not_move_is_in_no_sum(patient: Patient, bills: FakeBills) -> None:
    """Taken back by the payer's bank, or never delivered: a line of the bill, and nothing in the account."""
    patient.paid()
    bills.spoil = lambda entries: [
        *entries,
        replace(entries[0], out_trade_no="P" + "0" * 25, fee_fen=0, state=BillState.REVOKED),
        of_the_first(entries, BillState.NOT_REFUNDED, "R" + "0" * 25),
        of_the_first(entries, BillState.REFUNDING, "R" + "1" * 25),
    ]
    said = sums(close_day(patient))
    assert (said["收款"], said["退款"]) == (["1", "50.00"], ["1", "50.00"])
    assert said["应结净额"] == ["", "-0.30"]


def test_a_refund_under_none_of_our_numbers_does_not_agree_on_any_day(patient: Patient, bills: FakeBills) -> None:
    """As from the platform's own console. Two of one payment on two days are one difference, also when it has ended."""
    patient.paid()
    first = bills.trade_bill(hospital_day(patient.clock.now()))
    console = of_the_first(list(first), BillState.REFUNDED, None)
    bills.spoil = lambda entries: [*entries, console]
    sheet = close_day(patient)
    assert [(row[0], row[1], row[-1]) for row in sheet.lines if row[0] == "退款"] == [("退款", "", "仅平台有")]
    rest(patient)
    patient.clock.advance(timedelta(days=1))
    bills.spoil = lambda entries: [*entries, replace(console, amount_fen=100)]
    bills.spoil_funds = with_another_movement
    assert [row[-1] for row in close_day(patient).lines] == ["仅平台有"]


def rest(patient: Patient) -> None:
    """Two people have ended whatever is open."""
    for one in patient.read(lambda session: list_open(session, merchant=None, limit=99)):
        patient.write(lambda session, now, of=one.id: say_of(session, of, operator="clerk-1", why="已核对", now=now))
        patient.write(lambda session, now, of=one.id: say_of(session, of, operator="clerk-2", why="已核对", now=now))


def test_what_the_line_is_now_stands_before_what_it_was(patient: Patient, bills: FakeBills) -> None:
    """Missing in the bill of its own day, and in the next: that one says late, and not that nobody but us has it."""
    another_paid(patient)
    patient.paid()
    missing = bills.trade_bill(hospital_day(patient.clock.now()))[-1:]
    bills.spoil = without_last
    assert "仅我方有" in {row[0] for row in close_day(patient).differences}
    patient.clock.advance(timedelta(days=1))
    bills.spoil, bills.spoil_funds = lambda entries: [*entries, *missing], with_another_movement
    sheet = close_day(patient)
    assert {row[0] for row in sheet.differences} >= {"仅我方有", "跨日"}
    assert [row[-1] for row in sheet.lines] == ["跨日"]


def test_what_is_open_stands_before_what_has_ended(patient: Patient, bills: FakeBills) -> None:
    """Late is done with as soon as it is told; that the bill has it twice is not."""
    patient.paid()
    missing = bills.trade_bill(hospital_day(patient.clock.now()))
    patient.clock.advance(timedelta(days=1))
    bills.spoil, bills.spoil_funds = lambda entries: [*entries, *missing, *missing], with_another_movement
    sheet = close_day(patient)
    assert [(row[0], row[4]) for row in sheet.differences if row[1] == "收款"] == [("跨日", "found"), ("重复", "未结")]
    assert [row[-1] for row in sheet.lines] == ["重复", "重复"]


def test_a_day_that_was_not_taken_has_none(patient: Patient, bills: FakeBills) -> None:
    with pytest.raises(NotFound):
        sheet_of(patient)


WIDE = ("＝1+1", "＋1", "－1", "＠SUM(A1)", "﹦1", " =1", "\u3000＝1", "\ufeff=1", "\n=1")
HOSTILE = (*WIDE, "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x","y")', "http://example.com")


def hostile() -> ClosingSheet:
    return ClosingSheet("=title", [("收款", 1)], [(one, one) for one in HOSTILE], [HOSTILE])


def test_no_cell_of_the_csv_begins_a_formula() -> None:
    content = hostile().as_csv()
    assert content.startswith(b"\xef\xbb\xbf")
    cells = [cell for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")) for cell in row]
    assert [cell for cell in cells if cell[:1] in {"=", "+", "-", "@", "\t", "\r"}] == []
    assert "'=1+1" in cells
    assert {f"'{one}" for one in WIDE} <= set(cells)


def test_amounts_below_zero_stay_numbers(patient: Patient, bills: FakeBills) -> None:
    patient.paid()
    text = close_day(patient).as_csv().decode("utf-8-sig")
    assert "已收未退,-50.00,-50.00" in text


def test_the_workbook_holds_no_formula_and_the_same_cells(patient: Patient, bills: FakeBills) -> None:
    patient.paid()
    for sheet in (hostile(), close_day(patient)):
        rows = list(grid(first_sheet(sheet.as_xlsx(), most_rows=1000)))
        assert [row.number for _, _, row in rows if row.formulas] == []
        said = {cell for _, cells, _ in rows for cell in cells}
        assert {str(row[0]) for row in sheet.sums} <= said
        if sheet.differences:
            assert {"=1+1", "@SUM(A1)"} <= said
