"""Login, logout and the account over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fakes import ManualClock
from people import PROVIDER
from people_http import Clinic, open_clinic

from core.identity.consent_texts import current_version
from core.ports import ProviderRefused, ProviderUnavailable
from miniapp_api.config import Config
from models.account import Purpose


@pytest.fixture
def clinic(config: Config, clock: ManualClock) -> Iterator[Clinic]:
    with open_clinic(config, clock) as opened:
        yield opened


def log_in(clinic: Clinic, **body: Any) -> Any:
    return clinic.app.test_client().post("/api/v1/sessions", json={"provider": PROVIDER, "code": "code-of-an", **body})


def test_a_login_tells_everything_the_client_needs(clinic: Clinic) -> None:
    answer = log_in(clinic)
    assert answer.status_code == 201
    told = answer.json
    assert set(told) == {"token", "expires_at", "account", "consents_due"}
    assert told["expires_at"] == "2026-12-22T02:00:00.000Z"
    assert set(told["account"]) == {"id", "phone_masked", "has_phone"}
    assert (told["account"]["phone_masked"], told["account"]["has_phone"]) == (None, False)
    version = current_version(Purpose.SERVICE)
    assert told["consents_due"] == [{"purpose": "service", "version": version, "title": "服务协议与隐私告知"}]


def test_titles_come_in_english_where_that_is_asked_for(clinic: Clinic) -> None:
    answer = clinic.app.test_client().post(
        "/api/v1/sessions",
        json={"provider": PROVIDER, "code": "code-of-an"},
        headers={"Accept-Language": "en"},
    )
    assert answer.json["consents_due"][0]["title"] == "Terms of service and privacy notice"
    assert answer.headers["Content-Language"] == "en"


def test_after_agreeing_nothing_is_due(clinic: Clinic) -> None:
    clinic.patient("an")
    assert log_in(clinic).json["consents_due"] == []


def test_the_app_may_be_named(clinic: Clinic) -> None:
    assert log_in(clinic, app="main").status_code == 201


def test_the_account_is_shown_to_its_holder(clinic: Clinic) -> None:
    patient = clinic.patient("an", agreed=False)
    answer = patient.get("/account")
    assert answer.status_code == 200
    assert set(answer.json) == {"id", "phone_masked", "has_phone", "created_at"}
    assert answer.json["id"] == log_in(clinic).json["account"]["id"]


def test_after_logout_the_token_is_dead_at_once(clinic: Clinic) -> None:
    one, two = clinic.patient("an"), clinic.patient("an")
    answer = one.send("DELETE", "/sessions/current")
    assert (answer.status_code, answer.data) == (204, b"")
    assert one.get("/account").status_code == 401
    assert one.send("DELETE", "/sessions/current").status_code == 401
    assert two.get("/account").status_code == 200


def test_a_login_ends_by_itself(clinic: Clinic, clock: ManualClock) -> None:
    patient = clinic.patient("an")
    clock.advance(timedelta(hours=720))
    answer = patient.get("/account")
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")


UNUSABLE: list[tuple[dict[str, Any], str, str]] = [
    ({"provider": "alipay_miniapp"}, "#/provider", "not_configured"),
    ({"provider": "handoff", "app": "main"}, "#/app", "not_configured"),
    ({"provider": "alipay_miniapp", "app": "main"}, "#/provider", "not_configured"),
    ({"app": "second"}, "#/app", "not_configured"),
    ({"provider": "wechat"}, "#/provider", "unknown_word"),
    ({"code": ""}, "#/code", "too_short"),
    ({"code": 7}, "#/code", "not_a_string"),
    ({"open_id": "x"}, "#/open_id", "unknown_field"),
    ({"session_key": "x"}, "#/session_key", "unknown_field"),
]


def test_what_cannot_be_logged_in_with_is_named(clinic: Clinic) -> None:
    for body, pointer, code in UNUSABLE:
        answer = log_in(clinic, **body)
        assert (answer.status_code, answer.json["code"]) == (422, "validation_failed"), body
        assert [(error["pointer"], error["code"]) for error in answer.json["errors"]] == [(pointer, code)]


def test_a_code_that_the_platform_refuses_is_401(clinic: Clinic) -> None:
    answer = log_in(clinic, code="stolen")
    assert (answer.status_code, answer.json["code"]) == (401, "login_failed")


@pytest.mark.parametrize("failure", [ProviderUnavailable("slow"), ProviderRefused("40013")])
def test_a_platform_that_is_away_is_503_and_live_logins_go_on(clinic: Clinic, failure: Exception) -> None:
    """F-59."""
    patient = clinic.patient("an")
    clinic.users.failure = failure
    answer = log_in(clinic)
    assert (answer.status_code, answer.json["code"]) == (503, "provider_unavailable")
    assert patient.get("/account").status_code == 200


def test_a_reply_holds_no_id_of_the_platform(clinic: Clinic) -> None:
    assert "open-id" not in log_in(clinic).text
    assert "open-id" not in clinic.patient("an").get("/account").text
