"""`phone_otp`: a code to the dependent's own phone. It proves a phone, and never who somebody is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import minors
import pytest
from fakes import FakeSms
from minors import errors, newborn
from people import CAUSE, FakeMatcher
from sqlalchemy import select
from sqlalchemy.orm import Session
from ward import Ward, add, agree
from wire import Phone, Reply, new_key

from core.identity.consent_texts import current_version
from core.identity.phone_check import pass_by_code, try_check
from core.identity.phone_codes import Asker
from core.ports import ProviderRefused, ProviderUnavailable
from core.refusals import PhoneNotProven
from models.account import LoginSession, Purpose
from models.base import new_id
from models.identity_check import IdentityCheck
from models.person import Dependent

MOTHER = {"id_number": "110101196111229970", "relationship": "parent", "phone": "13900000001", "name": "测试丁"}


@pytest.fixture
def an(ward: Ward) -> Phone:
    return ward.log_in("an")


def begin(phone: Phone, dependent_id: str, method: str = "phone_otp") -> Reply:
    return phone.post(f"/dependents/{dependent_id}/identity-checks", {"method": method})


def complete(phone: Phone, check_id: str, otp: str | None = None) -> Reply:
    return phone.send("POST", f"/identity-checks/{check_id}/completion", {} if otp is None else {"otp": otp})


def identity(phone: Phone, dependent_id: str) -> dict[str, Any]:
    told: dict[str, Any] = phone.send("GET", f"/dependents/{dependent_id}").json["identity"]
    return told


def sent(ward: Ward) -> tuple[str, str]:
    """The last message: to which phone, which code."""
    return gateway(ward).sent[-1]


def gateway(ward: Ward) -> FakeSms:
    (only,) = ward.adapters.sms
    assert isinstance(only, FakeSms)
    return only


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


def test_l_04_a_childs_phone_is_sent_a_code_only_with_the_guardians_consent(ward: Ward, an: Phone) -> None:
    """And what waits for one ends with the consent."""
    child = an.post("/dependents", minors.child(ward, phone="13900000002", guardian_dependent_id=add(an))).json["id"]
    refused = begin(an, child)
    assert (refused.code, refused.json["facts"]["purpose"]) == ("consent_required", "minor")
    assert gateway(ward).sent == []
    agree(an, "minor", child)
    begun = begin(an, child)
    assert begun.status == 201
    said = {"purpose": "minor", "version": current_version(Purpose.MINOR), "granted": False, "dependent_id": child}
    assert an.send("POST", "/account/consents", said).status == 201
    assert complete(an, begun.json["id"]).json["status"] == "failed"


def test_a_code_alone_proves_nobody(ward: Ward, an: Phone) -> None:
    mother = add(an, **MOTHER)
    assert "phone_otp" in identity(an, mother)["methods"]
    begun = begin(an, mother)
    assert (begun.status, begun.json["status"], begun.json["client_params"]) == (201, "pending", {})
    assert identity(an, mother)["status"] == "pending"
    phone, code = sent(ward)
    assert phone == "+8613900000001"
    assert complete(an, begun.json["id"]).json == {"status": "pending", "level": 0}
    assert complete(an, begun.json["id"], code).json == {"status": "passed", "level": 0}
    told = identity(an, mother)
    assert (told["status"], told["level"]) == ("unverified", 0)


def test_a_match_before_or_after_is_what_makes_level_1(ward: Ward, an: Phone) -> None:
    ward.adapters.matcher = FakeMatcher()
    mother = add(an, **MOTHER)
    assert begin(an, mother, "name_match").json["status"] == "passed"
    begun = begin(an, mother)
    assert complete(an, begun.json["id"], sent(ward)[1]).json == {"status": "passed", "level": 1}
    assert identity(an, mother)["level"] == 1


def test_a_code_is_good_once_for_its_own_check_and_login(ward: Ward, an: Phone) -> None:
    me, mother = add(an), add(an, **MOTHER | {"phone": "13800000000"})
    mine = begin(an, me)
    my_code = sent(ward)[1]
    ward.clock.advance(timedelta(minutes=1, seconds=1))
    hers = begin(an, mother)
    assert complete(an, hers.json["id"], my_code).json["code"] == "phone_refused" or my_code == sent(ward)[1]
    assert complete(an, mine.json["id"], my_code).json["code"] == "phone_refused"
    elsewhere = ward.log_in("an")
    code = sent(ward)[1]
    assert complete(elsewhere, hers.json["id"], code).json["code"] == "phone_refused"
    assert complete(ward.log_in("bo"), hers.json["id"], code).status == 404
    assert complete(an, hers.json["id"], code).json["status"] == "passed"
    assert complete(an, hers.json["id"], code).json["code"] == "phone_refused"


def test_five_tries_and_five_minutes(ward: Ward, an: Phone) -> None:
    mother = add(an, **MOTHER)
    begun, code = begin(an, mother), sent(ward)[1]
    for _ in range(5):
        assert complete(an, begun.json["id"], wrong(code)).json["code"] == "phone_refused"
    assert complete(an, begun.json["id"], code).json["code"] == "rate_limited"
    ward.clock.advance(timedelta(minutes=1, seconds=1))
    again, code = begin(an, mother), sent(ward)[1]
    assert complete(an, begun.json["id"]).json["reason"] == "replaced"
    ward.work(after=timedelta(minutes=5))
    assert complete(an, again.json["id"], code).json["code"] == "phone_refused"
    assert complete(an, again.json["id"]).json == {"status": "failed", "level": 0, "reason": "expired"}


def test_a_36_a_phone_gets_one_code_a_minute_whatever_for(ward: Ward, an: Phone) -> None:
    mother = add(an, **MOTHER)
    begin(an, mother)
    path = f"/dependents/{mother}/identity-checks"
    refused = an.send("POST", path, {"method": "phone_otp"}, key=new_key())
    assert (refused.status, refused.json["code"]) == (429, "rate_limited")


def test_the_code_of_a_removed_dependent_is_refused_like_any_other(ward: Ward, an: Phone) -> None:
    """Its phone is erased: there is nothing to compare, and nothing wrong with the keys."""
    mother = add(an, **MOTHER)
    begun, code = begin(an, mother), sent(ward)[1]
    assert an.send("DELETE", f"/dependents/{mother}").status == 204
    for guess in (code, wrong(code)):
        refused = complete(an, begun.json["id"], guess)
        assert (refused.status, refused.json["code"]) == (409, "phone_refused")
    assert complete(an, begun.json["id"]).json["reason"] == "consent_withdrawn"


@pytest.mark.parametrize("purpose", ["service", "sensitive_identity"])
def test_l_03_no_code_goes_to_anybody_once_the_consent_is_withdrawn(ward: Ward, an: Phone, purpose: str) -> None:
    """What waits for a code ends; the desk stays open."""
    mother = add(an, **MOTHER)
    begun, desk = begin(an, mother), begin(an, mother, "on_site")
    code = sent(ward)[1]
    said = {"purpose": purpose, "version": current_version(Purpose(purpose)), "granted": False}
    assert an.send("POST", "/account/consents", said).status == 201
    assert complete(an, begun.json["id"]).json == {"status": "failed", "level": 0, "reason": "consent_withdrawn"}
    assert complete(an, begun.json["id"], code).json["code"] == "phone_refused"
    assert complete(an, desk.json["id"]).json["status"] == "pending"
    ward.clock.advance(timedelta(minutes=2))
    refused = an.send("POST", f"/dependents/{mother}/identity-checks", {"method": "phone_otp"}, key=new_key())
    assert (refused.status, refused.json["code"], refused.json["facts"]["purpose"]) == (
        409,
        "consent_required",
        purpose,
    )
    assert len(gateway(ward).sent) == 1


@pytest.mark.parametrize("step", ["try", "pass"])
def test_a_phone_that_was_erased_since_the_check_was_read_is_refused(ward: Ward, an: Phone, step: str) -> None:
    """Removing does both in one transaction; whoever reads the check before it and the dependent after it sees this."""
    mother = add(an, **MOTHER)
    begun, code = begin(an, mother), sent(ward)[1]
    check_id = UUID(begun.json["id"])
    vault = ward.workbench.vault

    def act(session: Session, now: datetime) -> None:
        check = session.get_one(IdentityCheck, check_id)
        login = session.scalars(select(LoginSession).where(LoginSession.account_id == check.account_id)).one()
        caller = Asker(check.account_id, login.platform_identity_id, login.id, "", "")
        session.get_one(Dependent, check.dependent_id).forget_contact()
        about: dict[str, Any] = {"caller": caller, "check_id": check_id, "vault": vault, "now": now}
        if step == "try":
            try_check(session, guess=code, **about)
        else:
            pass_by_code(session, code_id=new_id(), cause=CAUSE, **about)

    with pytest.raises(PhoneNotProven):
        ward.workbench.transactions.write(act)


def test_another_phone_since_then_is_another_phone(ward: Ward, an: Phone) -> None:
    mother = add(an, **MOTHER)
    begun, code = begin(an, mother), sent(ward)[1]
    assert an.send("PATCH", f"/dependents/{mother}", {"phone": "13900000002"}).status == 200
    assert complete(an, begun.json["id"], code).json["code"] == "phone_refused"


def test_nothing_is_sent_where_no_code_can_say_anything(ward: Ward, an: Phone) -> None:
    abroad = add(an, **MOTHER | {"phone": "+852 91234567"})
    bound = an.post("/dependents", newborn(ward)).json["id"]
    me = add(an)
    for dependent in (abroad, bound):
        assert "phone_otp" not in identity(an, dependent)["methods"]
        assert errors(begin(an, dependent)) == [("#/method", "method_not_open")]
    desk = begin(an, me, "on_site").json["id"]
    assert errors(complete(an, desk, "123456")) == [("#/otp", "not_allowed")]


def test_a_message_that_nobody_takes_has_failed_the_check(ward: Ward, an: Phone) -> None:
    me = add(an)
    gateway(ward).failures = [ProviderRefused("Unauthorized")]
    begun = begin(an, me)
    assert (begun.status, begun.json["status"], begun.json["reason"]) == (201, "failed", "not_sent")
    assert identity(an, me)["methods"][-1] == "on_site"


def test_who_was_removed_is_asked_about_no_more(ward: Ward, an: Phone) -> None:
    """Neither the register nor a phone: every open check ends with the dependent."""
    ward.adapters.matcher = register = FakeMatcher(answers=[ProviderUnavailable("down")])
    mother = add(an, **MOTHER)
    waits = begin(an, mother, "name_match")
    assert waits.json["status"] == "pending"
    code = begin(an, mother).json["id"]
    assert an.send("DELETE", f"/dependents/{mother}").status == 204
    ward.work(after=timedelta(minutes=2))
    assert len(register.asked) == 1
    for check_id in (waits.json["id"], code):
        assert complete(an, check_id).json["status"] == "failed"
