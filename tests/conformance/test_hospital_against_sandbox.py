"""A hospital's system against the sandbox's: two readings of one protocol, and every class of answer."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests
from conformance.conftest import Sandbox

from core.ports import (
    HoldOrder,
    HospitalAnswer,
    HospitalPatient,
    HospitalPlace,
    HospitalRefusal,
    HospitalRefused,
    HospitalSays,
    ProviderUnavailable,
    VisitKind,
)
from integrations.hospital import HospitalSystemAccount, HttpHospitalSystem
from integrations.hospital._signing import NONCE, sign_request

SOMEBODY = HospitalPatient("测试甲", "resident_id", "330102199001019973", "female", date(1990, 1, 1), "+8613800000000")
VERBS: dict[str, Callable[[HttpHospitalSystem, str], Any]] = {
    "hold": lambda system, claim: system.hold(order(system, claim)),
    "confirm": lambda system, claim: system.confirm(claim, paid_fen=1500),
    "release": lambda system, claim: system.release(claim),
    "ask": lambda system, claim: system.ask(claim),
}


@pytest.fixture
def account(sandbox: Sandbox) -> HospitalSystemAccount:
    (told,) = sandbox.credentials("hospital_systems")
    return HospitalSystemAccount(**told)


@pytest.fixture
def system(account: HospitalSystemAccount) -> HttpHospitalSystem:
    return HttpHospitalSystem(account, timeouts=(2.0, 1.0))


@pytest.fixture
def claim() -> str:
    return secrets.token_hex(8)


def order(system: HttpHospitalSystem, claim: str) -> HoldOrder:
    """A number of a half day that is this claim's alone."""
    starts_at = datetime(2026, 12, 1, 0, 0, tzinfo=UTC)
    return HoldOrder(
        claim=claim,
        place=HospitalPlace("H1", "H1-D1", "", date(2026, 12, 1), "morning", f"TYPE-{claim}", starts_at),
        sequence=3,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=30),
        patient=system.find_patient("H1", SOMEBODY) or system.create_patient("H1", SOMEBODY),
        fee_fen=1500,
        until=starts_at,
    )


def says(answer: HospitalAnswer) -> tuple[str, bool, bool]:
    return str(answer.says), answer.number is not None, answer.sequence is not None


def test_a_claim_from_the_hold_to_the_release(system: HttpHospitalSystem, claim: str) -> None:
    assert says(system.ask(claim)) == ("none", False, False)
    assert says(system.hold(order(system, claim))) == ("held", False, False)
    confirmed = system.confirm(claim, paid_fen=1500)
    assert says(confirmed) == ("confirmed", True, True)
    assert (system.confirm(claim, paid_fen=1500), system.ask(claim)) == (confirmed, confirmed)
    assert system.release(claim).says is HospitalSays.RELEASED
    with pytest.raises(HospitalRefused):
        system.hold(order(system, claim))


def test_what_was_released_before_it_was_known_can_never_be_held(system: HttpHospitalSystem, claim: str) -> None:
    assert system.release(claim).says is HospitalSays.RELEASED
    with pytest.raises(HospitalRefused):
        system.hold(order(system, claim))


def test_one_number_is_not_held_twice(system: HttpHospitalSystem, claim: str) -> None:
    wanted = order(system, claim)
    assert system.hold(wanted) == system.hold(wanted)
    with pytest.raises(HospitalRefused) as refused:
        system.hold(replace(wanted, claim=f"{claim}x"))
    assert (refused.value.reason, refused.value.retryable) == (HospitalRefusal.TAKEN, False)


def test_a_record_is_made_once_for_a_document(system: HttpHospitalSystem) -> None:
    new = replace(SOMEBODY, id_number=secrets.token_hex(9))
    assert system.find_patient("H1", new) is None
    made = system.create_patient("H1", new)
    assert (system.create_patient("H1", new), system.find_patient("H1", new)) == (made, made)
    assert system.find_patient("H2", new) is None


@pytest.mark.parametrize("reason", [one for one in HospitalRefusal if one is not HospitalRefusal.OURS])
@pytest.mark.parametrize("verb", ["hold", "confirm", "release"])
def test_each_refusal_is_told_with_its_reason(
    sandbox: Sandbox, system: HttpHospitalSystem, claim: str, verb: str, reason: HospitalRefusal
) -> None:
    sandbox.misbehave(f"hospital.{verb}", "refuse", reason=str(reason))
    with pytest.raises(HospitalRefused) as refused:
        VERBS[verb](system, claim)
    assert (refused.value.reason, refused.value.code) == (reason, f"HIS_{reason.upper()}")
    if verb != "release":
        kept = system.ask(claim)
        assert (kept.says, kept.refusal) == (HospitalSays.REFUSED, reason)


