"""What must hold of a person's visits over time, with one doctor, at one time: part of `core/invariants.py`."""

from __future__ import annotations

from collections.abc import Mapping

_HOLDS = "('pending','booked','arrived','fulfilled','noshow')"
_OPEN = "('pending','booked','arrived')"
_TEXT = "CAST({column} AS TEXT)"


def _day_number(column: str) -> str:
    """Days counted from a day in the distant past, in words that both databases know: the year begins with March."""
    year, month, day = (
        f"CAST(SUBSTR({_TEXT.format(column=column)}, {at}) AS INTEGER)" for at in ("1, 4", "6, 2", "9, 2")
    )
    y, m = f"({year} - CASE WHEN {month} < 3 THEN 1 ELSE 0 END)", f"(({month} + 9) % 12)"
    return f"(365 * {y} + {y} / 4 - {y} / 100 + {y} / 400 + (153 * {m} + 2) / 5 + {day})"


def _within(days: int, key: str) -> str:
    """Persons past a limit of visits in a run of so many days, which begins with one of them."""
    apart = f"{_day_number('b.visit_date')} - {_day_number('a.visit_date')}"
    return (
        f"SELECT a.person_id FROM appointments a JOIN appointments b ON b.person_id = a.person_id "
        f"WHERE a.status IN {_HOLDS} AND b.status IN {_HOLDS} AND NOT a.beside_replaced AND NOT b.beside_replaced "
        f"AND a.follow_up_of_id IS NULL AND b.follow_up_of_id IS NULL "
        f"AND {apart} BETWEEN 0 AND {days - 1} GROUP BY a.person_id, a.id "
        f"HAVING COUNT(*) > MAX(CAST(b.terms->>'{key}' AS INTEGER))"
    )


OVER_TIME: Mapping[str, str] = {
    "person_within_week_limit": _within(7, "max_per_person_7_days"),
    "person_within_quarter_limit": _within(91, "max_per_person_3_months"),
    # Not where a hospital gave a half day to a doctor with whom somebody has another one.
    "person_within_doctor_day_limit": "SELECT a.person_id FROM appointments a "
    f"JOIN schedules h ON h.id = a.schedule_id WHERE a.status IN {_OPEN} "
    "AND NOT a.beside_replaced AND a.follow_up_of_id IS NULL AND h.doctor_code <> '' "
    "AND NOT EXISTS (SELECT 1 FROM schedule_changes x WHERE x.schedule_id = h.id) "
    "GROUP BY a.person_id, h.doctor_code, a.visit_date "
    "HAVING COUNT(*) > MAX(CAST(a.terms->>'max_open_per_person_doctor_day' AS INTEGER))",
    "person_is_in_one_place": "SELECT a.id FROM appointments a JOIN slots s ON s.id = a.slot_id "
    "JOIN appointments b ON b.person_id = a.person_id AND b.schedule_id <> a.schedule_id "
    f"JOIN slots t ON t.id = b.slot_id WHERE a.status IN {_OPEN} AND b.status IN {_OPEN} "
    "AND NOT a.beside_replaced AND NOT b.beside_replaced AND s.starts_at < t.ends_at AND t.starts_at < s.ends_at "
    "AND s.surplus IS NULL AND t.surplus IS NULL "
    "AND CAST(a.terms->>'may_overlap' AS TEXT) IN ('false', '0') "
    "AND CAST(b.terms->>'may_overlap' AS TEXT) IN ('false', '0')",
}
