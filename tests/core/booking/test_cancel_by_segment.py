"""A deadline counted from one's own segment, and none at all."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import FakeAdapters, ManualClock
from harness import Patient, make_patient

from core.refusals import CancelDeadlinePassed
from core.workbench import Workbench
from models.appointment import PayMode

MILLISECOND = timedelta(milliseconds=1)


def test_a_deadline_before_ones_own_segment(workbench: Workbench, clock: ManualClock, adapters: FakeAdapters) -> None:
    terms = {"cancel_minutes_before_segment": 30}
    patient = make_patient(workbench, clock, adapters, numbers=20, terms=terms)
    later = patient.slots()[-1]
    made = patient.book(PayMode.ON_SITE, segment_starts_at=later.starts_at)
    assert patient.appointment(made).cancel_before == later.starts_at - timedelta(minutes=30)
    clock.advance(patient.appointment(made).cancel_before - clock.now())
    with pytest.raises(CancelDeadlinePassed):
        patient.cancel(made)
    clock.advance(-MILLISECOND)
    patient.cancel(made)
    patient.assert_sound()


def test_where_nothing_is_taken_back_an_unpaid_number_still_is(patient: Patient) -> None:
    released = patient.clock.now() - timedelta(days=1)
    never = make_patient(
        patient.workbench, patient.clock, patient.adapters, cancel_before=released, terms={"may_cancel": False}
    )
    never.cancel(never.book())
    with pytest.raises(CancelDeadlinePassed):
        never.cancel(never.book(PayMode.ON_SITE))
