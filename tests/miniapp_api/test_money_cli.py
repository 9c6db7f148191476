"""A day's reconciliation by command: what an operator types, reads, and is told by the exit code."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from bills import FakeBills, with_a_stranger
from click.testing import Result
from ward import Ward, add, book

from core.clock import hospital_day
from core.ports import ProviderRefused, ProviderUnavailable, RefundState
from miniapp_api.services import EXTENSION
from models.database import Database


@pytest.fixture
def bills(ward: Ward) -> FakeBills:
    made = FakeBills(ward.adapters.the_gateway)
    ward.adapters.bills[made.provider, made.merchant] = made
    return made


CARD = ("6222 0202 0011 2233 445", "张三")


def run(ward: Ward, *args: str, typed: tuple[str, ...] = ()) -> Result:
    return ward.app.test_cli_runner().invoke(args=list(args), input="".join(f"{line}\n" for line in typed))


def day(ward: Ward, *, back: int = 1) -> tuple[str, str, str]:
    """Yesterday, in what was paid then."""
    return ("wechat_pay", "demo", (hospital_day(ward.clock.now()) - timedelta(days=back)).isoformat())


def said(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def pay(ward: Ward) -> None:
    an = ward.log_in("an")
    made = book(an, ward.schedule(terms={"min_identity_level": 0}), add(an), "online").json
    assert an.post(f"/appointments/{made['id']}/payments", {"channel": "wechat_jsapi"}).status == 201
    (number,) = ward.adapters.the_gateway.orders
    ward.adapters.the_gateway.pay(number)
    ward.work()


def night(ward: Ward, bills: FakeBills) -> None:
    """The day is over, and the platform has not made its bill yet."""
    bills.ready = False
    ward.work(after=timedelta(days=1))
    bills.ready = True


def test_from_the_bill_to_the_two_people(ward: Ward, bills: FakeBills, tmp_path: Path) -> None:
    pay(ward)
    night(ward, bills)
    bills.spoil = with_a_stranger
    first = run(ward, "reconcile-day", *day(ward))
    assert (first.exit_code, {one["kind"] for one in said(first)}) == (1, {"theirs_only", "amount_differs"})
    assert run(ward, "reconcile-day", *day(ward)).stdout == first.stdout
    listed = run(ward, "list-differences", "--merchant", "demo")
    assert (listed.exit_code, len(said(listed))) == (0, 2)
    assert said(run(ward, "list-differences", "--merchant", "other")) == []
    (stranger,) = [one["id"] for one in said(listed) if one["kind"] == "theirs_only"]
    give_back = ("give-back-unknown", stranger, "--why", "恢复后丢失的订单", "--operator")
    refused = run(ward, *give_back, "clerk-1")
    assert (refused.exit_code, refused.output.strip()) == (1, "not_our_number")
    for one in said(listed):
        end = ("end-difference", one["id"], "--why", "平台测试单，已核对", "--operator")
        assert run(ward, *end, "clerk-1").exit_code == 2
        assert run(ward, *end, "clerk-1").exit_code == 2, "the same person twice is one person"
        assert said(run(ward, *end, "clerk-2")) == [{"difference": one["id"], "ended": True}]
    assert run(ward, "reconcile-day", *day(ward)).exit_code == 0

    printed = run(ward, "closing-sheet", *day(ward))
    assert (printed.exit_code, "仅平台有" in printed.stdout) == (0, True)
    for name in ("day.csv", "day.xlsx"):
        assert run(ward, "closing-sheet", *day(ward), "--to", str(tmp_path / name)).exit_code == 0
    rows = list(csv.reader(io.StringIO((tmp_path / "day.csv").read_text("utf-8-sig"))))
    assert rows[0][0].startswith("对账单 wechat_pay demo")
    assert (tmp_path / "day.xlsx").read_bytes().startswith(b"PK")


def test_a_day_that_agrees(ward: Ward, bills: FakeBills) -> None:
    pay(ward)
    night(ward, bills)
    assert run(ward, "reconcile-day", *day(ward)).exit_code == 0
    assert said(run(ward, "list-differences")) == []


@pytest.mark.parametrize("back", [0, -1])
def test_a_day_that_is_not_over_is_not_taken(ward: Ward, bills: FakeBills, back: int) -> None:
    """Its bill would be another one by the evening, and no other is taken for a day that was."""
    too_soon = run(ward, "reconcile-day", *day(ward, back=back))
    assert (too_soon.exit_code, "day_not_over" in too_soon.output, bills.asked) == (1, True, [])


def test_a_database_that_is_away_is_told(ward: Ward, bills: FakeBills) -> None:
    transactions = ward.app.extensions[EXTENSION].workbench.transactions
    transactions.database.close()
    transactions.database = Database("postgresql://nobody@127.0.0.1:1/none")
    said_by = ("--why", "x", "--operator", "clerk-1")
    for command in (
        ("reconcile-day", *day(ward)),
        ("list-differences",),
        ("end-difference", str(uuid4()), *said_by),
        ("give-back-unknown", str(uuid4()), *said_by),
        ("closing-sheet", *day(ward)),
        ("list-refunds",),
        ("decide-refund", str(uuid4()), "--way", "again", *said_by),
        ("refund-to-card", str(uuid4()), "--bank", "ICBC_DEBIT", *said_by),
    ):
        result = run(ward, *command, typed=CARD)
        assert (result.exit_code, "busy or away (overloaded)" in result.output) == (1, True), command


def test_what_cannot_be_done_is_told(ward: Ward, bills: FakeBills, tmp_path: Path) -> None:
    bills.ready = False
    not_ready = run(ward, "reconcile-day", *day(ward))
    assert (not_ready.exit_code, "bill_not_ready" in not_ready.output) == (1, True)
    nobody = run(ward, "reconcile-day", "alipay", *day(ward)[1:])
    assert (nobody.exit_code, "no_such_merchant" in nobody.output) == (1, True)
    not_taken = run(ward, "closing-sheet", *day(ward))
    assert (not_taken.exit_code, "not_found" in not_taken.output) == (1, True)
    assert run(ward, "reconcile-day", "wechat_pay", "demo", "yesterday").exit_code == 2
    unknown = "01a21aee-2ef4-7046-bb6f-56d0f919a000"
    for words, code in (
        (("end-difference", unknown, "--why", "x", "--operator", "clerk-1"), 1),
        (("end-difference", unknown, "--why", "x\x07", "--operator", "clerk-1"), 2),
        (("end-difference", unknown, "--why", " ", "--operator", "clerk-1"), 2),
        (("end-difference", unknown, "--why", "x"), 2),
        (("give-back-unknown", unknown, "--why", "x", "--operator", "clerk-1"), 1),
        (("give-back-unknown", unknown, "--why", " ", "--operator", "clerk-1"), 2),
    ):
        assert run(ward, *words).exit_code == code, words
    bills.ready = True
    assert run(ward, "reconcile-day", *day(ward)).exit_code == 0
    assert run(ward, "closing-sheet", *day(ward), "--to", str(tmp_path / "day.doc")).exit_code == 2


def test_a_refund_that_is_left_to_people_takes_two_of_them(ward: Ward, bills: FakeBills) -> None:
    pay(ward)
    an = ward.log_in("an")
    (appointment,) = an.get("/appointments")["items"]
    ward.adapters.the_gateway.refuse_refunds = ProviderRefused("USER_ACCOUNT_ABNORMAL")
    assert an.post(f"/appointments/{appointment['id']}/cancellation").status == 200
    ward.work()
    (waits,) = said(run(ward, "list-refunds"))
    assert (waits["status"], waits["amount_fen"], waits["last_refusal"]) == ("desk", 5000, "USER_ACCOUNT_ABNORMAL")
    assert waits["first_by"] is None

    def decide(way: str, operator: str, refund: str = waits["id"]) -> Result:
        return run(ward, "decide-refund", refund, "--way", way, "--why", "柜台现金退款", "--operator", operator)

    assert decide("by-hand", "clerk-1").exit_code == 2
    assert said(run(ward, "list-refunds"))[0]["first_by"] == "clerk-1"
    refused = decide("again", "clerk-2")
    assert (refused.exit_code, "other_way_proposed" in refused.output) == (1, True)
    assert said(decide("by-hand", "clerk-2")) == [{"refund": waits["id"], "decided": True}]
    ward.clock.advance(timedelta(seconds=11))
    ward.work()
    assert said(run(ward, "list-refunds")) == []
    late, nobody = decide("by-hand", "clerk-3"), decide("by-hand", "clerk-3", refund=str(uuid4()))
    assert ("not_at_desk" in late.output, "not_found" in nobody.output) == (True, True)
    assert an.get(f"/appointments/{appointment['id']}")["refund"]["status"] == "succeeded"
    night(ward, bills)
    # The platform knows of no such refund, and no bill is expected to name one.
    assert run(ward, "reconcile-day", *day(ward)).exit_code == 0


def test_a_refund_goes_to_the_card_that_two_people_type_and_nobody_is_shown(ward: Ward) -> None:
    pay(ward)
    gateway, an = ward.adapters.the_gateway, ward.log_in("an")
    (appointment,) = an.get("/appointments")["items"]
    gateway.refund_settles_as = RefundState.ABNORMAL
    assert an.post(f"/appointments/{appointment['id']}/cancellation").status == 200
    ward.work()
    (waits,) = said(run(ward, "list-refunds"))
    assert (waits["status"], waits["waits_since"] >= waits["since"]) == ("abnormal", True)
    of = ("refund-to-card", waits["id"], "--why", "患者提供新卡")

    def say(operator: str, typed: tuple[str, ...] = CARD, bank: str = "ICBC_DEBIT") -> Result:
        result = run(ward, *of, "--bank", bank, "--operator", operator, typed=typed)
        assert not [one for one in typed if one.strip() and one in result.output], "what was typed is not shown"
        return result

    for why in ("新卡 6222-0202-0011-2233-445", "给张三的新卡"):  # a reason is kept, and read by others
        kept = run(ward, *of[:3], why, "--bank", "ICBC_DEBIT", "--operator", "clerk-1", typed=CARD)
        assert (kept.exit_code, "says nothing of the card" in kept.output) == (2, True)
    assert said(run(ward, "list-refunds"))[0]["first_by"] is None
    assert say("clerk-1", ("6222", "1" * 20, "x" * 12, CARD[0], " ", "名" * 51, CARD[1])).exit_code == 2
    (waits,) = said(run(ward, "list-refunds"))
    assert (waits["way"], waits["first_by"]) == ("to_card", "clerk-1")
    for typed, bank, code in (
        ((CARD[0], "李四"), "ICBC_DEBIT", "other_card"),
        (CARD, "CMB_DEBIT", "other_card"),
        (CARD, "ICBC_CREDIT", "bank_not_taken"),
    ):
        refused = say("clerk-2", typed, bank)
        assert (refused.exit_code, code in refused.output) == (1, True)
    gateway.refuse_cards = ProviderRefused("ACCOUNT_ERROR")
    refused = say("clerk-2")
    assert (refused.exit_code, "ACCOUNT_ERROR" in refused.output) == (1, True)
    gateway.refuse_cards = None
    assert say("clerk-1").exit_code == 2
    sent = say("clerk-2", ("6222020200112233445", "张三"))
    assert (sent.exit_code, said(sent)) == (0, [{"refund": waits["id"], "decided": True, "status": "processing"}])
    late, nobody = say("clerk-3"), run(ward, "refund-to-card", str(uuid4()), *of[2:], *NEVER, typed=CARD)
    assert ("not_at_desk" in late.output, "not_found" in nobody.output) == (True, True)
    assert run(ward, "decide-refund", waits["id"], "--way", "to-card", *of[2:], "--operator", "x").exit_code == 2


NEVER = ("--bank", "ICBC_DEBIT", "--operator", "clerk-1")


@pytest.mark.parametrize(("is_sent", "code"), [(True, "outcome_unknown"), (False, "provider_unavailable")])
def test_who_is_not_answered_is_told_whether_it_may_have_been_done(ward: Ward, is_sent: bool, code: str) -> None:
    pay(ward)
    gateway, an = ward.adapters.the_gateway, ward.log_in("an")
    (appointment,) = an.get("/appointments")["items"]
    gateway.refund_settles_as = RefundState.ABNORMAL
    assert an.post(f"/appointments/{appointment['id']}/cancellation").status == 200
    ward.work()
    (waits,) = said(run(ward, "list-refunds"))
    gateway.refuse_cards = ProviderUnavailable("timeout", sent=is_sent)
    for operator, exit_code in (("clerk-1", 2), ("clerk-2", 1)):
        by = ("--bank", "ICBC_DEBIT", "--why", "x", "--operator", operator)
        result = run(ward, "refund-to-card", waits["id"], *by, typed=CARD)
        assert result.exit_code == exit_code
    assert code in result.output
