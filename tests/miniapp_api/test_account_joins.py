"""Two wallets over HTTP: an account in each, joined by both; what was booked in one is seen, paid, cancelled and shown
from the other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from people_http import SELF
from two_wallets import ALIPAY, ANYBODY, WECHAT, join, joins, log_in, open_two_wallets, prove, yes
from ward import Ward, add, book
from wire import Phone, Reply

from core.booking.day.visit_pass import read_visit_pass
from core.clock import hospital_day
from models.database import Database


@pytest.fixture
def ward(database: Database, tmp_path: Path) -> Iterator[Ward]:
    with open_two_wallets(database, tmp_path) as opened:
        yield opened


@pytest.fixture
def wechat(ward: Ward) -> Phone:
    return log_in(ward, WECHAT)


@pytest.fixture
def alipay(ward: Ward, wechat: Phone) -> Phone:
    ward.clock.advance(timedelta(minutes=1))
    return log_in(ward, ALIPAY)


@pytest.fixture
def joined(wechat: Phone, alipay: Phone) -> dict[str, Any]:
    return join(wechat, alipay)


def held(ward: Ward, phone: Phone, dependent_id: str) -> str:
    reply = book(phone, ward.schedule(terms=ANYBODY), dependent_id)
    assert reply.status == 201, reply
    return str(reply.json["id"])


def pay(phone: Phone, appointment_id: str, channel: str) -> Reply:
    return phone.post(f"/appointments/{appointment_id}/payments", {"channel": channel})


# --- the way there ---------------------------------------------------------------------------------------------------


def test_an_offer_an_ask_a_join_and_its_undoing_as_the_clients_see_them(
    ward: Ward, wechat: Phone, alipay: Phone
) -> None:
    prove(wechat, WECHAT)
    assert joins(wechat) == joins(alipay) == []
    prove(alipay, ALIPAY)
    (offer,) = joins(wechat)
    today = hospital_day(ward.clock.now()).isoformat()
    assert offer | {"id": ""} == {
        "id": "", "state": "offered", "reason": "phone", "wallet": ALIPAY, "since": today,
        "phone_masked": "138****0000", "waits_for": "you", "asked_until": None, "joined_at": None,
        "undo_before": None, "undone_at": None,
    }  # fmt: skip
    asked = yes(wechat)
    assert (asked["state"], asked["waits_for"]) == ("asked", "other")
    assert [(one["state"], one["waits_for"], one["wallet"]) for one in joins(alipay)] == [("asked", "you", WECHAT)]
    entered = yes(alipay)
    assert (entered["state"], entered["wallet"], entered["undone_at"]) == ("joined", WECHAT, None)
    assert wechat.get("/account")["id"] == alipay.get("/account")["id"]
    undone = alipay.send("DELETE", f"/account/joins/{asked['id']}")
    assert (undone.status, undone.json["state"]) == (200, "undone")
    assert wechat.get("/account")["id"] != alipay.get("/account")["id"]


def test_the_second_yes_is_replayed_byte_for_byte_although_its_account_is_another_one_now(
    ward: Ward, wechat: Phone, alipay: Phone
) -> None:
    prove(wechat, WECHAT)
    prove(alipay, ALIPAY)
    yes(wechat)
    (item,) = joins(alipay)
    first, again = (alipay.post("/account/joins", {"join_id": item["id"]}, key="k" * 20) for _ in range(2))
    assert (first.status, first.body) == (again.status, again.body) == (201, first.body)


def test_an_account_without_a_proof_sees_and_joins_nothing(ward: Ward, wechat: Phone, alipay: Phone) -> None:
    prove(alipay, ALIPAY)
    assert joins(wechat) == joins(alipay) == []
    prove(wechat, WECHAT)
    (offer,) = joins(wechat)
    ward.clock.advance(timedelta(minutes=30))
    assert joins(wechat) == []
    refused = wechat.post("/account/joins", {"join_id": offer["id"]})
    assert (refused.status, refused.code) == (409, "phone_refused")


def test_nothing_of_the_other_account_stands_in_any_reply_before_both_said_yes(
    ward: Ward, wechat: Phone, alipay: Phone
) -> None:
    dependent_id = add(alipay)
    appointment_id = held(ward, alipay, dependent_id)
    account_id = alipay.get("/account")["id"]
    prove(wechat, WECHAT)
    prove(alipay, ALIPAY)
    yes(alipay)
    for path in ("/account", "/account/joins", "/dependents", "/appointments", "/account/consents"):
        text = wechat.send("GET", path).body.decode()
        assert not [one for one in (dependent_id, appointment_id, account_id, "测") if one in text], path
    assert wechat.send("GET", f"/appointments/{appointment_id}").code == "not_found"


# --- one account in two wallets --------------------------------------------------------------------------------------


def test_both_logins_work_at_once_after_the_join_and_after_its_undoing(
    ward: Ward, wechat: Phone, alipay: Phone, joined: dict[str, Any]
) -> None:
    one = wechat.get("/account")
    assert alipay.get("/account") == one
    fresh = log_in(ward, ALIPAY)
    assert fresh.get("/account")["id"] == one["id"]
    assert wechat.send("DELETE", f"/account/joins/{joined['id']}").status == 200
    assert wechat.get("/account")["id"] == one["id"]
    assert fresh.get("/account") == alipay.get("/account")
    assert alipay.get("/account")["id"] != one["id"]
    assert log_in(ward, ALIPAY).get("/account")["id"] == alipay.get("/account")["id"]


def test_booked_in_one_wallet_it_is_seen_paid_and_shown_from_the_other(
    ward: Ward, wechat: Phone, alipay: Phone, joined: dict[str, Any]
) -> None:
    appointment_id = held(ward, wechat, add(wechat))
    assert [one["id"] for one in alipay.get("/appointments")["items"]] == [appointment_id]
    opened = pay(alipay, appointment_id, "alipay_miniapp")
    assert (opened.status, opened.json["channel"]) == (201, "alipay_miniapp")
    ward.adapters.gateway_of("alipay_miniapp", "demo", "patient").pay(opened.json["out_trade_no"])  # type: ignore[attr-defined]
    ward.work(after=timedelta(seconds=6))
    for phone in (wechat, alipay):
        seen = phone.get(f"/appointments/{appointment_id}")
        assert (seen["status"], seen["payment"]["channel"]) == ("booked", "alipay_miniapp")
        code = phone.get(f"/appointments/{appointment_id}/visit-pass")["code"]
        found = ward.workbench.transactions.read(
            lambda session, now, code=code: read_visit_pass(session, ward.workbench.tickets, code, now=now)  # type: ignore[misc]
        )
        assert str(found.id) == appointment_id


def test_the_other_wallet_first_closes_the_prepay_that_stands(
    ward: Ward, wechat: Phone, alipay: Phone, joined: dict[str, Any]
) -> None:
    appointment_id = held(ward, wechat, add(wechat))
    first = pay(wechat, appointment_id, "wechat_jsapi").json
    second = pay(alipay, appointment_id, "alipay_miniapp").json
    assert first["id"] != second["id"]
    assert ("close_payment", first["out_trade_no"]) in ward.adapters.the_gateway.calls
    assert wechat.get(f"/payments/{first['id']}")["status"] == "closed"
    assert wechat.get(f"/payments/{second['id']}")["status"] == "pending"
    assert pay(wechat, appointment_id, "alipay_miniapp").code == "validation_failed"  # not where it is logged in


def test_what_was_booked_before_the_join_is_paid_and_cancelled_from_the_other_wallet(
    ward: Ward, wechat: Phone, alipay: Phone
) -> None:
    appointment_id = held(ward, alipay, add(alipay))
    opened = pay(alipay, appointment_id, "alipay_miniapp").json
    prove(wechat, WECHAT)
    prove(alipay, ALIPAY)
    yes(wechat)
    yes(alipay)
    ward.adapters.gateway_of("alipay_miniapp", "demo", "patient").pay(opened["out_trade_no"])  # type: ignore[attr-defined]
    ward.work(after=timedelta(seconds=6))
    assert wechat.get(f"/appointments/{appointment_id}")["status"] == "booked"
    cancelled = wechat.post(f"/appointments/{appointment_id}/cancellation")
    assert (cancelled.status, cancelled.json["status"], cancelled.json["refund"]["amount_fen"]) == (
        200,
        "cancelled",
        5000,
    )
    ward.work(after=timedelta(seconds=6))
    assert alipay.get(f"/appointments/{appointment_id}")["refund"]["status"] != "due"


def test_a_request_under_way_across_a_join_is_asked_to_come_again(
    ward: Ward, wechat: Phone, alipay: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its account is looked up first; then the join comes; then it looks for what is somewhere else by now."""
    appointment_id = held(ward, alipay, add(alipay))
    prove(wechat, WECHAT)
    prove(alipay, ALIPAY)
    yes(wechat)
    handle = ward.app.view_functions["appointments.cancel_own_appointment"]

    def late(**given: Any) -> Any:
        monkeypatch.undo()
        yes(alipay)
        return handle(**given)

    monkeypatch.setitem(ward.app.view_functions, "appointments.cancel_own_appointment", late)
    path = f"/appointments/{appointment_id}/cancellation"
    first = alipay.send("POST", path, {}, key="k" * 20)
    assert (first.status, first.code) == (503, "overloaded")
    assert alipay.send("POST", path, {}, key="k" * 20).json["status"] == "cancelled"


def test_a_person_who_was_in_both_is_there_once(ward: Ward, wechat: Phone, alipay: Phone) -> None:
    for phone, provider in ((wechat, WECHAT), (alipay, ALIPAY)):
        add(phone)
        prove(phone, provider)
    booked = book(alipay, ward.schedule(terms=ANYBODY), alipay.get("/dependents")["items"][0]["id"], "on_site").json
    yes(wechat)
    yes(alipay)
    (dependent,) = alipay.get("/dependents")["items"]
    found = wechat.get(f"/appointments?dependent_id={dependent['id']}")["items"]
    assert [one["id"] for one in found] == [booked["id"]]
    assert SELF["phone"] not in str(found)
