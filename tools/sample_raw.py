"""The raw data folder, read once for the makers of the sample directory."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

Row = dict[str, str]


class Raw:
    """The raw data folder, read once."""

    def __init__(self, folder: Path) -> None:
        self.hospitals = read(folder / "hospitals.csv")
        self.city = {row["hospital_id"]: row["city"] for row in self.hospitals}
        self.campuses = by(read(folder / "hospital_campuses.csv"), "hospital_id")
        self.departments = by(read(folder / "hospital_departments.csv"), "hospital_id")
        self.doctors = by(read(folder / "synthetic_doctors.csv"), "hospital_id")
        self.subjects = {row["code"]: row for row in read(folder / "diagnostic_subjects.csv")}
        self.aliases = {
            code: [row["alias"] for row in rows]
            for code, rows in by(read(folder / "dept_aliases.csv"), "subject_code").items()
        }
        self.regions_now = read(folder / "gbt2260_current.csv")
        self.regions_past = read(folder / "gbt2260_history.csv")


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def by(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row[column], []).append(row)
    return grouped
