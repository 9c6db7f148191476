"""The command that asks what another policy would have done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import Result
from factories import TERMS
from fakes import FakeAdapters
from harness import Patient, beside, join, make_patient
from sqlalchemy.orm import Session

from core.catalog.recompile import recompile_terms
from miniapp_api.app import App
from miniapp_api.services import EXTENSION
from models.appointment import PayMode
from models.base import new_id
from models.hospital import Hospital
from models.policy import BookingPolicyRow, PolicyLevel
from models.schedule import Schedule


@pytest.fixture
def patient(app: App, clock: Any) -> Patient:
    bench = app.extensions[EXTENSION].workbench
    return make_patient(bench, clock, FakeAdapters(clock))


def test_who_would_have_been_refused_is_told(app: App, patient: Patient, tmp_path: Path) -> None:
    other = beside(patient)
    code = patient.write(lambda session, now: set_policy(session, patient.schedule_id, now))
    recompile_terms(patient.workbench.transactions)
    join(patient.workbench, patient.clock, patient.adapters, other).book(PayMode.ON_SITE)
    patient.book(PayMode.ON_SITE)
    patient.book(PayMode.ON_SITE, schedule_id=other)
    policy = tmp_path / "policy.json"

    def run(written: str, *words: str) -> Result:
        policy.write_text(written, "utf-8")
        return app.test_cli_runner().invoke(args=["simulate", str(policy), *words])

    done = run('{"max_per_person_day": 1}', "--hospital", code, "--from", "2026-11-01")
    assert done.exit_code == 0, done.output
    one, totals = (json.loads(line) for line in done.stdout.splitlines())
    assert (one["name"], [rule["code"] for rule in one["refused_by"]]) == ("测**", ["person_limit"])
    assert (totals["replayed"], totals["refused"], totals["by_rule"]) == (3, 1, {"person_limit": 1})
    assert not set(totals["by_rule"]) & set(totals["rules_left_out"])
    assert json.loads(run("\ufeff{}", "--hospital", code).stdout)["refused"] == 0
    for written, words, said in (
        ("{", ["--hospital", code], "no JSON"),
        ("[" * 100_000, ["--hospital", code], "nested too deeply"),
        ('{"hold_minutes": 9, "hold_minutes": 90}', ["--hospital", code], "stands twice: hold_minutes"),
        ('{"max_per_person_day": 0, "nonsense": 1}', ["--hospital", code], "2 faults"),
        ("{}", ["--hospital", "nowhere"], "nowhere"),
        ("{}", ["--hospital", code, "--department", "nowhere"], "nowhere"),
        ("{}", ["--hospital", code, "--from", "2026-12-02", "--to", "2026-12-01"], "--to lies before --from"),
    ):
        refused = run(written, *words)
        assert (refused.exit_code, said in refused.output) == (1, True), refused.output


def set_policy(session: Session, schedule_id: UUID, now: Any) -> str:
    """The hospital's code."""
    code = session.get_one(Hospital, session.get_one(Schedule, schedule_id).hospital_id).code
    document = dict(TERMS) | {"max_open_per_person_department_day": 2}
    row = {"level": PolicyLevel.HOSPITAL, "subject": code, "document": document}
    session.add(BookingPolicyRow(id=new_id(), version=1, updated_at=now, **row))
    return code
