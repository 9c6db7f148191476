"""PUT /account/phone over HTTP: by the wallet in which the caller is logged in, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import FakePhones
from people import APP, PROVIDER
from sqlalchemy import event
from ward import Ward, open_ward
from wire import Phone, Reply

from core.ports import PhoneRefused, ProviderUnavailable
from models.database import Database

CODE = {"provider": PROVIDER, "code": "phone-13800000000"}


@pytest.fixture
def ward(database: Database, tmp_path: Path) -> Iterator[Ward]:
    with open_ward(database.url.render_as_string(hide_password=False), tmp_path) as opened:
        yield opened


@pytest.fixture
def prover(ward: Ward) -> FakePhones:
    found = ward.adapters.phones[PROVIDER, APP]
    assert isinstance(found, FakePhones)
    return found


@pytest.fixture
def phone(ward: Ward) -> Phone:
    return ward.log_in("an")


def put(phone: Phone, body: Any) -> Reply:
    return phone.send("PUT", "/account/phone", body)


def faults(reply: Reply) -> set[tuple[str, str]]:
    assert (reply.status, reply.code) == (422, "validation_failed"), reply
    return {(fault["pointer"], fault["code"]) for fault in reply.json["errors"]}


def test_the_account_is_shown_with_its_phone_masked(phone: Phone) -> None:
    before = phone.get("/account")
    reply = put(phone, CODE)
    assert reply.status == 200
    assert reply.json == before | {"phone_masked": "138****0000", "has_phone": True} == phone.get("/account")
    assert b"13800000000" not in reply.body


def test_a_login_tells_the_phone_from_then_on(ward: Ward, phone: Phone) -> None:
    put(phone, CODE)
    again = ward.send("POST", "/api/v1/sessions", {"provider": PROVIDER, "code": "code-of-an"}).json["account"]
    assert (again["phone_masked"], again["has_phone"]) == ("138****0000", True)


def test_the_platform_is_asked_as_the_one_who_is_logged_in(phone: Phone, prover: FakePhones) -> None:
    put(phone, CODE)
    assert prover.asked == [({"code": "phone-13800000000"}, "open-id-an")]


def test_the_platform_is_asked_outside_of_any_transaction(ward: Ward, phone: Phone, prover: FakePhones) -> None:
    engine, held, seen = ward.workbench.transactions.database.engine, list[Any](), list[int]()
    event.listen(engine, "begin", held.append)
    event.listen(engine, "rollback", lambda one: held.remove(one) if one in held else None)
    event.listen(engine, "commit", lambda one: held.remove(one) if one in held else None)
    ask = prover.read_phone

    def while_asked(proof: Any, *, user: str) -> str:
        seen.append(len(held))
        return ask(proof, user=user)

    prover.read_phone = while_asked  # type: ignore[method-assign]
    assert put(phone, CODE).status == 200
    assert seen == [0]


REFUSED_BODIES: list[tuple[Any, set[tuple[str, str]]]] = [
    ({"code": "phone-13800000000"}, {("#/provider", "missing")}),
    ({"provider": PROVIDER}, {("#/code", "missing")}),
    (CODE | {"sign": "x"}, {("#/sign", "not_allowed")}),
    (CODE | {"provider": "alipay_miniapp"}, {("#/provider", "other_login")}),
    (CODE | {"provider": "wechat"}, {("#/provider", "unknown_word")}),
    ({"phone": "13800000000"}, {("#/otp", "missing")}),
    ({"otp": "123456"}, {("#/phone", "missing")}),
    ({"phone": "13800000000", "otp": "123456", "code": "c"}, {("#/code", "not_allowed")}),
    (CODE | {"phone": "13800000000", "otp": "123456"}, {("#/phone", "not_allowed"), ("#/otp", "not_allowed")}),
    (CODE | {"phone": "13800000000"}, {("#/phone", "not_allowed")}),
    ({"phone": "025-84350000", "otp": "123456"}, {("#/phone", "landline")}),
    *(({"phone": "13800000000", "otp": otp}, {("#/otp", "bad_format")}) for otp in ("12345", "1234567", "12345６", "")),
    ({}, {("#/provider", "missing")}),
]


def test_what_is_no_proof_here_is_named_and_nobody_is_asked(phone: Phone, prover: FakePhones) -> None:
    for body, named in REFUSED_BODIES:
        assert faults(put(phone, body)) == named, body
    assert prover.asked == []
    assert not phone.get("/account")["has_phone"]


def test_a_platform_that_proves_no_phones_is_not_configured(ward: Ward, phone: Phone) -> None:
    ward.adapters.phones.clear()
    assert faults(put(phone, CODE)) == {("#/provider", "not_configured")}


def test_nothing_is_asked_before_the_service_is_consented_to(ward: Ward, prover: FakePhones) -> None:
    reply = put(ward.log_in("new", agreed=False), CODE)
    assert (reply.status, reply.code, prover.asked) == (409, "consent_required", [])


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (PhoneRefused("40029"), 409, "phone_refused"),
        (ProviderUnavailable("slow"), 503, "provider_unavailable"),
    ],
)
def test_a_proof_that_failed_changes_nothing(
    phone: Phone, prover: FakePhones, failure: Exception, status: int, code: str
) -> None:
    put(phone, CODE)
    before, prover.failure = phone.get("/account"), failure
    reply = put(phone, CODE | {"code": "phone-13900000000"})
    assert (reply.status, reply.code) == (status, code)
    assert phone.get("/account") == before
