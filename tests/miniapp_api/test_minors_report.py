"""L-04: the figures of a year on minors' data, by command; nobody's name in them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from minors import booked, child
from people import resident_id
from sqlalchemy import delete
from ward import Ward, add, agree

from core.clock import hospital_day
from models.account import Consent, Purpose


def reported(ward: Ward, year: int | None = None) -> dict[str, Any]:
    year = hospital_day(ward.clock.now()).year if year is None else year
    printed = ward.app.test_cli_runner().invoke(args=["minors-report", str(year)])
    assert printed.exit_code == 0, printed.output
    told: dict[str, Any] = json.loads(printed.output.splitlines()[-1])
    assert told.pop("year") == year
    return told


NOTHING = {
    "kept_under_14": 0, "kept_from_14_to_17": 0, "with_guardian": 0, "with_guardian_confirmed": 0, "consents_given": 0,
    "consents_withdrawn": 0, "booked_under_14": 0, "booked_without_consent": 0, "staff_looks": {},
}  # fmt: skip


@pytest.fixture
def child_id(ward: Ward) -> str:
    """A mother, her ten-year-old with consent and one number, her son of fifteen, and her husband."""
    an = ward.log_in("an")
    guardian = add(an)
    minor: str = an.post("/dependents", child(ward, guardian_dependent_id=guardian)).json["id"]
    agree(an, "minor", minor)
    assert booked(ward, an, minor).status == 201
    assert an.post("/dependents", child(ward, years=15, order=923)).status == 201
    grown = {"id_number": resident_id(order=925), "relationship": "spouse", "name": "测试庚"}
    assert an.post("/dependents", child(ward) | grown).status == 201
    return minor


def test_l_04_the_year_is_told_in_figures(ward: Ward, child_id: str) -> None:
    at_desk = ["confirm-guardian", child_id, "--operator", "desk-1", "--relation", "51"]
    seen = ["--evidence", "birth_certificate", "--evidence-seen"]
    assert ward.app.test_cli_runner().invoke(args=at_desk + seen).exit_code == 0
    assert reported(ward) == NOTHING | {
        "kept_under_14": 1, "kept_from_14_to_17": 1, "with_guardian": 1, "with_guardian_confirmed": 1,
        "consents_given": 1, "booked_under_14": 1, "staff_looks": {"guardian.confirm": 1},
    }  # fmt: skip


def test_l_04_a_booking_without_the_guardians_word_would_show(ward: Ward, child_id: str) -> None:
    lost = delete(Consent).where(Consent.purpose == Purpose.MINOR)
    ward.workbench.transactions.write(lambda session, _now: session.execute(lost))
    told = reported(ward)
    assert (told["booked_under_14"], told["booked_without_consent"]) == (1, 1)


@pytest.mark.usefixtures("child_id")
def test_l_04_another_year_has_its_own_acts(ward: Ward) -> None:
    year = hospital_day(ward.clock.now()).year
    kept = {"kept_under_14": 1, "kept_from_14_to_17": 1, "with_guardian": 1}
    assert reported(ward, year - 1) == NOTHING | kept
    ward.clock.advance(timedelta(days=366 * 5))
    assert reported(ward, year + 5) == NOTHING | {"kept_from_14_to_17": 1, "with_guardian": 1}
