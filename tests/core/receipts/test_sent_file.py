"""The file of a hospital's finance system: what is on the face of a receipt, and every row that cannot be one."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from spreadsheet import csv_bytes, xlsx_bytes

from core.ports import Issued, ReceiptName
from core.receipts import sent_file
from core.receipts.sent_file import HEADINGS, SentFile

EXAMPLE = Path(__file__).parents[3] / "docs" / "operations" / "receipts.csv"
BLUE = {
    "hospital_code": "H1", "appointment_number": "261122048213975", "code": "11060126", "number": "0000012345",
    "check_code": "3f9a1c", "issued_on": "2026-11-25", "amount": "25.00", "url": "https://einvoice.example.cn/r/1?a=b",
    "blue_code": "", "blue_number": "",
}  # fmt: skip
RED = BLUE | {"number": "0000012399", "amount": "-25", "blue_code": "11060126", "blue_number": "0000012345", "url": ""}


def row(**but: str) -> list[str]:
    return list((BLUE | but).values())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "receipts.csv"


def read(path: Path, *rows: list[str], heads: list[str] | None = None) -> Issued:
    path.write_bytes(csv_bytes(rows, heads=heads or list(HEADINGS)))
    return SentFile(path).issued()


def faults(path: Path, **but: str) -> list[tuple[str, str]]:
    issued = read(path, row(**but))
    assert issued.receipts == [], "a bad row is none"
    return [(one.column, one.code) for one in issued.unread]


def test_a_blue_and_a_red_one_are_read_as_on_their_face(path: Path) -> None:
    issued = read(path, row(), list(RED.values()))
    blue, red = issued.receipts
    assert (issued.unread, blue.source, blue.line, red.line) == ([], "receipts.csv", 2, 3)
    assert (blue.hospital, blue.appointment, blue.name) == ("H1", "261122048213975", ("11060126", "0000012345"))
    assert (blue.check_code, blue.url, blue.amount_fen, blue.issued_on, blue.reddens) == (
        "3f9a1c", "https://einvoice.example.cn/r/1?a=b", 2500, date(2026, 11, 25), None,
    )  # fmt: skip
    assert (red.amount_fen, red.url, red.reddens) == (-2500, None, ReceiptName("11060126", "0000012345"))


def test_chinese_headings_another_order_and_what_may_be_absent(path: Path) -> None:
    heads = [HEADINGS[one] for one in BLUE if one not in ("url", "blue_code", "blue_number")]
    cells = [value for name, value in BLUE.items() if name not in ("url", "blue_code", "blue_number")]
    (one,) = read(path, cells[::-1], heads=heads[::-1]).receipts
    assert (one.url, one.reddens, one.check_code) == (None, None, "3f9a1c")


def test_the_example_of_the_clerks_page_is_read(tmp_path: Path) -> None:
    issued = SentFile(EXAMPLE).issued()
    assert (issued.unread, [one.amount_fen for one in issued.receipts]) == ([], [2500, -2500])
    assert issued.receipts[1].reddens == issued.receipts[0].name


def test_a_workbook_that_lost_its_leading_zeros_says_so(tmp_path: Path) -> None:
    path = tmp_path / "receipts.xlsx"
    path.write_bytes(xlsx_bytes([list(HEADINGS), row(), row(number="12345")]))
    issued = SentFile(path).issued()
    assert [one.name.number for one in issued.receipts] == ["0000012345"]
    (fault,) = issued.unread
    assert (fault.column, fault.code) == ("number", "bad_number")
    assert "as text" in fault.detail


@pytest.mark.parametrize(
    ("but", "expected"),
    [
        ({"code": "1106012"}, [("code", "bad_number")]),
        ({"code": "110601266"}, [("code", "bad_number")]),
        ({"number": ""}, [("number", "required")]),
        ({"check_code": "3f9a1"}, [("check_code", "bad_number")]),
        ({"check_code": "3f9a1é"}, [("check_code", "bad_number")]),
        ({"issued_on": "2026-13-01"}, [("issued_on", "bad_date")]),
        ({"amount": "0"}, [("amount", "bad_amount")]),
        ({"amount": "-25"}, [("amount", "bad_amount")]),
        ({"amount": "25.001"}, [("amount", "bad_amount")]),
        ({"amount": ""}, [("amount", "required")]),
        ({"blue_code": "11060126"}, [("amount", "bad_amount"), ("blue_number", "required")]),
        ({"blue_code": "11060126", "blue_number": "0000012345"}, [("amount", "bad_amount")]),
        ({"appointment_number": ""}, [("appointment_number", "required")]),
        ({"code": "x", "number": "y"}, [("code", "bad_number"), ("number", "bad_number")]),
    ],
)
def test_every_bad_cell_is_named(path: Path, but: dict[str, str], expected: list[tuple[str, str]]) -> None:
    assert sorted(faults(path, **but)) == sorted(expected)


@pytest.mark.parametrize(
    "url",
    [
        "http://einvoice.example.cn/r/1",
        "javascript:alert(1)",
        "https://clerk@einvoice.example.cn/r/1",
        "https://einvoice.example.cn:8443/r/1",
        "https:///r/1",
        "https://einvoice.example.cn/票据",
        "https://einvoice.example.cn/r/ 1",
        "https://[::1/r",
        "https://[::1]/r",
        "https://10.0.0.1/r",
        "https://localhost/r",
        "https://./r",
        "https://.example.cn/r",
        "https://einvoice.example.cn/r\\r",
        'https://einvoice.example.cn/r"onclick=',
        "https://einvoice.example.cn/<r",
        "https://einvoice.example.cn/r>",
        "https://einvoice.example.cn/" + "r" * 473,
    ],
)
def test_a_link_leads_over_https_to_a_host_by_its_name(path: Path, url: str) -> None:
    assert faults(path, url=url) == [("url", "bad_link")]


def test_a_link_may_be_as_long_as_links_are(path: Path) -> None:
    url = "https://einvoice.example.cn/" + "r" * 472
    assert (len(url), read(path, row(url=url)).receipts[0].url) == (500, url)


def test_a_file_that_would_hold_up_too_many_is_sent_in_parts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent_file, "MOST_ROWS", 2)
    assert len(read(path, row(), row()).receipts) == 2
    issued = read(path, row(), row(), row())
    assert (list(issued.receipts), [one.code for one in issued.unread]) == ([], ["too_many_rows"])
