"""A phone proven by text message over HTTP: POST /account/phone/otp and PUT /account/phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from codes_by_sms import wrong
from fakes import FakeSms
from sqlalchemy import event
from traces import bytes_of, traces
from ward import Ward, open_ward
from wire import Phone, Reply

from core.ports import ProviderRefused, ProviderUnavailable, TextKind
from miniapp_api.limits import network
from models.database import Database
from schemas.base import instant_text

NUMBER, OTHER = "13800000001", "13800000002"


@pytest.fixture
def ward(database: Database, tmp_path: Path) -> Iterator[Ward]:
    with open_ward(database.url.render_as_string(hide_password=False), tmp_path) as opened:
        yield opened


@pytest.fixture
def sms(ward: Ward) -> FakeSms:
    (found,) = ward.adapters.sms
    assert isinstance(found, FakeSms)
    return found


@pytest.fixture
def phone(ward: Ward) -> Phone:
    return ward.log_in("an")


def ask(phone: Phone, number: str = NUMBER) -> Reply:
    return phone.send("POST", "/account/phone/otp", {"phone": number})


def put(phone: Phone, code: str, number: str = NUMBER) -> Reply:
    return phone.send("PUT", "/account/phone", {"phone": number, "otp": code})


def coded(phone: Phone, sms: FakeSms) -> str:
    assert ask(phone).status == 202
    return sms.sent[-1][1]


def said(reply: Reply) -> dict[str, Any]:
    """Without what differs from request to request."""
    return {"status": reply.status} | {name: value for name, value in reply.json.items() if name != "instance"}


def test_a_phone_is_proven_by_a_code(ward: Ward, phone: Phone, sms: FakeSms) -> None:
    reply = ask(phone, "+86 138-0000-0001")
    now = ward.clock.now()
    assert (reply.status, sms.sent[0][0]) == (202, "+8613800000001")
    assert reply.json == {
        "expires_at": instant_text(now + timedelta(minutes=5)),
        "again_at": instant_text(now + timedelta(minutes=1)),
    }
    proven = put(phone, sms.sent[0][1])
    assert (proven.status, proven.json["phone_masked"], proven.json["has_phone"]) == (200, "138****0001", True)
    assert proven.json == phone.get("/account")
    assert b"13800000001" not in reply.body + proven.body


def test_the_answer_is_the_same_for_a_number_that_another_account_has(ward: Ward, phone: Phone, sms: FakeSms) -> None:
    put(phone, coded(phone, sms))
    ward.clock.advance(timedelta(minutes=1))
    stranger = ward.log_in("stranger")
    known, unknown = ask(stranger, NUMBER), ask(stranger, OTHER)
    assert (known.status, known.json) == (unknown.status, unknown.json)
    assert len(sms.sent) == 3


def test_wrong_over_and_never_sent_answer_alike(ward: Ward, phone: Phone, sms: FakeSms) -> None:
    code = coded(phone, sms)
    answers = [put(phone, wrong(code)), put(phone, "000000", OTHER)]
    ward.clock.advance(timedelta(minutes=5))
    answers.append(put(phone, code))
    assert {one.code for one in answers} == {"phone_refused"}
    assert all(said(one) == said(answers[0]) for one in answers)
    assert not phone.get("/account")["has_phone"]


def test_wrong_over_and_never_sent_do_the_same_work(ward: Ward, phone: Phone, sms: FakeSms) -> None:
    """Statement for statement, rows written and all: what takes the same work takes the same time."""
    code, work = coded(phone, sms), list[tuple[str, int]]()
    put(phone, wrong(code))  # makes the gate

    def note(_c: Any, cursor: Any, statement: str, *_: Any) -> None:
        work.append((statement, cursor.rowcount if statement.startswith("UPDATE code_gates") else 0))

    engine = ward.workbench.transactions.database.engine
    event.listen(engine, "after_cursor_execute", note)
    event.listen(engine, "commit", lambda _one: work.append(("COMMIT", 0)))
    done = []
    for kind in ("wrong", "none", "over"):
        if kind == "over":
            ward.clock.advance(timedelta(minutes=5))
        work.clear()
        assert put(phone, wrong(code), OTHER if kind == "none" else NUMBER).code == "phone_refused"
        done.append(list(work))
    assert done[0] == done[1] == done[2]
    assert ("COMMIT", 0) in done[0]
    assert [count for statement, count in done[0] if statement.startswith("UPDATE code_gates")] == [1]


def test_a_code_tried_too_often_is_told_with_its_end(ward: Ward, phone: Phone, sms: FakeSms) -> None:
    code, ends = coded(phone, sms), instant_text(ward.clock.now() + timedelta(minutes=5))
    for _ in range(5):
        assert put(phone, wrong(code)).code == "phone_refused"
    refused = put(phone, code)
    assert (refused.status, refused.code, refused.json["retry_at"]) == (429, "rate_limited", ends)


def test_asking_too_often_is_told_with_the_next_time(ward: Ward, phone: Phone, sms: FakeSms) -> None:
    again_at = ask(phone).json["again_at"]
    refused = ask(phone)
    assert (refused.status, refused.code, refused.json["retry_at"]) == (429, "rate_limited", again_at)
    assert len(sms.sent) == 1


def test_the_limits_are_those_of_the_configuration(database: Database, tmp_path: Path) -> None:
    url = database.url.render_as_string(hide_password=False)
    with open_ward(url, tmp_path) as plain:
        limits = plain.app.extensions["yuezhen"].config.code_limits
        assert [(rate.most, rate.per.total_seconds()) for rate in limits.phone] == [(1, 60), (5, 3600), (10, 86400)]
        narrow = type(limits)(phone=limits.phone, account=limits.account, net=limits.net, daily_most=1)
    with open_ward(url, tmp_path, code_limits=narrow) as strict:
        phone = strict.log_in("an")
        assert (ask(phone).status, ask(phone, OTHER).status) == (202, 429)


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.78", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::1", "2001:db8:1::/48"),
        (None, "unknown"),
        ("not an address", "unknown"),
    ],
)
def test_a_network_is_wider_than_an_address(address: str | None, group: str) -> None:
    assert network(address) == group


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, ("#/phone", "missing")),
        ({"phone": ""}, ("#/phone", "too_short")),
        ({"phone": "1" * 33}, ("#/phone", "too_long")),
        ({"phone": 13800000001}, ("#/phone", "not_a_string")),
        ({"phone": "13800000001\n"}, ("#/phone", "invalid_character")),
        ({"phone": "1380000000"}, ("#/phone", "bad_length")),
        ({"phone": "+852 9123 4567"}, ("#/phone", "mainland_only")),
        ({"phone": NUMBER, "otp": "123456"}, ("#/otp", "unknown_field")),
    ],
)
def test_what_is_no_number_is_named_and_nothing_is_sent(
    phone: Phone, sms: FakeSms, body: Any, fault: tuple[str, str]
) -> None:
    reply = phone.send("POST", "/account/phone/otp", body)
    assert (reply.status, reply.code) == (422, "validation_failed")
    assert [(one["pointer"], one["code"]) for one in reply.json["errors"]] == [fault]
    assert sms.sent == []


def test_where_nothing_sends_messages_this_way_is_not_open(ward: Ward, phone: Phone) -> None:
    ward.adapters.sms.clear()
    reply = ask(phone)
    assert [one["code"] for one in reply.json["errors"]] == ["not_configured"]


@pytest.mark.parametrize("failure", [ProviderRefused("isv.AMOUNT_NOT_ENOUGH"), ProviderUnavailable("x", sent=False)])
def test_a_platform_that_sends_nothing_is_told(phone: Phone, sms: FakeSms, failure: Exception) -> None:
    sms.failures = [failure]
    reply = ask(phone)
    assert (reply.status, reply.code) == (503, "provider_unavailable")


def test_a_message_that_may_have_gone_is_answered_as_one_that_went(phone: Phone, sms: FakeSms) -> None:
    sms.failures = [ProviderUnavailable("slow", sent=True)]
    assert ask(phone).status == 202


def test_the_platform_is_called_outside_of_any_transaction(ward: Ward, phone: Phone, sms: FakeSms) -> None:
    engine, held, seen = ward.workbench.transactions.database.engine, list[Any](), list[int]()
    event.listen(engine, "begin", held.append)
    event.listen(engine, "rollback", lambda one: held.remove(one) if one in held else None)
    event.listen(engine, "commit", lambda one: held.remove(one) if one in held else None)
    send = sms.send_code

    def while_sending(*, phone: str, code: str, kind: TextKind) -> str:
        seen.append(len(held))
        return send(phone=phone, code=code, kind=kind)

    sms.send_code = while_sending  # type: ignore[method-assign]
    assert ask(phone).status == 202
    assert seen == [0]


def test_consent_comes_first(ward: Ward, sms: FakeSms) -> None:
    stranger = ward.log_in("new", agreed=False)
    assert {ask(stranger).code, put(stranger, "123456").code} == {"consent_required"}
    assert sms.sent == []


@pytest.fixture
def logged(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], bytes]:
    """Everything that was logged so far."""

    def read() -> bytes:
        streams = capfd.readouterr()
        return (streams.out + streams.err + caplog.text).encode()

    return read


def test_nothing_that_was_sent_is_readable_anywhere(
    ward: Ward, phone: Phone, sms: FakeSms, logged: Callable[[], bytes]
) -> None:
    """Failures too, whose texts are logged. Six digits stand in many a number, so a code is looked for as a word."""
    code = coded(phone, sms)
    put(phone, wrong(code))
    put(phone, code)
    sms.failures = [ProviderRefused("isv.AMOUNT_NOT_ENOUGH", "request R-1")]
    ask(phone, OTHER)
    told, kept = logged(), bytes_of(ward.workbench.transactions.database)
    assert b"/api/v1/account/phone/otp" in told
    assert b"sms_platform_refused" in told
    assert [one for one in (NUMBER, OTHER, "127.0.0.0/24") for trace in traces(one) if trace in kept + told] == []
    assert f'"{code}"'.encode() not in kept + told