LOST = ["drop_before", "drop_after", "garbled", "cut", "error_after"]
UNPROVEN = ["bad_signature", "unsigned", "stale", "other_nonce"]


@pytest.mark.parametrize("kind", LOST + UNPROVEN)
@pytest.mark.parametrize("verb", ["hold", "ask"])
def test_what_nothing_proves_leaves_it_unknown(
    sandbox: Sandbox, system: HttpHospitalSystem, claim: str, verb: str, kind: str
) -> None:
    sandbox.misbehave(f"hospital.{verb}", kind)
    with pytest.raises(ProviderUnavailable) as failed:
        VERBS[verb](system, claim)
    assert failed.value.sent
    done = kind != "drop_before" and verb == "hold"
    assert system.ask(claim).says is (HospitalSays.HELD if done else HospitalSays.NONE)


def test_an_answer_that_takes_too_long_is_none(sandbox: Sandbox, system: HttpHospitalSystem, claim: str) -> None:
    sandbox.misbehave("hospital.hold", "delay", seconds=4, when="after")
    with pytest.raises(ProviderUnavailable) as failed:
        VERBS["hold"](system, claim)
    assert failed.value.sent


def test_a_system_that_is_down_did_nothing(sandbox: Sandbox, account: HospitalSystemAccount, claim: str) -> None:
    sandbox.misbehave("hospital.ask", "error")
    nobody = replace(account, base_url="http://127.0.0.1:9/hospital")
    for system in (HttpHospitalSystem(account), HttpHospitalSystem(nobody)):
        with pytest.raises(ProviderUnavailable) as failed:
            system.ask(claim)
        assert not failed.value.sent


def test_too_many_calls_decide_nothing(sandbox: Sandbox, system: HttpHospitalSystem, claim: str) -> None:
    sandbox.misbehave("hospital.hold", "rate_limited")
    with pytest.raises(HospitalRefused) as refused:
        VERBS["hold"](system, claim)
    assert (refused.value.reason, refused.value.retryable) == (HospitalRefusal.OURS, True)
    assert system.ask(claim).says is HospitalSays.NONE


def test_another_key_and_another_secret_are_refused(account: HospitalSystemAccount, claim: str) -> None:
    for spoiled in (replace(account, key_id="hkother"), replace(account, secret=account.secret[::-1])):
        with pytest.raises((HospitalRefused, ProviderUnavailable)):
            HttpHospitalSystem(spoiled).ask(claim)
    late = HttpHospitalSystem(account, clock=lambda: datetime.now(UTC) - timedelta(seconds=310))
    with pytest.raises((HospitalRefused, ProviderUnavailable)):
        late.ask(claim)


def test_a_request_is_good_once_and_as_it_was_signed(account: HospitalSystemAccount, claim: str) -> None:
    path = f"/hospital/claims/{claim}/release"
    body = b'{"why":"x"}'
    stamped = sign_request(account.key_id, account.secret, method="POST", target=path, body=body, now=datetime.now(UTC))
    url, headers = account.url.removesuffix("/hospital") + path, dict(stamped.headers)

    def status(method: str = "POST", url: str = url, data: bytes = body, **more: str) -> int:
        return requests.request(method, url, data=data, headers=headers | more, timeout=10).status_code

    assert [status(data=b"{}"), status(url=f"{url}?a=b"), status(**{NONCE: "0" * 32})] == [401, 401, 401]
    assert [status(), status()] == [200, 401]


def test_half_days_and_visits_are_told(sandbox: Sandbox, system: HttpHospitalSystem, claim: str) -> None:
    offered: dict[str, Any] = {
        "campus": "H1-A", "department": "H1-D1", "doctor": "", "visit_date": "2026-12-01", "period": "morning",
        "starts": "08:00", "ends": "12:00", "clinic_type": "GENERAL", "fee_fen": 1500, "segment_minutes": 30,
        "numbers_per_segment": 5,
    }  # fmt: skip
    sandbox.control("hospital/half-days", hospital="H7", half_day=offered)
    first, last = date(2026, 11, 30), date(2026, 12, 1)
    (one,) = system.half_days("H7", first=first, last=last)
    assert (one.department, one.visit_date, one.starts.hour, one.numbers_per_segment) == ("H1-D1", last, 8, 5)
    assert system.half_days("H7", first=first, last=first) == []
    VERBS["hold"](system, claim)
    start = system.visits("H1", after=None)
    sandbox.control("hospital/visits", claim=claim, kind="arrived")
    page = system.visits("H1", after=start.cursor)
    assert [(event.claim, event.kind) for event in page.events] == [(claim, VisitKind.ARRIVED)]
    assert (system.visits("H1", after=page.cursor).events, page.more) == ((), False)
    with pytest.raises(HospitalRefused) as refused:
        system.release(claim)
    assert refused.value.reason is HospitalRefusal.USED
