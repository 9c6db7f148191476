"""Half days that a hospital's own system offers, brought onto the table as those of a file are.

A half day that cannot be taken, because it names what the directory does not know, or changes what patients have, is
passed over and told to operators each time; the others are not kept waiting for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.orm import Session

from core.catalog.faults import InvalidDirectory
from core.catalog.import_file import Imported, import_schedules
from core.catalog.import_rows import ImportRow
from core.catalog.publish import HORIZON_DAYS
from core.catalog.rows import MAX_SEGMENT_MINUTES, Sitting
from core.clock import hospital_day
from core.hospital.pull import Connected, pull_each
from core.jobs.queue import LeasedJob
from core.ports import HospitalSystem, PublishedHalfDay
from core.workbench import Workbench
from models.hospital import Period
from models.states import Actor, Cause, CauseKind

log = structlog.get_logger()

_TRIES = 3
"""What is wrong by itself is found first, what is wrong beside patients' numbers second."""


def pull_half_days(workbench: Workbench, job: LeasedJob) -> None:
    """Ask every hospital with a system of its own what it offers on the days to come."""
    pull_each(workbench, job, _pull)


def _pull(workbench: Workbench, system: HospitalSystem, connected: Connected, job: LeasedJob) -> None:
    """Raises: ProviderError."""
    cause = Cause(Actor.PLATFORM, CauseKind.JOB, str(job.id))
    today = hospital_day(workbench.transactions.clock.now())
    last = today + timedelta(days=HORIZON_DAYS)
    rows = _rows(connected, system.half_days(connected.code, first=today, last=last), today=today, last=last)
    for _ in range(_TRIES):
        if not rows:
            return
        try:
            done = workbench.transactions.write(partial(_import, connected=connected, rows=rows, cause=cause))
        except InvalidDirectory as refused:
            for fault in refused.faults:
                log.warning("half_day_not_taken", hospital=connected.code, code=fault.code, column=fault.column)
            wrong = {fault.line for fault in refused.faults}
            rows = [row for row in rows if row.line not in wrong]
        else:
            log.info(
                "half_days_pulled",
                hospital=connected.code,
                new=done.new.schedules,
                changed=done.refitted,
                changed_since=len(done.changed_since),
            )
            return


def _import(
    session: Session, now: datetime, *, connected: Connected, rows: Sequence[ImportRow], cause: Cause
) -> Imported:
    """Raises: InvalidDirectory; nothing is kept then."""
    return import_schedules(session, f"system of {connected.code}", rows, [], now=now, cause=cause)


def _rows(connected: Connected, offered: Sequence[PublishedHalfDay], *, today: date, last: date) -> list[ImportRow]:
    """Each half day once, those alone that were asked for, whose segments fill it and are fine enough."""
    found: dict[tuple[object, ...], ImportRow] = {}
    for line, one in enumerate(offered, start=1):
        if not (today <= one.visit_date <= last and _fits(one)):
            log.warning("half_day_not_taken", hospital=connected.code, code="bad_times", column="visit_date")
            continue
        if one.segment_minutes > MAX_SEGMENT_MINUTES:
            log.warning("half_day_not_taken", hospital=connected.code, code="bad_range", column="segment_minutes")
            continue
        key = (one.department, one.doctor, one.visit_date, one.period, one.clinic_type, one.starts)
        found.setdefault(key, ImportRow(line, one.visit_date, _sitting(connected, one)))
    return list(found.values())


def _sitting(connected: Connected, one: PublishedHalfDay) -> Sitting:
    return Sitting(
        hospital_code=connected.code,
        department_code=one.department,
        doctor_code=one.doctor,
        campus_code=one.campus,
        period=Period(one.period),
        starts=one.starts,
        ends=one.ends,
        clinic_type=one.clinic_type,
        fee_fen=one.fee_fen,
        segment_minutes=one.segment_minutes,
        numbers_per_segment=one.numbers_per_segment,
    )


def _fits(one: PublishedHalfDay) -> bool:
    """Whole segments fill it."""
    minutes = (one.ends.hour - one.starts.hour) * 60 + one.ends.minute - one.starts.minute
    return minutes > 0 and minutes % one.segment_minutes == 0
