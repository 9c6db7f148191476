"""Dependents over HTTP: the shape of api.md, the refusals, and nobody else's rows (A-01, A-39, A-41)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from fakes import ManualClock
from people import resident_id
from people_http import MOTHER, SELF, Clinic, open_clinic

from miniapp_api.config import Config


@pytest.fixture
def clinic(config: Config, clock: ManualClock) -> Iterator[Clinic]:
    with open_clinic(config, clock) as opened:
        yield opened


def codes(answer: Any) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in answer.json["errors"]]


def test_the_reply_is_exactly_that_of_the_contract(clinic: Clinic) -> None:
    answer = clinic.patient("an").post("/dependents", SELF)
    assert answer.status_code == 201
    told = answer.json
    assert told.pop("id")
    assert told == {
        "name_masked": "测**",
        "id_type": "resident_id",
        "id_number_masked": "330***********9973",
        "phone_masked": "138****0000",
        "sex": "male",
        "birth_date": "1990-01-01",
        "age": 36,
        "relationship": "self",
        "is_default": True,
        "identity": {"status": "unverified", "level": 0, "methods": ["wechat_face", "on_site"]},
        "agreement": {"status": "not_needed"},
        "hospital_cards": [],
    }


def test_one_and_the_list_show_the_same(clinic: Clinic) -> None:
    patient = clinic.patient("an")
    added = [patient.post("/dependents", wanted).json for wanted in (SELF, MOTHER)]
    assert patient.get("/dependents").json == {"items": added, "next_cursor": None}
    assert patient.get(f"/dependents/{added[1]['id']}").json == added[1]
    page = patient.get("/dependents?limit=1").json
    assert [item["id"] for item in page["items"]] == [added[0]["id"]]
    assert patient.get(f"/dependents?limit=1&cursor={page['next_cursor']}").json["items"] == [added[1]]


def test_untidy_input_is_tidied(clinic: Clinic) -> None:
    """F-86."""
    untidy = {
        **SELF,
        "name": " 测试姑丽．样本 ",
        "id_number": "37010219920303997x",
        "phone": "+86 138-0000-0000",
        "address": "测试路1号",
        "region_code": "320106",
        "birth_date": "1992-03-03",
        "sex": "male",
    }
    answer = clinic.patient("an").post("/dependents", untidy)
    assert answer.status_code == 201
    assert (answer.json["id_number_masked"], answer.json["phone_masked"]) == ("370***********997X", "138****0000")


def test_every_fault_is_named_with_its_field(clinic: Clinic) -> None:
    wrong = {**SELF, "name": "测试1", "id_number": "330102199001019974", "phone": "13490000000", "sex": "female"}
    answer = clinic.patient("an").post("/dependents", wrong)
    assert (answer.status_code, answer.json["code"]) == (422, "validation_failed")
    assert codes(answer) == [("#/name", "bad_charset"), ("#/id_number", "bad_checksum"), ("#/phone", "satellite")]
    assert "330102199001019974" not in answer.text


UNSAID = [("#/birth_date", "missing"), ("#/sex", "missing")]
UNFIT: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"id_type": "passport"}, [("#/country", "missing"), ("#/id_expires_on", "missing"), *UNSAID]),
    ({"id_type": "hk_macao_permit"}, [("#/id_number", "bad_format"), *UNSAID]),
    ({"id_type": "hmt_residence_permit"}, [("#/id_number", "doc_type_mismatch")]),
    ({"id_type": "guardian_bound"}, [("#/id_number", "not_allowed"), *UNSAID]),
    ({"id_number": None}, [("#/id_number", "missing")]),
    ({"country": "ZZ"}, [("#/country", "unknown_country")]),
    ({"id_expires_on": "2020-01-01"}, [("#/id_expires_on", "expired")]),
    ({"id_expires_on": "2027-02-29"}, [("#/id_expires_on", "not_a_day")]),
    ({"id_type": "driving_licence"}, [("#/id_type", "unknown_word")]),
    ({"relationship": "friend"}, [("#/relationship", "unknown_word")]),
    ({"id_number": "330102900101997"}, [("#/id_number", "legacy_form")]),
    ({"sex": "female"}, [("#/sex", "contradicts_id_number")]),
    ({"birth_date": "1990-01-02"}, [("#/birth_date", "contradicts_id_number")]),
    ({"email": "a@b"}, [("#/email", "bad_format")]),
    ({"fax": "1"}, [("#/fax", "unknown_field")]),
    ({"is_default": True}, [("#/is_default", "unknown_field")]),
    ({"identity_level": 2}, [("#/identity_level", "unknown_field")]),
    ({"phone": None}, [("#/phone", "null_not_allowed")]),
]


def test_what_does_not_fit_is_refused(clinic: Clinic) -> None:
    patient = clinic.patient("an")
    for given, errors in UNFIT:
        answer = patient.post("/dependents", {**SELF, **given})
        assert answer.status_code == 422, given
        assert codes(answer) == errors


def test_what_is_needed_is_said(clinic: Clinic) -> None:
    patient = clinic.patient("an")
    for missing in ("name", "id_type", "id_number", "phone", "relationship"):
        body = {name: value for name, value in SELF.items() if name != missing}
        assert codes(patient.post("/dependents", body)) == [(f"#/{missing}", "missing")]


def test_consents_come_first(clinic: Clinic) -> None:
    patient = clinic.patient("an", agreed=False)
    answer = patient.post("/dependents", SELF)
    assert (answer.status_code, answer.json["code"]) == (409, "consent_required")
    assert answer.json["facts"]["purpose"] == "service"


def test_the_same_key_adds_once_and_answers_the_same_bytes(clinic: Clinic) -> None:
    patient, key = clinic.patient("an"), str(uuid4())
    first, second = (patient.post("/dependents", SELF, key=key) for _ in range(2))
    assert (first.status_code, first.data) == (second.status_code, second.data)
    assert len(patient.get("/dependents").json["items"]) == 1


def test_a_double_is_refused(clinic: Clinic) -> None:
    patient = clinic.patient("an")
    first = patient.add(SELF)
    for again in ({**MOTHER, "relationship": "self"}, {**SELF, "relationship": "other"}):
        answer = patient.post("/dependents", again)
        assert (answer.status_code, answer.json["code"]) == (409, "dependent_exists")
        assert answer.json["facts"] == {"dependent_id": first}


def test_a_sixth_beside_oneself_is_too_many(clinic: Clinic) -> None:
    patient = clinic.patient("an")
    patient.add(SELF)
    for order in range(901, 906):
        patient.add({**MOTHER, "relationship": "other", "id_number": resident_id(order=order)})
    answer = patient.post("/dependents", MOTHER)
    assert (answer.status_code, answer.json["code"]) == (409, "dependent_limit")


def test_two_selfs_at_once_leave_one(clinic: Clinic) -> None:
    patient = clinic.patient("an")
    wanted = [{**SELF, "id_number": resident_id(order=order)} for order in (901, 903)]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda body: patient.post("/dependents", body), wanted))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert {answer.json.get("code") for answer in answers} == {None, "dependent_exists"}


def test_a_person_known_elsewhere_looks_like_a_new_one(clinic: Clinic) -> None:
    answers = [clinic.patient(name).post("/dependents", MOTHER) for name in ("an", "bo")]
    told = [{key: value for key, value in answer.json.items() if key != "id"} for answer in answers]
    assert told[0] == told[1]
    assert [answer.status_code for answer in answers] == [201, 201]
    headers = [set(answer.headers.keys()) for answer in answers]
    assert headers[0] == headers[1]


def test_contact_may_be_changed(clinic: Clinic) -> None:
    patient = clinic.patient("an")
    dependent_id = patient.add(SELF)
    answer = patient.send("PATCH", f"/dependents/{dependent_id}", {"phone": "13900000001", "address": None})
    assert (answer.status_code, answer.json["phone_masked"]) == (200, "139****0001")
    assert patient.get(f"/dependents/{dependent_id}").json == answer.json


UNCHANGEABLE: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"phone": "1"}, [("#/phone", "bad_length")]),
    ({"region_code": "999999"}, [("#/region_code", "unknown_region")]),
    ({"name": "测试1"}, [("#/name", "bad_charset")]),
    ({"id_number": "330102199001019972"}, [("#/id_number", "bad_checksum")]),
    ({"birth_date": "1990-01-02"}, [("#/birth_date", "contradicts_id_number")]),
    ({"sex": "female"}, [("#/sex", "contradicts_id_number")]),
    ({"id_expires_on": "2020-01-01"}, [("#/id_expires_on", "expired")]),
    ({"id_type": "birth_certificate", "id_number": "A123456789"}, [("#/id_type", "not_a_minor")]),
    ({"is_default": True}, [("#/is_default", "unknown_field")]),
]


def test_what_does_not_change_is_refused(clinic: Clinic) -> None:
    patient = clinic.patient("an")
    dependent_id = patient.add(SELF)
    for change, errors in UNCHANGEABLE:
        answer = patient.send("PATCH", f"/dependents/{dependent_id}", change)
        assert answer.status_code == 422, change
        assert codes(answer) == errors


@pytest.mark.parametrize("path", ["", "/identity-checks"])
def test_anothers_dependent_is_not_found(clinic: Clinic, path: str) -> None:
    dependent_id = clinic.patient("an").add(SELF)
    stranger = clinic.patient("bo")
    for wanted in (dependent_id, str(uuid4())):
        if path:
            answer = stranger.post(f"/dependents/{wanted}{path}", {"method": "on_site"})
            assert (answer.status_code, answer.json["code"]) == (404, "not_found")
            continue
        for answer in (
            stranger.get(f"/dependents/{wanted}"),
            stranger.send("PATCH", f"/dependents/{wanted}", {"phone": "13900000000"}),
        ):
            assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert stranger.get("/dependents").json["items"] == []


def test_without_a_login_nothing_is_shown(clinic: Clinic) -> None:
    answer = clinic.app.test_client().get("/api/v1/dependents")
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
