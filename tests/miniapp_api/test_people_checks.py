"""Identity checks over HTTP: begun under a key, ended by the platform's word, or at the desk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from fakes import ManualClock
from people_http import MOTHER, SELF, Clinic, Patient, open_clinic
from sqlalchemy import select

from core.ports import FaceOutcome, FaceResult, ProviderRefused, ProviderUnavailable
from miniapp_api.config import Config
from models.audit import AuditEntry

PASSED = FaceResult(FaceOutcome.PASSED)


@pytest.fixture
def clinic(config: Config, clock: ManualClock) -> Iterator[Clinic]:
    with open_clinic(config, clock) as opened:
        yield opened


@pytest.fixture
def patient(clinic: Clinic) -> Patient:
    return clinic.patient("an")


@pytest.fixture
def dependent_id(patient: Patient) -> str:
    added = patient.add(SELF)
    patient.agree("face", added)
    return added


def begin(patient: Patient, dependent_id: str, method: str = "wechat_face", *, key: str | None = None) -> Any:
    return patient.post(f"/dependents/{dependent_id}/identity-checks", {"method": method}, key=key)


def complete(patient: Patient, check_id: str, body: Any = None) -> Any:
    return patient.send("POST", f"/identity-checks/{check_id}/completion", body)


def test_a_face_from_begin_to_pass(clinic: Clinic, patient: Patient, dependent_id: str) -> None:
    begun = begin(patient, dependent_id)
    assert begun.status_code == 201
    assert set(begun.json) == {"id", "method", "status", "expires_at", "client_params"}
    assert (begun.json["method"], begun.json["status"]) == ("wechat_face", "pending")
    assert begun.json["expires_at"] == "2026-11-22T03:00:00.000Z"
    assert set(begun.json["client_params"]) == {"verifyId"}
    assert patient.get(f"/dependents/{dependent_id}").json["identity"]["status"] == "pending"
    assert complete(patient, begun.json["id"]).json == {"status": "pending", "level": 0}
    clinic.verifier.answers = [PASSED]
    ended = complete(patient, begun.json["id"], {"client_result": {"errCode": 0}})
    assert (ended.status_code, ended.json) == (200, {"status": "passed", "level": 2})
    assert patient.get(f"/dependents/{dependent_id}").json["identity"] == {
        "status": "verified",
        "level": 2,
        "methods": ["wechat_face", "on_site"],
        "checked_at": "2026-11-22T02:00:00.000Z",
    }
    assert complete(patient, begun.json["id"]).json == ended.json


def test_the_clients_own_claim_is_no_proof(patient: Patient, dependent_id: str) -> None:
    check_id = begin(patient, dependent_id).json["id"]
    claim = {"client_result": {"status": "passed", "errCode": 0, "verifyResult": "success"}}
    assert complete(patient, check_id, claim).json["status"] == "pending"


def test_completion_takes_no_body_or_an_empty_one_and_nothing_unknown(patient: Patient, dependent_id: str) -> None:
    check_id = begin(patient, dependent_id).json["id"]
    assert complete(patient, check_id).status_code == complete(patient, check_id, {}).status_code == 200
    answer = complete(patient, check_id, {"status": "passed"})
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "unknown_field")


def test_a_failure_has_its_reason(clinic: Clinic, patient: Patient, dependent_id: str) -> None:
    check_id = begin(patient, dependent_id).json["id"]
    clinic.verifier.answers = [FaceResult(FaceOutcome.FAILED, reason="cancelled")]
    assert complete(patient, check_id).json == {"status": "failed", "level": 0, "reason": "cancelled"}


def test_an_expired_check_is_failed(clinic: Clinic, patient: Patient, dependent_id: str, clock: ManualClock) -> None:
    check_id = begin(patient, dependent_id).json["id"]
    clock.advance(timedelta(hours=1))
    clinic.verifier.answers = [PASSED]
    assert complete(patient, check_id).json == {"status": "failed", "level": 0, "reason": "expired"}


def test_a_platform_that_is_away_leaves_it_pending(clinic: Clinic, patient: Patient, dependent_id: str) -> None:
    """F-60."""
    check_id = begin(patient, dependent_id).json["id"]
    clinic.verifier.answers = [ProviderUnavailable("slow")]
    answer = complete(patient, check_id)
    assert (answer.status_code, answer.json) == (200, {"status": "pending", "level": 0})


def test_no_face_without_its_consent(patient: Patient) -> None:
    answer = begin(patient, patient.add(MOTHER))
    assert (answer.status_code, answer.json["code"]) == (409, "consent_required")
    assert answer.json["facts"]["purpose"] == "face"


def test_after_three_tries_the_desk_remains(patient: Patient, dependent_id: str) -> None:
    for _ in range(3):
        assert begin(patient, dependent_id).status_code == 201
    answer = begin(patient, dependent_id)
    assert (answer.status_code, answer.json["code"]) == (409, "check_limit")
    assert answer.json["facts"] == {"methods": ["on_site"]}
    assert answer.json["retry_at"] == "2026-11-22T16:00:00.000Z"
    assert patient.get(f"/dependents/{dependent_id}").json["identity"]["methods"] == ["on_site"]
    assert begin(patient, dependent_id, "on_site").status_code == 201


def test_methods_that_are_not_open_are_refused(patient: Patient, dependent_id: str) -> None:
    for method, code in (
        ("alipay_face", "method_not_open"),
        ("guardian", "method_not_open"),
        ("magic", "unknown_word"),
    ):
        answer = begin(patient, dependent_id, method)
        assert answer.status_code == 422
        assert [(error["pointer"], error["code"]) for error in answer.json["errors"]] == [("#/method", code)]


def test_the_same_key_opens_one_check(clinic: Clinic, patient: Patient, dependent_id: str) -> None:
    key = str(uuid4())
    first, second = (begin(patient, dependent_id, key=key) for _ in range(2))
    assert first.data == second.data
    assert len(clinic.verifier.started) == 1


def test_an_unanswered_start_goes_on_under_its_key_and_number(
    clinic: Clinic, patient: Patient, dependent_id: str
) -> None:
    key = str(uuid4())
    clinic.verifier.start_failures = [ProviderUnavailable("slow")]
    refused = begin(patient, dependent_id, key=key)
    assert (refused.status_code, refused.json["code"]) == (503, "provider_unavailable")
    begun = begin(patient, dependent_id, key=key)
    assert (begun.status_code, begun.json["status"]) == (201, "pending")
    numbers = {number for number, _ in clinic.verifier.started}
    assert len(clinic.verifier.started) == 2
    assert len(numbers) == 1


def test_a_start_whose_answer_was_lost_needs_a_new_key(clinic: Clinic, patient: Patient, dependent_id: str) -> None:
    key = str(uuid4())
    clinic.verifier.start_failures = [ProviderUnavailable("answer lost"), ProviderRefused("84011")]
    assert begin(patient, dependent_id, key=key).status_code == 503
    lost = begin(patient, dependent_id, key=key)
    assert (lost.status_code, lost.json["status"], lost.json["reason"]) == (201, "failed", "start_lost")
    assert lost.json["client_params"] == {}
    assert begin(patient, dependent_id, key=key).data == lost.data
    assert begin(patient, dependent_id).json["status"] == "pending"


def test_anothers_check_is_not_found(clinic: Clinic, patient: Patient, dependent_id: str) -> None:
    check_id = begin(patient, dependent_id).json["id"]
    clinic.verifier.answers = [PASSED]
    stranger = clinic.patient("bo")
    for wanted in (check_id, str(uuid4())):
        answer = complete(stranger, wanted)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert clinic.verifier.asked == []


def test_a_pass_is_ones_own_accounts_and_nobody_elses(clinic: Clinic, patient: Patient, dependent_id: str) -> None:
    """A-40: the same person in another account stays unproven there."""
    other = clinic.patient("bo")
    elsewhere = other.add({**SELF, "relationship": "other"})
    check_id = begin(patient, dependent_id).json["id"]
    clinic.verifier.answers = [PASSED]
    assert complete(patient, check_id).json["status"] == "passed"
    assert other.get(f"/dependents/{elsewhere}").json["identity"]["level"] == 0


def test_matched_identity_is_frozen(clinic: Clinic, patient: Patient, dependent_id: str) -> None:
    check_id = begin(patient, dependent_id).json["id"]
    clinic.verifier.answers = [PASSED]
    complete(patient, check_id)
    answer = patient.send("PATCH", f"/dependents/{dependent_id}", {"name": "测试丁", "phone": "13900000000"})
    assert (answer.status_code, answer.json["code"]) == (409, "identity_frozen")
    assert patient.get(f"/dependents/{dependent_id}").json["phone_masked"] == "138****0000"


# --- the desk --------------------------------------------------------------------------------------------------------


def verify(clinic: Clinic, *arguments: str) -> Any:
    return clinic.app.test_cli_runner().invoke(args=["verify-on-site", *arguments])


def test_the_desk_passes_the_check_that_waits_for_it(clinic: Clinic, patient: Patient, dependent_id: str) -> None:
    waiting = begin(patient, dependent_id, "on_site")
    assert waiting.json["client_params"] == {}
    assert waiting.json["expires_at"] == "2026-12-22T02:00:00.000Z"
    done = verify(clinic, dependent_id, "--operator", "王窗口", "--document-seen")
    assert done.exit_code == 0
    (line,) = done.stdout.splitlines()
    assert json.loads(line) == {
        "dependent_id": dependent_id,
        "check_id": waiting.json["id"],
        "status": "passed",
        "level": 2,
    }
    assert complete(patient, waiting.json["id"]).json == {"status": "passed", "level": 2}
    (entry,) = clinic.workbench.transactions.read(lambda session, _: session.scalars(select(AuditEntry)).all())
    assert (entry.actor, entry.subject) == ("王窗口", f"dependent:{dependent_id}")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--operator", "王窗口"),
        ("--document-seen",),
        ("--operator", " ", "--document-seen"),
        ("--operator", "a\u202eb", "--document-seen"),
        ("--operator", "x" * 65, "--document-seen"),
    ],
)
def test_the_desk_must_have_seen_the_document_and_say_who(
    clinic: Clinic, patient: Patient, dependent_id: str, arguments: tuple[str, ...]
) -> None:
    assert verify(clinic, dependent_id, *arguments).exit_code == 2
    assert patient.get(f"/dependents/{dependent_id}").json["identity"]["level"] == 0


def test_the_desk_hears_of_an_id_that_is_none(clinic: Clinic) -> None:
    assert verify(clinic, str(uuid4()), "--operator", "王窗口", "--document-seen").exit_code == 1
    assert verify(clinic, "seven", "--operator", "王窗口", "--document-seen").exit_code == 2
