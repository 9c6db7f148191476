"""Hospitals with one doctor, as `make journey` loads one for each run that needs its own. A rush: a morning of 60
numbers and an afternoon of ten."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from journey_client import ZONE

SEGMENTS, EACH = 6, 10
NUMBERS = SEGMENTS * EACH
INSTEAD = 10
"""Numbers of the same doctor in the afternoon."""
DAYS_AHEAD = 3
FEE_FEN = 2500
HOLD_MINUTES = 2
_HEADERS = {
    "hospitals": "code,name,alias,grade,kind,adcode,address,lat,lng,merchant,booking_notice,synthetic",
    "campuses": "hospital_code,code,name,address,lat,lng",
    "departments": "hospital_code,code,parent_code,name,alias,subject_code,sex,min_age,max_age,online,synthetic",
    "doctors": "hospital_code,code,department_code,name,title,sex,introduction,synthetic",
    "rosters": "hospital_code,department_code,doctor_code,campus_code,weekday,period,starts,ends,clinic_type,fee_fen,"
    "segment_minutes,numbers_per_segment,synthetic",
    "schedules": "hospital_code,department_code,doctor_code,campus_code,visit_date,period,starts,ends,clinic_type,"
    "fee_fen,segment_minutes,numbers_per_segment",
}


_TIMES = {"morning": ("08:00", "11:00"), "afternoon": ("14:00", "17:00")}
_EASY = {
    "hold_minutes": HOLD_MINUTES,
    "return_after_seconds": 0,
    "return_spread_seconds": 0,
    "min_identity_level": 0,
}


@dataclass(frozen=True)
class HalfDay:
    """Numbers of the one doctor, in equal segments."""

    day: date
    period: str
    segments: int
    each: int

    def row(self, code: str) -> list[Any]:
        starts, ends = _TIMES[self.period]
        who = [code, f"{code}-D", f"{code}-T", f"{code}-A"]
        return [
            *who,
            self.day.isoformat(),
            self.period,
            starts,
            ends,
            "EXPERT",
            FEE_FEN,
            180 // self.segments,
            self.each,
        ]


def write_rush(folder: Path, code: str, day: date, release_at: datetime) -> None:
    """The files of a hospital that releases one day's numbers then."""
    local = release_at.astimezone(ZONE)
    policy = {
        "release_days_before": DAYS_AHEAD,
        "release_time": f"{local:%H:%M}",
        "waitlist_opens": "00:00",
        "waitlist_closes": "23:59",
        "offers_most": 1,
    }
    half_days = [HalfDay(day, "morning", SEGMENTS, EACH), HalfDay(day, "afternoon", INSTEAD, 1)]
    write_directory(folder, code, half_days, policy)


def write_directory(folder: Path, code: str, half_days: Sequence[HalfDay], policy: Mapping[str, Any]) -> None:
    """The files of one hospital. Nobody has to prove who they are there, and what is let go comes back at once."""
    rows: Mapping[str, list[list[Any]]] = {
        "hospitals": [[code, f"演示医院{code}", "", "三级甲等", "综合", "320106", "演示路1号", "", "", "", "", "true"]],
        "campuses": [[code, f"{code}-A", "本部", "演示路1号", "", ""]],
        "departments": [[code, f"{code}-D", "", "演示科", "", "", "", "", "", "true", "true"]],
        "doctors": [[code, f"{code}-T", f"{code}-D", "虚拟抢", "主任医师", "F", "虚拟医生，仅供演示。", "true"]],
        "rosters": [],
        "schedules": [one.row(code) for one in half_days],
    }
    for name, header in _HEADERS.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(header.split(","))
            writer.writerows(rows[name])
    entries = [{"level": "hospital", "code": code, "policy": {**_EASY, **policy}}]
    (folder / "policies.json").write_text(json.dumps(entries), encoding="utf-8")
