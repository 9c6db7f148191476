"""1.2.9: a child's face is not asked for; what the guardian has proven of themselves stands for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from minors import booked, child, errors, newborn
from ward import Ward, add, agree
from wire import Phone, Reply

from core.ports import FaceOutcome, FaceResult


@pytest.fixture
def an(ward: Ward) -> Phone:
    return ward.log_in("an")


def begin(phone: Phone, dependent_id: str, method: str) -> Reply:
    return phone.post(f"/dependents/{dependent_id}/identity-checks", {"method": method})


def identity(phone: Phone, dependent_id: str) -> dict[str, Any]:
    told: dict[str, Any] = phone.send("GET", f"/dependents/{dependent_id}").json["identity"]
    return told


def confirm(ward: Ward, minor: str) -> None:
    """The desk has seen the birth certificate."""
    seen = ["--relation", "51", "--evidence", "birth_certificate", "--evidence-seen"]
    ran = ward.app.test_cli_runner().invoke(args=["confirm-guardian", minor, "--operator", "desk-1", *seen])
    assert ran.exit_code == 0, ran.output


def proven_guardian(ward: Ward, phone: Phone) -> str:
    """Oneself, whose face was seen."""
    guardian = add(phone)
    agree(phone, "face", guardian)
    ward.verifier.answers = [FaceResult(FaceOutcome.PASSED)]
    begun = begin(phone, guardian, "wechat_face").json
    assert phone.send("POST", f"/identity-checks/{begun['id']}/completion", {}).json["level"] == 2
    return guardian


@pytest.mark.parametrize("who", [child, newborn])
def test_1_2_9_a_guardian_who_was_seen_stands_for_the_child(
    ward: Ward, an: Phone, who: Callable[..., dict[str, Any]]
) -> None:
    guardian = proven_guardian(ward, an)
    minor = an.post("/dependents", who(ward, guardian_dependent_id=guardian)).json["id"]
    assert begin(an, minor, "guardian").json["code"] == "consent_required"
    agree(an, "minor", minor)
    methods = identity(an, minor)["methods"]
    assert ("wechat_face" in methods, "guardian" in methods, methods[-1]) == (False, True, "on_site")
    begun = begin(an, minor, "guardian")
    assert (begun.status, begun.json["status"], begun.json["client_params"]) == (201, "passed", {})
    assert identity(an, minor)["level"] == 1  # it is one's own word that one is the guardian
    confirm(ward, minor)
    begun = begin(an, minor, "guardian")
    ended = an.send("POST", f"/identity-checks/{begun.json['id']}/completion", {})
    assert ended.json == {"status": "passed", "level": 2}
    assert booked(ward, an, minor).status == 201


def test_the_childs_own_face_is_never_opened(ward: Ward, an: Phone) -> None:
    minor = an.post("/dependents", child(ward, guardian_dependent_id=proven_guardian(ward, an))).json["id"]
    agree(an, "face", minor)
    assert errors(begin(an, minor, "wechat_face")) == [("#/method", "method_not_open")]


def test_nobody_stands_in_who_was_not_proven_themselves(ward: Ward, an: Phone) -> None:
    guardian = add(an)
    minor = an.post("/dependents", child(ward, guardian_dependent_id=guardian)).json["id"]
    agree(an, "minor", minor)
    assert "guardian" not in identity(an, minor)["methods"]
    assert errors(begin(an, minor, "guardian")) == [("#/method", "method_not_open")]
    assert errors(begin(an, guardian, "guardian")) == [("#/method", "method_not_open")]


def test_another_guardian_has_to_stand_in_anew(ward: Ward, an: Phone) -> None:
    guardian = proven_guardian(ward, an)
    other = an.post("/dependents", child(ward, years=40, order=927, relationship="spouse")).json["id"]
    minor = an.post("/dependents", child(ward, guardian_dependent_id=guardian)).json["id"]
    agree(an, "minor", minor)
    confirm(ward, minor)
    assert begin(an, minor, "guardian").json["status"] == "passed"
    same = an.send("PATCH", f"/dependents/{minor}", {"guardian_dependent_id": guardian}).json["identity"]
    assert (same["status"], same["level"]) == ("verified", 2)
    changed = an.send("PATCH", f"/dependents/{minor}", {"guardian_dependent_id": other}).json["identity"]
    assert (changed["status"], changed["level"], "checked_at" in changed) == ("unverified", 0, False)
    assert errors(begin(an, minor, "guardian")) == [("#/method", "method_not_open")]


def test_a_proof_of_the_childs_own_outlives_the_guardian(ward: Ward, an: Phone) -> None:
    """Seen at the desk, it is no longer the guardian's word that counts."""
    guardian = proven_guardian(ward, an)
    minor = an.post("/dependents", child(ward, guardian_dependent_id=guardian)).json["id"]
    agree(an, "minor", minor)
    begin(an, minor, "guardian")
    ward.app.test_cli_runner().invoke(args=["verify-on-site", minor, "--operator", "desk-1", "--document-seen"])
    kept = an.send("PATCH", f"/dependents/{minor}", {"guardian_dependent_id": None}).json["identity"]
    assert (kept["status"], kept["level"]) == ("verified", 2)


