"""The hospital's clerk, who imports half days for the clinic that a patient books at."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from harness import Patient, join
from spreadsheet import csv_bytes
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.catalog.faults import Fault, InvalidDirectory
from core.catalog.import_file import Imported, import_schedules
from core.catalog.import_rows import read_import
from core.catalog.sheets import HEADINGS
from models.hospital import Department, Hospital
from models.schedule import Schedule, Slot
from models.states import Actor, Cause, CauseKind

CLERK = Cause(Actor.OPERATOR, CauseKind.COMMAND, "import", "clerk")
DAY = date(2026, 11, 26)


class Clerk:
    """Writes files for the clinic that the patient books at: by default one hour, two numbers in each half."""

    def __init__(self, patient: Patient, path: Path, *, clinic_type: str = "FILE", day: date = DAY) -> None:
        self.patient, self.path = patient, path
        self.clinic_type, self.day = clinic_type, day
        session_codes: tuple[str, str] = patient.read(self._codes)
        self.codes = session_codes

    def _codes(self, session: Session) -> tuple[str, str]:
        schedule = session.get_one(Schedule, self.patient.schedule_id)
        hospital = session.get_one(Hospital, schedule.hospital_id)
        return hospital.code, session.get_one(Department, schedule.department_id).code

    def row(self, **but: str) -> list[str]:
        usual = {
            "hospital_code": self.codes[0], "campus_code": "", "department_code": self.codes[1], "doctor_code": "",
            "visit_date": f"{self.day}", "period": "afternoon", "starts": "14:00", "ends": "15:00",
            "clinic_type": self.clinic_type, "fee": "50", "segment_minutes": "30", "numbers_per_segment": "2",
        }  # fmt: skip
        return [(usual | but)[column] for column in HEADINGS]

    def write(self, *rows: list[str]) -> None:
        self.path.write_bytes(csv_bytes(rows, heads=list(HEADINGS)))

    def load(self, *rows: list[str]) -> Imported:
        self.write(*rows)
        faults: list[Fault] = []
        read = read_import(self.path, faults)
        return self.patient.write(
            lambda session, now: import_schedules(session, "file.csv", read, faults, now=now, cause=CLERK)
        )

    def refused(self, *rows: list[str]) -> list[tuple[int, str, str]]:
        with pytest.raises(InvalidDirectory) as refused:
            self.load(*rows)
        return [(one.line, one.column, one.code) for one in refused.value.faults]

    def half_day(self, **where: str) -> Schedule:
        query = select(Schedule).filter_by(**{"clinic_type": self.clinic_type} | where)
        return self.patient.read(lambda session: session.scalars(query).one())

    def slots(self) -> list[Slot]:
        query = select(Slot).where(Slot.schedule_id == self.half_day().id).order_by(Slot.sequence)
        return self.patient.read(lambda session: list(session.scalars(query)))


def another(clerk: Clerk) -> Patient:
    one = clerk.patient
    return join(one.workbench, one.clock, one.adapters, clerk.half_day().id)


def opened(clerk: Clerk) -> None:
    """Released already."""
    past = clerk.patient.clock.now() - timedelta(days=1)
    clerk.patient.write(
        lambda session, _now: setattr(session.get_one(Schedule, clerk.half_day().id), "release_at", past)
    )
