"""Consent texts and consents over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fakes import ManualClock
from people_http import MOTHER, Clinic, open_clinic

from core.identity.consent_texts import current_version
from miniapp_api.config import Config
from models.account import Purpose


@pytest.fixture
def clinic(config: Config, clock: ManualClock) -> Iterator[Clinic]:
    with open_clinic(config, clock) as opened:
        yield opened


def test_the_texts_are_open_to_everybody(clinic: Clinic) -> None:
    answer = clinic.app.test_client().get("/api/v1/consent-texts")
    assert answer.status_code == 200
    assert [item["purpose"] for item in answer.json["items"]] == [
        "service",
        "sensitive_identity",
        "face",
        "health",
        "minor",
    ]
    assert set(answer.json["items"][0]) == {"purpose", "version", "title", "text"}
    assert answer.json["next_cursor"] is None
    assert answer.headers["Content-Language"] == "zh-CN"
    assert answer.headers["Vary"] == "Accept-Language"


def test_the_texts_come_in_english_too(clinic: Clinic) -> None:
    answer = clinic.app.test_client().get("/api/v1/consent-texts", headers={"Accept-Language": "en-GB,en;q=0.9"})
    assert answer.headers["Content-Language"] == "en"
    assert answer.json["items"][2]["title"] == "Separate consent: face verification"


def test_a_consent_is_recorded_and_listed(clinic: Clinic) -> None:
    patient = clinic.patient("an", agreed=False)
    answer = patient.agree("service")
    assert answer.json == {
        "purpose": "service",
        "version": current_version(Purpose.SERVICE),
        "granted": True,
        "at": "2026-11-22T02:00:00.000Z",
    }
    assert patient.get("/account/consents").json == {"items": [answer.json], "next_cursor": None}


def test_a_consent_for_a_dependent_names_it(clinic: Clinic) -> None:
    patient = clinic.patient("an")
    dependent_id = patient.add(MOTHER)
    assert patient.agree("face", dependent_id).json["dependent_id"] == dependent_id


def test_withdrawing_is_as_easy_as_giving(clinic: Clinic) -> None:
    patient = clinic.patient("an")
    assert patient.agree("sensitive_identity", granted=False).json["granted"] is False
    answer = patient.post("/dependents", MOTHER)
    assert (answer.status_code, answer.json["code"]) == (409, "consent_required")
    assert answer.json["facts"] == {
        "purpose": "sensitive_identity",
        "version": current_version(Purpose.SENSITIVE_IDENTITY),
    }


BAD: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"version": "2020-01"}, [("#/version", "unknown_version")]),
    ({"purpose": "marketing"}, [("#/purpose", "unknown_word")]),
    ({"granted": "true"}, [("#/granted", "not_a_boolean")]),
    ({"purpose": "face", "version": current_version(Purpose.FACE)}, [("#/dependent_id", "missing")]),
    ({"dependent_id": "7"}, [("#/dependent_id", "not_an_id")]),
    ({"dependent_id": None}, [("#/dependent_id", "null_not_allowed")]),
    ({"account_id": "x"}, [("#/account_id", "unknown_field")]),
]


def test_a_bad_consent_is_named(clinic: Clinic) -> None:
    patient = clinic.patient("an")
    for said, errors in BAD:
        body = {"purpose": "service", "version": current_version(Purpose.SERVICE), "granted": True, **said}
        answer = patient.send("POST", "/account/consents", body)
        assert answer.status_code == 422, said
        assert [(error["pointer"], error["code"]) for error in answer.json["errors"]] == errors


def test_an_account_purpose_names_no_dependent(clinic: Clinic) -> None:
    patient = clinic.patient("an")
    body = {
        "purpose": "service",
        "version": current_version(Purpose.SERVICE),
        "granted": True,
        "dependent_id": patient.add(MOTHER),
    }
    answer = patient.send("POST", "/account/consents", body)
    assert [(error["pointer"], error["code"]) for error in answer.json["errors"]] == [("#/dependent_id", "not_allowed")]


def test_anothers_dependent_is_not_found(clinic: Clinic) -> None:
    dependent_id = clinic.patient("an").add(MOTHER)
    body = {"purpose": "face", "version": current_version(Purpose.FACE), "granted": True, "dependent_id": dependent_id}
    assert clinic.patient("bo").send("POST", "/account/consents", body).status_code == 404


def test_ones_list_is_ones_own(clinic: Clinic) -> None:
    clinic.patient("an")
    assert clinic.patient("bo", agreed=False).get("/account/consents").json["items"] == []
