"""Every kind of document over HTTP, with the checks that each wallet can offer it (rules.md 1.3, F-02)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fakes import ManualClock
from people import resident_id
from people_http import Clinic, open_clinic
from traces import bytes_of, traces

from integrations.alipay.face import AlipayFaceVerifier
from integrations.wechat.face import WeChatFaceVerifier
from miniapp_api.config import Config
from models.database import Database

YOUNG = {"birth_date": "2016-12-25", "sex": "female"}
BORN = {"birth_date": "1988-12-25", "sex": "female"}
PERMIT = resident_id(area="810000", order=998)
FOREIGN = resident_id(area="933840", order=998)
WECHAT, ALIPAY = WeChatFaceVerifier.accepted_id_types, AlipayFaceVerifier.accepted_id_types

# What is sent, how its number is shown, and whether WeChat and Alipay verify it by face.
DOCUMENTS: list[tuple[dict[str, Any], str, bool, bool]] = [
    ({"id_type": "resident_id", "id_number": "37010219920303997x"}, "370***********997X", True, True),
    ({"id_type": "hmt_residence_permit", "id_number": PERMIT}, f"810***********{PERMIT[-4:]}", False, True),
    ({"id_type": "foreign_permanent_resident", "id_number": FOREIGN}, f"933***********{FOREIGN[-4:]}", False, True),
    (
        {"id_type": "foreign_permanent_resident", "id_number": "USA110080070401", "sex": "male"},
        "USA********0401",
        False,
        True,
    ),
    ({"id_type": "hk_macao_permit", "id_number": "H1234567801", **BORN}, "H1******801", False, True),
    ({"id_type": "taiwan_permit", "id_number": "1234567801（B）", **BORN}, "123*******(B)", False, True),
    (
        {"id_type": "passport", "id_number": "ab-123 4567", "country": "us", "id_expires_on": "2026-11-22", **BORN},
        "AB*****67",
        False,
        False,
    ),
    (
        {"id_type": "birth_certificate", "id_number": "p330123456", **YOUNG},
        "P3*****456",
        False,
        False,
    ),
    ({"id_type": "household_register", "id_number": "320106198812259988"}, "320***********9988", False, False),
    ({"id_type": "officer_card", "id_number": "军字第１２３４５６７号", **BORN}, "军字******67号", False, False),
    ({"id_type": "guardian_bound", "birth_date": "2026-11-20", "sex": "female"}, "", False, False),
]


@pytest.fixture
def clinic(config: Config, clock: ManualClock) -> Iterator[Clinic]:
    with open_clinic(config, clock) as opened:
        yield opened


def person(document: dict[str, Any]) -> dict[str, Any]:
    return {"name": "TEST ALPHA", "phone": "13800000000", "relationship": "self", **document}


def test_1_3_every_kind_is_kept_and_shown_masked(clinic: Clinic) -> None:
    for at, (document, mask, *_) in enumerate(DOCUMENTS):
        patient = clinic.patient(f"patient-{at}")
        answer = patient.post("/dependents", person(document))
        assert answer.status_code == 201, answer.text
        told = answer.json
        assert (told["id_type"], told["id_number_masked"]) == (document["id_type"], mask)
        assert told["sex"] in ("male", "female")
        assert told["age"] == 2026 - int(told["birth_date"][:4]) - (told["birth_date"][5:] > "11-22")
        assert patient.get(f"/dependents/{told['id']}").json == told
        assert "on_site" in told["identity"]["methods"]


def test_1_3_country_and_last_day_are_told_where_there_are_any(clinic: Clinic) -> None:
    told = {}
    for at, (document, *_) in enumerate(DOCUMENTS):
        answer = clinic.patient(f"patient-{at}").post("/dependents", person(document))
        told[at] = {name: answer.json[name] for name in ("country", "id_expires_on") if name in answer.json}
    assert {at: said for at, said in told.items() if said} == {
        3: {"country": "USA"},
        6: {"country": "USA", "id_expires_on": "2026-11-22"},
    }


@pytest.mark.parametrize(("accepted", "at"), [(WECHAT, 2), (ALIPAY, 3)], ids=["wechat", "alipay"])
def test_f_02_nobody_is_offered_what_cannot_work(clinic: Clinic, accepted: frozenset[str], at: int) -> None:
    clinic.verifier.accepted_id_types = accepted
    for number, row in enumerate(DOCUMENTS):
        answer = clinic.patient(f"patient-{number}").post("/dependents", person(row[0]))
        expected = ["wechat_face", "on_site"] if row[at] else ["on_site"]
        assert answer.json["identity"]["methods"] == expected, row[0]


def test_f_02_a_check_that_is_not_offered_is_refused(clinic: Clinic) -> None:
    patient = clinic.patient("an")
    dependent_id = patient.add(person(DOCUMENTS[6][0]))
    patient.agree("face", dependent_id)
    answer = patient.post(f"/dependents/{dependent_id}/identity-checks", {"method": "wechat_face"})
    assert answer.status_code == 422
    assert [(error["pointer"], error["code"]) for error in answer.json["errors"]] == [("#/method", "method_not_open")]
    assert clinic.verifier.started == []


def test_the_number_is_sent_to_a_platform_as_it_is_printed(clinic: Clinic) -> None:
    clinic.verifier.accepted_id_types = ALIPAY
    patient = clinic.patient("an")
    dependent_id = patient.add(person(DOCUMENTS[4][0]))
    patient.agree("face", dependent_id)
    assert patient.post(f"/dependents/{dependent_id}/identity-checks", {"method": "wechat_face"}).status_code == 201
    ((_, subject),) = clinic.verifier.started
    assert (subject.id_type, subject.id_number) == ("hk_macao_permit", "H1234567801")


def test_1_1_8_a_permit_known_elsewhere_looks_like_a_new_one(clinic: Clinic) -> None:
    """A-39: the account that comes second is shown its own digits."""
    permit = person(DOCUMENTS[4][0])
    first = clinic.patient("an").post("/dependents", permit)
    second = clinic.patient("bo").post("/dependents", permit | {"id_number": "H1234567802"})
    told = [{name: value for name, value in answer.json.items() if name != "id"} for answer in (first, second)]
    assert told[1] == told[0] | {"id_number_masked": "H1******802"}


def test_n_2_no_number_is_readable_in_the_database_or_the_log(
    clinic: Clinic, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    secrets = ["TEST ALPHA"]
    for at, (document, *_) in enumerate(DOCUMENTS):
        clinic.patient(f"patient-{at}").add(person(document))
        secrets += [document["id_number"], document["id_number"].upper()] if "id_number" in document else []
    secrets += ["1234567801(B)", "AB1234567", "军字第1234567号"]
    streams = capfd.readouterr()
    logged = (streams.out + streams.err).encode()
    for kept, there in ((bytes_of(database), b"taiwan_permit"), (logged, b"/api/v1/dependents")):
        assert there in kept
        assert [secret for secret in secrets for trace in traces(secret) if trace in kept] == []
