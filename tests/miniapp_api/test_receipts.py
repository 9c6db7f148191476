"""Receipts on the wire: what an operator imports, what waits for the red one, and who is shown what."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from spreadsheet import csv_bytes
from sqlalchemy import select
from ward import Ward, add, book, give
from wire import Phone

from core.receipts.sent_file import HEADINGS
from models.base import new_id
from models.hospital import Hospital
from models.policy import BookingPolicyRow, PolicyLevel

ANYBODY = {"min_identity_level": 0}
CHECK_CODE, URL = "3f9a1c", "https://einvoice.example.cn/r/3f9a1c"


@pytest.fixture
def father(ward: Ward) -> Phone:
    phone = ward.log_in("father")
    ward.ids["dependent_id"] = add(phone, name="测试甲")
    return phone


@pytest.fixture
def visit(ward: Ward, father: Phone) -> dict[str, Any]:
    """A number that he has paid for."""
    made = book(father, ward.schedule(terms=ANYBODY), ward.ids["dependent_id"]).json
    opened = father.post(f"/appointments/{made['id']}/payments", {"channel": "wechat_jsapi"})
    ward.adapters.the_gateway.pay(opened.json["out_trade_no"])
    ward.work(after=timedelta(seconds=6))
    return dict(made)


def run(ward: Ward, *args: str) -> Result:
    return ward.app.test_cli_runner().invoke(args=list(args))


def sent(ward: Ward, folder: Path, *rows: dict[str, str]) -> Result:
    standard = dict.fromkeys(HEADINGS, "") | {
        "hospital_code": hospital_code(ward), "code": "11060126", "check_code": CHECK_CODE, "issued_on": "2026-11-22",
    }  # fmt: skip
    path = folder / "receipts.csv"
    path.write_bytes(csv_bytes([list((standard | one).values()) for one in rows], heads=list(HEADINGS)))
    return run(ward, "import-receipts", str(path))


def hospital_code(ward: Ward) -> str:
    return str(ward.workbench.transactions.read(lambda session, _now: session.scalars(select(Hospital.code)).first()))


def blue(visit: dict[str, Any], **but: str) -> dict[str, str]:
    return {"appointment_number": visit["number"], "number": "0000012345", "amount": "50", "url": URL} | but


def red(visit: dict[str, Any]) -> dict[str, str]:
    of = {"blue_code": "11060126", "blue_number": "0000012345"}
    return blue(visit, number="0000012399", amount="-50", url="", check_code="7b20de") | of


def wants_red_first(ward: Ward) -> None:
    row = {"level": PolicyLevel.PLATFORM, "subject": "", "document": {"red_receipt_before_refund": True}}
    ward.workbench.transactions.write(
        lambda session, now: session.add(BookingPolicyRow(id=new_id(), version=1, updated_at=now, **row))
    )


def test_what_is_imported_is_the_patients_to_read(
    ward: Ward, father: Phone, visit: dict[str, Any], tmp_path: Path
) -> None:
    assert father.get(f"/appointments/{visit['id']}")["receipt"] is None
    done = sent(ward, tmp_path, blue(visit))
    assert (done.exit_code, done.output) == (0, "receipts.csv: 1 new receipts, 0 new red ones, 0 known before\n")
    shown = father.get(f"/appointments/{visit['id']}")["receipt"]
    words = shown.pop("words")
    assert shown == {
        "code": "11060126",
        "number": "0000012345",
        "check_code": CHECK_CODE,
        "url": URL,
        "amount_fen": 5000,
        "issued_on": "2026-11-22",
        "red": None,
    }
    assert ("财政电子票据" in words["zh"], "不是税务发票" in words["zh"]) == (True, True)
    assert "not a tax invoice" in words["en"]
    assert "receipt" not in father.get("/appointments")["items"][0], "no list opens it"
    again = sent(ward, tmp_path, blue(visit))
    assert again.output == "receipts.csv: 0 new receipts, 0 new red ones, 1 known before\n"


def test_under_a_grant_it_is_seen_and_not_opened(
    ward: Ward, father: Phone, visit: dict[str, Any], tmp_path: Path
) -> None:
    sent(ward, tmp_path, blue(visit))
    daughter, payer, stranger = (ward.log_in(name) for name in ("daughter", "payer", "stranger"))
    give(ward, father, ward.ids["dependent_id"], daughter, "see", "book", "pay")
    give(ward, father, ward.ids["dependent_id"], payer, "pay")
    shown = daughter.get(f"/appointments/{visit['id']}")["receipt"]
    assert (shown["number"], shown["amount_fen"]) == ("0000012345", 5000)
    assert (shown["check_code"], shown["url"]) == (None, None)
    for other in (payer, stranger):
        assert other.send("GET", f"/appointments/{visit['id']}").status == 404


def test_the_export_tells_it_in_clear(ward: Ward, father: Phone, visit: dict[str, Any], tmp_path: Path) -> None:
    sent(ward, tmp_path, blue(visit))
    (told,) = father.get("/account/export")["receipts"]
    assert (told["number"], told["check_code"], told["url"]) == ("0000012345", CHECK_CODE, URL)


def test_every_bad_row_is_told_and_nothing_is_written(
    ward: Ward, father: Phone, visit: dict[str, Any], tmp_path: Path
) -> None:
    rows = (blue(visit), blue(visit, number="1"), blue({"number": "000000000000000"}, number="0000012346"))
    done = sent(ward, tmp_path, *rows)
    assert (done.exit_code, done.output.splitlines()) == (
        1,
        [
            "receipts.csv:3 number bad_number: must be 10 digits; a spreadsheet keeps it whole as text",
            "receipts.csv:4 appointment_number no_such_appointment: nothing was booked under that number",
            "2 faults, nothing was written",
        ],
    )
    assert father.get(f"/appointments/{visit['id']}")["receipt"] is None


def test_a_refund_waits_is_listed_and_goes_with_the_red_one(
    ward: Ward, father: Phone, visit: dict[str, Any], tmp_path: Path
) -> None:
    wants_red_first(ward)
    sent(ward, tmp_path, blue(visit))
    assert run(ward, "list-red-receipts").output == ""
    assert father.post(f"/appointments/{visit['id']}/cancellation").status == 200
    ward.work()
    (line,) = run(ward, "list-red-receipts").stdout.splitlines()
    told = json.loads(line)
    assert (told["amount_fen"], told["reason"], told["receipts"]) == (
        5000,
        "cancelled",
        [{"appointment_number": visit["number"], "code": "11060126", "number": "0000012345"}],
    )
    shown = father.get(f"/appointments/{visit['id']}")["refund"]
    assert (shown["status"], "医院正在开具红字票据" in shown["words"]["zh"]) == ("due", True)

    done = sent(ward, tmp_path, red(visit))
    assert done.output == "receipts.csv: 0 new receipts, 1 new red ones, 0 known before\n"
    ward.work()
    assert run(ward, "list-red-receipts").output == ""
    after = father.get(f"/appointments/{visit['id']}")
    assert after["refund"]["status"] == "processing"
    assert (after["receipt"]["number"], after["receipt"]["red"]["number"]) == ("0000012345", "0000012399")
    assert after["receipt"]["red"]["amount_fen"] == -5000
    assert "红字票据" in after["receipt"]["words"]["zh"]


def test_one_that_comes_after_its_money_went_is_told(
    ward: Ward, father: Phone, visit: dict[str, Any], tmp_path: Path
) -> None:
    assert father.post(f"/appointments/{visit['id']}/cancellation").status == 200
    ward.work()
    done = sent(ward, tmp_path, blue(visit))
    assert done.exit_code == 0
    assert "receipts.csv:2 number too_late: " in done.output


def test_one_under_a_wrong_number_is_told_by_its_amount_and_taken_out(
    ward: Ward, father: Phone, visit: dict[str, Any], tmp_path: Path
) -> None:
    done = sent(ward, tmp_path, blue(visit, amount="49.99"))
    assert (done.exit_code, "receipts.csv:2 amount other_price: " in done.output, "50.00" in done.output) == (
        0,
        True,
        True,
    )
    where = ["--appointment", visit["number"], "--operator", "clerk-1"]
    told = run(ward, "take-receipt-out", "11060126", "0000012345", *where)
    assert (told.exit_code, "1 taken out" in told.output) == (0, True)
    assert father.get(f"/appointments/{visit['id']}")["receipt"] is None
    assert "receipt.take_out" in [one["action"] for one in father.get("/account/access-log")["items"]]
    assert run(ward, "take-receipt-out", "11060126", "0000012345", *where).exit_code == 1
    again = sent(ward, tmp_path, blue(visit))
    assert (again.exit_code, "other_price" in again.output) == (0, False)
