"""The answer of eligibility: every reason can be sent, with facts of every kind, as the refusal tells them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from provocations import PROVOCATIONS
from ward import Ward, add, book

from core.booking.tariff import Price
from core.refusals import Restricted
from miniapp_api.app import App
from miniapp_api.errors import document, sentences_of
from miniapp_api.patient.appointments import BOOKING_REFUSALS
from models.errors import DomainError
from models.person import IdentityLevel
from models.schedule import ScheduleStatus
from schemas.eligibility import EligibilityReply
from schemas.words import Words

ANYBODY: dict[str, Any] = {"min_identity_level": 0}
EVERY_KIND: dict[str, Any] = {
    "word": "cool_down",
    "number": 3,
    "nothing": None,
    "day": date(2026, 11, 25),
    "instant": datetime(2026, 11, 25, 2, tzinfo=UTC),
    "id": UUID(int=1),
    "spelled": ScheduleStatus.OPEN,
    "level": IdentityLevel.MATCHED,
    "several": [date(2026, 11, 25), UUID(int=2)],
    "by_name": {"until": datetime(2026, 11, 26, tzinfo=UTC)},
}


@pytest.mark.parametrize("refusal", BOOKING_REFUSALS, ids=lambda refusal: refusal.code)
def test_facts_of_every_kind_are_told_as_the_refusal_tells_them(refusal: type[DomainError]) -> None:
    error = refusal(retry_at=EVERY_KIND["instant"], **EVERY_KIND)
    reason = {"code": error.code, "title": "-", "words": Words("-", "-"), "until": error.retry_at}
    reason |= {"facts": error.facts, "alternatives": []}
    told = {"allowed": False, "reasons": [reason], "warnings": [], "price": Price(()), "payers": []}
    (sent,) = json.loads(json.dumps(EligibilityReply().dump(told)))["reasons"]
    refused = json.loads(document(error.code, english=True, request_id="-", facts=error.facts))
    assert sent["facts"] == refused["facts"]
    assert (sent["facts"]["day"], sent["facts"]["instant"]) == ("2026-11-25", "2026-11-25T02:00:00.000Z")
    assert sent["facts"]["several"] == ["2026-11-25", str(UUID(int=2))]


@pytest.mark.parametrize(("limit", "days"), [("max_per_person_7_days", 7), ("max_per_person_3_months", 91)])
def test_a_limit_over_time_is_told_with_its_days(ward: Ward, limit: str, days: int) -> None:
    phone = ward.log_in("an")
    dependent_id = add(phone)
    assert book(phone, ward.schedule(terms=ANYBODY), dependent_id, "on_site").status == 201
    wanted = ward.schedule(terms=ANYBODY | {limit: 1})
    told = phone.send("GET", f"/schedules/{wanted}/eligibility?dependent_id={dependent_id}")
    assert told.status == 200, told
    refused = book(phone, wanted, dependent_id, "on_site")
    (reason,) = told.json["reasons"]
    assert (reason["code"], reason["facts"]) == (refused.json["code"], refused.json["facts"])
    assert (reason["code"], reason["facts"]["days"], reason["facts"]["most"]) == ("period_limit", days, 1)


def why(kind: str, until: datetime | None) -> list[str]:
    """What a refusal and a reason say that helps, in both languages."""
    error = Restricted(retry_at=until, kind=kind, open=["desk"])
    both = [
        json.loads(document(error.code, english=english, request_id="-", retry_at=until, facts=error.facts))["detail"]
        for english in (False, True)
    ]
    words = sentences_of(error)
    assert [words.zh.partition("。")[2], words.en.partition(". ")[2]] == both
    return both


def test_whoever_is_restricted_reads_whose_doing_it_is_and_what_helps(app: App) -> None:
    tomorrow = datetime(2026, 11, 25, tzinfo=UTC)
    with app.test_request_context():
        zh, en = why("cool_down", tomorrow)
        assert ("平台" in zh, "自动恢复" in zh, "this service" in en, "ends by itself" in en) == (True,) * 4
        zh, en = why("strikes", tomorrow)
        assert ("申诉" in zh, "到期自动恢复" in zh, "appeal" in en, "ends by itself" in en) == (True,) * 4
        zh, en = why("strikes", None)
        assert ("申诉" in zh, "不会自动恢复" in zh, "appeal" in en, "not end by itself" in en) == (True,) * 4


def test_a_cool_down_is_not_laid_at_the_hospitals_door(ward: Ward) -> None:
    refused = PROVOCATIONS["restricted"](ward).json
    assert "联系医院" not in refused["detail"]
    assert refused["facts"] == {"kind": "cool_down", "open": ["desk", "emergency"]}


def test_a_segment_that_does_not_exist_is_named_where_it_was_asked(ward: Ward) -> None:
    phone = ward.log_in("an")
    query = f"dependent_id={add(phone)}&segment_starts_at=2020-01-01T00:00:00Z"
    told = phone.send("GET", f"/schedules/{ward.schedule(terms=ANYBODY)}/eligibility?{query}")
    (error,) = told.json["errors"]
    assert (error["pointer"], error["code"]) == ("?segment_starts_at", "no_such_segment")
    assert error["detail"] == "没有这个时段"