def test_who_has_come_of_age_is_proven_by_nobody_else(ward: Ward, an: Phone) -> None:
    """The rule counts on the day of the visit, too: 18 is reached on the birthday."""
    guardian = proven_guardian(ward, an)
    youth = an.post("/dependents", child(ward, years=17, order=931, guardian_dependent_id=guardian)).json
    agree(an, "minor", youth["id"])
    assert begin(an, youth["id"], "guardian").json["status"] == "passed"
    born = date.fromisoformat(youth["birth_date"])
    birthday = born.replace(year=born.year + 18)
    for day, is_asked in ((birthday - timedelta(days=1), False), (birthday, True)):
        schedule = ward.schedule(visit_date=day, terms={"min_identity_level": 1})
        said = an.send("GET", f"/schedules/{schedule}/eligibility?dependent_id={youth['id']}").json
        assert ("identity_required" in [reason["code"] for reason in said["reasons"]]) is is_asked


def test_1_2_1_on_the_18th_birthday_it_shows_that_the_guardians_proof_is_over(ward: Ward, an: Phone) -> None:
    """What nothing proves any more freezes nothing either."""
    guardian = proven_guardian(ward, an)
    youth = an.post("/dependents", child(ward, years=17, order=931, guardian_dependent_id=guardian)).json
    agree(an, "minor", youth["id"])
    begin(an, youth["id"], "guardian")
    assert identity(an, youth["id"])["status"] == "verified"
    path = f"/dependents/{youth['id']}"
    assert an.send("PATCH", path, {"name": "测试丁"}).json["code"] == "identity_frozen"
    born = date.fromisoformat(youth["birth_date"])
    ward.work(after=born.replace(year=born.year + 18) - ward.day(0))
    an = ward.log_in("an")
    told = identity(an, youth["id"])
    assert (told["status"], told["level"]) == ("expired", 0)
    told = an.send("PATCH", path, {"name": "测试丁"}).json["identity"]
    assert (told["status"], told["level"]) == ("unverified", 0)


def test_a_guardians_word_takes_no_proof_of_ones_own_away(ward: Ward, an: Phone) -> None:
    """Who was seen at the desk first stays seen, though the guardian stands in for them afterwards."""
    guardian = proven_guardian(ward, an)
    youth = an.post("/dependents", child(ward, years=16, order=933, guardian_dependent_id=guardian)).json["id"]
    agree(an, "minor", youth)
    confirm(ward, youth)
    ward.app.test_cli_runner().invoke(args=["verify-on-site", youth, "--operator", "desk-1", "--document-seen"])
    assert begin(an, youth, "guardian").json["status"] == "passed"
    kept = an.send("PATCH", f"/dependents/{youth}", {"guardian_dependent_id": None}).json["identity"]
    assert (kept["status"], kept["level"]) == ("verified", 2)
