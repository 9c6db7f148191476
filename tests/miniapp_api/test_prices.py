"""What a patient is told of the price, and of who may pay, before anything is paid."""

from __future__ import annotations

from typing import Any

import pytest
from ward import Ward, add, book
from wire import Phone

TERMS: dict[str, Any] = {
    "min_identity_level": 0,
    "consultation_fen": 1000,
    "fee_discounts": [{"age_from": 0, "age_to": 150, "percent": 50, "basis": "惠民政策"}],
}
SCHEDULE = {"fee_fen": 1500, "terms": TERMS}


@pytest.fixture
def an(ward: Ward) -> Phone:
    return ward.log_in("an")


def test_the_price_is_the_one_that_is_told_before(ward: Ward, an: Phone) -> None:
    dependent_id, schedule_id = add(an), ward.schedule(**SCHEDULE)
    told = an.get(f"/schedules/{schedule_id}/eligibility?dependent_id={dependent_id}")
    assert told["fee_fen"] == 750
    assert told["fee_lines"] == [
        {"kind": "registration", "amount_fen": 500, "legal_basis": "hospital price list"},
        {"kind": "consultation", "amount_fen": 1000, "legal_basis": "hospital price list"},
        {"kind": "discount", "amount_fen": -750, "legal_basis": "惠民政策"},
    ]
    made = book(an, schedule_id, dependent_id)
    assert (made.status, made.json["fee_fen"], made.json["charge"]["due_fen"]) == (201, 750, 750)
    lines = [
        {name: line[name] for name in ("kind", "amount_fen", "legal_basis")} for line in made.json["charge"]["lines"]
    ]
    assert lines == told["fee_lines"]
    assert made.json["payer_kind"] == "self_pay"
    shown = an.get(f"/appointments/{made.json['id']}")
    assert shown["charge"] == made.json["charge"]


def test_who_pays_and_what_follows_is_told_and_the_insurance_refused(ward: Ward, an: Phone) -> None:
    dependent_id, schedule_id = add(an), ward.schedule(**SCHEDULE)
    told = an.get(f"/schedules/{schedule_id}/eligibility?dependent_id={dependent_id}")
    assert [(one["payer_kind"], one["offered"]) for one in told["payers"]] == [("self_pay", True), ("insurance", False)]
    assert "不能改为医保结算" in told["payers"][0]["words"]["zh"]
    wish = {"schedule_id": schedule_id, "dependent_id": dependent_id, "pay": "online", "payer_kind": "insurance"}
    refused = an.post("/appointments", wish)
    assert (refused.status, refused.json["errors"][0]["code"]) == (422, "not_offered")
    assert refused.json["errors"][0]["pointer"] == "#/payer_kind"


def test_a_price_that_was_never_told_is_refused(ward: Ward, an: Phone) -> None:
    dependent_id, schedule_id = add(an), ward.schedule(**SCHEDULE)
    wish = {"schedule_id": schedule_id, "dependent_id": dependent_id, "pay": "online"}
    refused = an.post("/appointments", wish | {"expected_fee_fen": 700})
    assert (refused.status, refused.json["code"], refused.json["facts"]) == (409, "fee_changed", {"fee_fen": 750})
    assert an.post("/appointments", wish | {"expected_fee_fen": 1500}).json["fee_fen"] == 750
