"""L-05 to L-07, L-15: all that is kept is told, whoever looked is named, and an account can be closed."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from people import resident_id
from people_http import SELF
from sqlalchemy import select, text
from ward import Ward, add, book
from wire import Phone, Reply

from core.ports import TradeState
from core.rights.holdings import HOLDINGS, NOT_TOLD
from core.rights.retention import RETENTION
from models import Base
from models.account import Account, PlatformIdentity
from models.database import Database
from models.person import Dependent, PersonIdentifier

ANYBODY = {"min_identity_level": 0}
MOBILE = "phone-13800138000"


@pytest.fixture
def an(ward: Ward) -> Phone:
    return ward.log_in("an")


def operator(ward: Ward, *command: str) -> None:
    result = ward.app.test_cli_runner().invoke(args=list(command))
    assert result.exit_code == 0, result.output


def close(phone: Phone) -> Reply:
    return phone.send("DELETE", "/account")


def booked(ward: Ward, phone: Phone, dependent_id: str) -> str:
    reply = book(phone, ward.schedule(terms=ANYBODY), dependent_id, "on_site")
    assert reply.status == 201, reply
    return str(reply.json["id"])


def cancelled(ward: Ward, phone: Phone, dependent_id: str) -> str:
    appointment_id = booked(ward, phone, dependent_id)
    assert phone.post(f"/appointments/{appointment_id}/cancellation").status == 200
    ward.work()
    return appointment_id


def dump(ward: Ward) -> str:
    """Every readable cell of the database."""
    with ward.workbench.transactions.database.read() as session:
        return "\n".join(
            str(row) for table in Base.metadata.sorted_tables for row in session.execute(text(f"SELECT * FROM {table}"))
        )


def one(ward: Ward, record: Any, record_id: str) -> Any:
    return ward.workbench.transactions.read(lambda session, _now: session.get_one(record, UUID(record_id)))


# --- the list of what is kept ----------------------------------------------------------------------------------------


def test_every_table_that_leads_to_a_person_is_told_or_said_not_to_be() -> None:
    told = {holding.record.__tablename__ for holding in HOLDINGS}
    around = {"hospitals", "departments", "doctors", "schedules", "slots", "campuses", "rosters", "booking_policies"}
    leads = {
        table.name
        for table in Base.metadata.sorted_tables
        for key in table.foreign_keys
        if key.column.table.name in told | {"persons"}
    }
    assert leads - around <= told | NOT_TOLD.keys()
    assert RETENTION.keys() == {holding.name for holding in HOLDINGS}


# --- export ----------------------------------------------------------------------------------------------------------


def test_l_05_who_was_removed_is_told_without_what_was_erased(ward: Ward, an: Phone) -> None:
    dependent_id = add(an)
    add(ward.log_in("bo"))  # names the same document
    assert an.send("DELETE", f"/dependents/{dependent_id}").status == 204
    (told,) = an.get("/account/export")["dependents"]
    assert (told["id"], told["name"], told["phone"], told["id_number"]) == (dependent_id, None, None, None)
    assert told["birth_date"] is None


def test_l_05_an_export_tells_all_in_clear_and_nothing_of_another(ward: Ward, an: Phone) -> None:
    assert an.send("PUT", "/account/phone", {"provider": "wechat_miniapp", "code": MOBILE}).status == 200
    dependent_id = add(an, address="中山路321号", region_code="320106")
    appointment_id = cancelled(ward, an, dependent_id)
    bo = ward.log_in("bo")
    bo.post("/dependents", SELF | {"name": "测试旁人", "id_number": "320106198812259988", "phone": "13900000007"})
    told = an.get("/account/export")
    assert told["account"]["phone"] == "+8613800138000"
    (dependent,) = told["dependents"]
    assert (dependent["name"], dependent["id_number"]) == (SELF["name"], SELF["id_number"])
    assert (dependent["phone"], dependent["address"]) == ("+8613800000000", "中山路321号")
    (appointment,) = told["appointments"]
    assert (appointment["id"], appointment["hospital"], appointment["status"]) == (
        appointment_id, "测试医院", "cancelled",
    )  # fmt: skip
    assert [move["to_status"] for move in told["moves"] if move["record_id"] == appointment_id] == [
        "booked", "cancelled",
    ]  # fmt: skip
    assert {one["purpose"] for one in told["consents"]} == {"service", "sensitive_identity"}
    assert told["platform_identities"][0]["subject"] == "open-id-an"
    whole = json.dumps(told, ensure_ascii=False)
    for others in ("测试旁人", "320106198812259988", "13900000007", "open-id-bo"):
        assert others not in whole


def test_an_export_does_not_tell_that_a_person_is_known_elsewhere(ward: Ward, an: Phone) -> None:
    """N-4: neither who else names them, nor since when."""
    bo = ward.log_in("bo")
    add(bo)
    ward.clock.advance(timedelta(days=3))
    dependent_id = add(an)
    person = str(one(ward, Dependent, dependent_id).person_id)
    identifier = str(one(ward, Dependent, dependent_id).identifier_id)
    whole = json.dumps(an.get("/account/export"))
    assert person not in whole
    assert identifier not in whole


def test_an_export_needs_a_login(ward: Ward, an: Phone) -> None:
    for method, path in (("GET", "/account/export"), ("GET", "/account/access-log"), ("DELETE", "/account")):
        assert ward.send(method, f"/api/v1{path}").status == 401


# --- who looked ------------------------------------------------------------------------------------------------------


def test_l_15_whoever_looked_is_named_with_the_reason(ward: Ward, an: Phone) -> None:
    dependent_id = add(an)
    appointment_id = booked(ward, an, dependent_id)
    operator(ward, "verify-on-site", dependent_id, "--operator", "desk-7", "--document-seen")
    code = an.get(f"/appointments/{appointment_id}/visit-pass")["code"]
    operator(ward, "check-pass", code, "--operator", "desk-8")
    operator(ward, "history", appointment_id)
    an.get("/account/export")
    seen = an.get("/account/access-log")["items"]
    assert [(entry["actor"], entry["action"], entry["purpose"]) for entry in seen] == [
        ("self", "account.export", "own_request"),
        ("support", "appointment.history", "support"),
        ("desk-8", "visit_pass.check", "visit"),
        ("desk-7", "identity_check.on_site", "identity_verification"),
    ]
    assert seen[2]["dependent_id"] == dependent_id
    assert ward.log_in("bo").get("/account/access-log")["items"] == []


def test_the_access_log_comes_in_pages(an: Phone) -> None:
    for _ in range(3):
        an.get("/account/export")
    first = an.get("/account/access-log?limit=2")
    rest = an.get(f"/account/access-log?limit=2&cursor={first['next_cursor']}")
    assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (2, 1, None)


# --- the end ---------------------------------------------------------------------------------------------------------


def told_of_dependents(reply: Reply) -> list[tuple[str, int, int | None]]:
    """What the answer says became of them: of whom no hospital was told nothing is left, and nothing else is said."""
    told = [item for item in reply.json["items"] if item["kind"] == "dependents"]
    return [(item["outcome"], item["count"], item["lasts_days"]) for item in told]


def test_l_06_closing_ends_logins_and_erases_what_no_law_keeps(ward: Ward, an: Phone, database: Database) -> None:
    assert an.send("PUT", "/account/phone", {"provider": "wechat_miniapp", "code": MOBILE}).status == 200
    dependent_id = add(an, address="中山路321号", region_code="320106")
    account_id = an.get("/account")["id"]
    other_login = ward.log_in("an")
    reply = close(an)
    assert reply.status == 200, reply
    kept = {item["kind"]: item for item in reply.json["items"]}
    assert kept.keys() == RETENTION.keys()
    assert (kept["notices"]["outcome"], kept["account"]["outcome"]) == ("erased", "erased")
    assert (kept["payments"]["outcome"], kept["payments"]["lasts_days"]) == ("kept", 10957)
    assert told_of_dependents(reply) == [("erased", 1, None)]
    for phone in (an, other_login):
        assert phone.send("GET", "/account").status == 401
    dependent = one(ward, Dependent, dependent_id)
    assert (dependent.name_sealed, dependent.name_masked, dependent.phone_sealed) == (b"", "", b"")
    assert (dependent.address_sealed, dependent.region_code, dependent.erase_after) == (None, None, None)
    assert one(ward, PersonIdentifier, str(dependent.identifier_id)).number_sealed == b""
    assert one(ward, Account, account_id).phone_sealed is None
    anew = ward.log_in("an")
    assert anew.get("/account")["id"] != account_id
    assert anew.get("/dependents")["items"] == []
    assert add(anew) != dependent_id


@pytest.mark.parametrize(
    ("language", "minimum", "foreign"),
    [
        ("zh-CN", "《个人信息保护法》第十九条、第四十七条", re.compile("[A-Za-z]")),
        ("en", "Personal Information Protection Law, articles 19 and 47", re.compile("《")),
    ],
)
def test_l_06_the_laws_are_named_in_full_in_the_readers_language(
    ward: Ward, an: Phone, language: str, minimum: str, foreign: re.Pattern[str]
) -> None:
    """Whoever asks for no language reads Chinese."""
    cancelled(ward, an, add(an))
    asked = {"Accept-Language": "en"} if language == "en" else {}
    headers = {"Authorization": f"Bearer {an.token}"} | asked
    reply = ward.app.test_client().delete("/api/v1/account", headers=headers)
    assert (reply.status_code, reply.headers["Content-Language"]) == (200, language)
    laws = {item["kind"]: item["law"] for item in reply.json["items"]}
    assert laws["account"].startswith(minimum)
    assert [law for law in laws.values() if foreign.search(law) or "PIPL" in law] == []


def test_l_07_whom_a_hospital_was_told_of_is_kept_apart_for_three_years(ward: Ward, an: Phone) -> None:
    dependent_id = add(an, address="中山路321号")
    cancelled(ward, an, dependent_id)
    add(an, id_number=resident_id(order=995), relationship="sibling")
    reply = close(an)
    assert reply.status == 200, reply
    assert told_of_dependents(reply) == [("erased", 1, None), ("restricted", 1, 1095)]
    dependent = one(ward, Dependent, dependent_id)
    assert dependent.address_sealed is None
    assert dependent.name(ward.workbench.vault) == SELF["name"]
    visit = dependent.erase_after - timedelta(days=1095)
    assert visit > ward.clock.now().date()
    ward.work(after=timedelta(days=1094))
    assert one(ward, Dependent, dependent_id).name_masked == "测**"
    ward.work(after=timedelta(days=9))
    with ward.workbench.transactions.database.read() as session:  # nothing was paid, so no voucher refers to them
        assert session.get(Dependent, UUID(dependent_id)) is None
        assert session.get(PersonIdentifier, dependent.identifier_id) is None


def test_a_document_that_another_account_names_stays_theirs(ward: Ward, an: Phone) -> None:
    bo = ward.log_in("bo")
    theirs = add(bo)
    add(an)
    assert close(an).status == 200
    told = bo.get("/account/export")["dependents"]
    assert [(item["id"], item["id_number"]) for item in told] == [(theirs, SELF["id_number"])]


def test_nothing_is_closed_while_something_is_open(ward: Ward, an: Phone) -> None:
    dependent_id = add(an)
    appointment_id = booked(ward, an, dependent_id)
    refused = close(an)
    assert (refused.status, refused.json["code"]) == (409, "account_in_use")
    assert refused.json["facts"] == {
        "open_appointments": 1, "unsettled_payments": 0, "unsettled_refunds": 0, "joins_that_may_be_undone": 0,
    }  # fmt: skip
    assert an.get("/dependents")["items"]
    assert an.post(f"/appointments/{appointment_id}/cancellation").status == 200
    ward.work()
    assert close(an).status == 200


def test_nothing_is_closed_while_money_is_on_its_way(ward: Ward, an: Phone) -> None:
    appointment = book(an, ward.schedule(terms=ANYBODY), add(an))
    paid = an.post(f"/appointments/{appointment.json['id']}/payments", {"channel": "wechat_jsapi"})
    gateway = ward.adapters.the_gateway
    gateway.pay(paid.json["out_trade_no"])
    ward.work(after=timedelta(seconds=6))
    assert an.post(f"/appointments/{appointment.json['id']}/cancellation").status == 200
    assert close(an).json["facts"]["unsettled_refunds"] == 1
    assert gateway.trades[paid.json["out_trade_no"]].state is TradeState.PAID


def test_closing_is_for_good_and_twice_is_once(ward: Ward, an: Phone) -> None:
    assert close(an).status == 200
    assert close(an).status == 401


def test_what_is_erased_is_in_no_cell(ward: Ward, an: Phone) -> None:
    add(an, address="中山路321号")
    assert close(an).status == 200
    with ward.workbench.transactions.database.read() as session:
        sealed = [identity.subject_sealed for identity in session.scalars(select(PlatformIdentity))]
    assert set(sealed) == {b""}
    assert "13800000000" not in dump(ward)
    assert "138****0000" not in dump(ward)
