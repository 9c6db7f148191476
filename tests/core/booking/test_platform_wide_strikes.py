"""What is missed at one hospital restricts at another only where both say that strikes count at every hospital."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import pytest
from factories import make_department, make_hospital, make_schedule
from harness import Patient, beside
from sqlalchemy.orm import Session

from core.booking.eligibility import explain_for
from core.refusals import Restricted
from models.appointment import PayMode

WIDE = {"strikes_platform_wide": True}


def elsewhere(patient: Patient, terms: dict[str, object]) -> UUID:
    """A half day of another hospital."""

    def step(session: Session, now: datetime) -> UUID:
        department = make_department(session, make_hospital(session))
        return make_schedule(session, department, fee_fen=0, terms=terms, now=now).id

    return patient.write(step)


def codes(patient: Patient, schedule_id: UUID) -> list[str]:
    """By eligibility."""
    ids = {"schedule_id": schedule_id, "dependent_id": patient.dependent_id, "account_id": patient.account_id}
    found = patient.workbench.transactions.read(lambda session, now: explain_for(session, **ids, now=now))
    return [one.error.code for one in found.reasons]


@pytest.mark.parametrize("there", [WIDE, {}])
@pytest.mark.parametrize("here", [WIDE, {}])
def test_a_strike_reaches_another_hospital_where_both_say_so(
    patient: Patient, here: dict[str, object], there: dict[str, object]
) -> None:
    ladder = {"cancel_ladder": [{"count": 1, "within": "90d", "ban": "14d"}]}
    patient.cancel(patient.book(PayMode.ON_SITE, schedule_id=beside(patient, fee_fen=0, terms=ladder | here)))
    patient.work()
    wanted, at_home = elsewhere(patient, there), beside(patient, fee_fen=0)
    assert codes(patient, at_home) == ["restricted"], "its own restricts in any case"
    if here and there:
        assert codes(patient, wanted) == ["restricted"]
        with pytest.raises(Restricted):
            patient.book(PayMode.ON_SITE, schedule_id=wanted)
    else:
        assert codes(patient, wanted) == []
        patient.book(PayMode.ON_SITE, schedule_id=wanted)
