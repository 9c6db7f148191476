"""Operator commands for half days that stand."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import uuid4

from click.testing import Result
from factories import make_department, make_doctor, make_hospital, make_schedule
from sqlalchemy.orm import Session

from miniapp_api.app import App
from miniapp_api.services import EXTENSION
from models.schedule import Schedule, ScheduleStatus


def run(app: App, *args: str) -> Result:
    return app.test_cli_runner().invoke(args=list(args))


def test_a_half_day_is_looked_at_suspended_once_and_told(app: App) -> None:
    transactions = app.extensions[EXTENSION].workbench.transactions
    schedule_id = transactions.write(
        lambda session, now: make_schedule(session, make_department(session, make_hospital(session)), now=now).id
    )
    for words, news, version in ((["--dry-run"], True, 1), ([], True, 1), ([], False, 1), (["--dry-run"], False, 1)):
        done = run(app, "suspend-schedule", str(schedule_id), "--reason", "医生停诊", *words)
        assert done.exit_code == 0, done.output
        said = json.loads(done.output)
        assert (said["news"], said["version"], said["dry_run"]) == (news, version, bool(words))
        assert said["counts"] == {"appointments": {}, "paid_fen": 0, "offers": {}}
    status = transactions.read(lambda session, _now: session.get_one(Schedule, schedule_id).status)
    assert status is ScheduleStatus.SUSPENDED


def test_another_doctor_another_time_closed_and_open_again(app: App) -> None:
    transactions = app.extensions[EXTENSION].workbench.transactions

    def make(session: Session, now: datetime) -> tuple[str, str, str]:
        department = make_department(session, make_hospital(session))
        made = make_schedule(session, department, doctor=make_doctor(session, department), now=now)
        return str(made.id), str(make_doctor(session, department).id), f"{made.visit_date}T09:30"

    schedule_id, doctor_id, starts_at = transactions.write(make)
    why = ("--reason", "医生出差")
    acts = (
        ("substitute-doctor", schedule_id, doctor_id, "--fee-fen", "3000", *why),
        ("move-schedule", schedule_id, "--starts-at", starts_at, *why),
        ("close-schedule", schedule_id, *why),
        ("reopen-schedule", schedule_id, *why),
    )
    for version, words in enumerate(acts, start=1):
        for more, news in (("--dry-run", True), (None, True), (None, False)):
            done = run(app, *words, *([more] if more else []))
            assert done.exit_code == 0, done.output
            said = json.loads(done.output)
            assert (said["news"], said["version"]) == (news, version), (words, more)
    refused = run(app, "substitute-doctor", schedule_id, str(uuid4()), *why)
    assert (refused.exit_code, "no such doctor" in refused.output) == (1, True)


def test_what_is_not_there_is_refused(app: App) -> None:
    refused = run(app, "suspend-schedule", str(uuid4()), "--reason", "医生停诊")
    assert refused.exit_code == 1
    assert "not_found" in refused.output
    assert run(app, "suspend-schedule", str(uuid4()), "--reason", " ").exit_code == 2
