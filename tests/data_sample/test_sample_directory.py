"""The sample directory is whole: what it names exists, what is invented says so, and a first run stays small."""

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import time
from functools import cache
from pathlib import Path

import pytest
from pypinyin import Style, lazy_pinyin

DATA = Path(__file__).resolve().parents[2] / "data"
FILES = ("hospitals", "campuses", "departments", "doctors", "rosters")
DRUM_TOWER = "JS001"
WEEK = set("1234567")
CLINIC_TYPES = {
    "GENERAL",
    "EXPERT",
    "SPECIAL",
    "DISEASE",
    "MDT",
    "EMERGENCY",
    "INTERNATIONAL",
    "CONVENIENCE",
    "INTERNET",
}
TIMES_A_WEEKDAY_COMES_IN_14_DAYS = 2
MOST_SCHEDULES, MOST_NUMBERS = 2000, 25_000

Row = dict[str, str]


@cache
def rows(name: str) -> list[Row]:
    folder = DATA if name == "regions" else DATA / "sample"
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def codes(name: str) -> set[str]:
    return {row["code"] for row in rows(name)}


def owner(name: str) -> dict[str, str]:
    return {row["code"]: row["hospital_code"] for row in rows(name)}


def repeated(values: Iterable[object]) -> set[object]:
    return {value for value, times in Counter(values).items() if times > 1}


def minutes(text: str) -> int:
    moment = time.fromisoformat(text)
    return moment.hour * 60 + moment.minute


def segments(roster: Row) -> int:
    return (minutes(roster["ends"]) - minutes(roster["starts"])) // int(roster["segment_minutes"])


def days_by_department(keep: Callable[[Row], bool]) -> dict[str, set[str]]:
    days: defaultdict[str, set[str]] = defaultdict(set)
    for roster in filter(keep, rows("rosters")):
        days[roster["department_code"]].add(roster["weekday"])
    return days


@pytest.mark.parametrize("path", sorted(DATA.rglob("*.csv")), ids=lambda path: path.name)
def test_a_csv_is_utf8_with_unix_line_ends_and_no_blank_edges(path: Path) -> None:
    content = path.read_bytes()
    assert b"\r" not in content
    assert not content.startswith(b"\xef\xbb\xbf")
    assert content.endswith(b"\n")
    cells = [cell for line in csv.reader(content.decode().splitlines()) for cell in line]
    assert [cell for cell in cells if cell != cell.strip()] == []


@pytest.mark.parametrize("name", FILES[:-1])
def test_codes_and_names_are_present_and_codes_are_unique(name: str) -> None:
    assert repeated(row["code"] for row in rows(name)) == set()
    assert all(row["code"] and row["name"] for row in rows(name))


def test_there_are_137_hospitals_and_each_has_a_campus_and_a_department() -> None:
    assert len(rows("hospitals")) == 137
    assert set(owner("campuses").values()) == codes("hospitals")
    assert set(owner("departments").values()) == codes("hospitals")


def test_every_reference_stays_within_its_hospital() -> None:
    departments, doctors, campuses = owner("departments"), owner("doctors"), owner("campuses")
    for row in rows("departments"):
        assert not row["parent_code"] or departments[row["parent_code"]] == row["hospital_code"]
    for row in rows("doctors"):
        assert departments[row["department_code"]] == row["hospital_code"]
    for row in rows("rosters"):
        assert departments[row["department_code"]] == row["hospital_code"]
        assert campuses[row["campus_code"]] == row["hospital_code"]
        assert not row["doctor_code"] or doctors[row["doctor_code"]] == row["hospital_code"]


def test_departments_have_two_levels_and_a_group_takes_no_patients() -> None:
    parent = {row["code"]: row["parent_code"] for row in rows("departments")}
    groups = {code for code in parent.values() if code}
    assert all(parent[group] == "" for group in groups)
    assert groups.isdisjoint(row["department_code"] for row in rows("rosters") + rows("doctors"))
    assert repeated((row["hospital_code"], row["parent_code"], row["name"]) for row in rows("departments")) == set()


def test_department_guards_can_be_read() -> None:
    for row in rows("departments"):
        assert row["sex"] in {"", "M", "F"}
        assert row["online"] in {"true", "false"}
        assert re.fullmatch(r"(\d\d(\.\d\d){0,2})?", row["subject_code"])
        assert float(row["min_age"] or 0) <= float(row["max_age"] or 150)
        assert row["name"] not in row["alias"].split(";")


def test_addresses_have_a_known_region_and_a_point_in_china() -> None:
    in_force = {row["code"] for row in rows("regions") if not row["valid_to"]}
    assert {row["adcode"] for row in rows("hospitals")} <= in_force
    for row in rows("hospitals") + rows("campuses"):
        assert row["address"]
        assert 18 < float(row["lat"]) < 54
        assert 73 < float(row["lng"]) < 136


def test_regions_are_sorted_distinct_and_known_over_time() -> None:
    table = rows("regions")
    keys = [(row["code"], row["valid_to"] or "9999") for row in table]
    assert keys == sorted(keys)
    assert repeated(tuple(row.values()) for row in table) == set()
    assert all(re.fullmatch(r"[1-9]\d{5}", row["code"]) and row["name"] for row in table)
    assert all(re.fullmatch(r"(\d{4})?", row[edge]) for row in table for edge in ("valid_from", "valid_to"))
    names = {(row["code"], row["name"]) for row in table}
    assert {("110103", "崇文区"), ("320106", "鼓楼区"), ("330113", "临平区"), ("442000", "中山市")} <= names


def test_a_roster_is_cut_into_whole_segments_and_has_a_fee() -> None:
    for row in rows("rosters"):
        assert row["weekday"] in WEEK
        assert row["period"] in {"morning", "afternoon", "evening", "all_day"}
        assert all(re.fullmatch(r"\d\d:\d\d", row[edge]) for edge in ("starts", "ends"))
        assert minutes(row["starts"]) < minutes(row["ends"])
        assert (minutes(row["ends"]) - minutes(row["starts"])) % int(row["segment_minutes"]) == 0
        assert 2 <= int(row["numbers_per_segment"]) <= 6
        assert row["clinic_type"] in CLINIC_TYPES
        assert int(row["fee_fen"]) > 0


def test_a_period_tells_the_time_of_day() -> None:
    for row in rows("rosters"):
        morning, afternoon = row["ends"] <= "12:00", row["starts"] >= "12:00" and row["ends"] <= "17:30"
        assert (row["period"] == "morning") == morning
        assert (row["period"] == "afternoon") == afternoon
        assert (row["period"] == "evening") == (row["starts"] >= "17:00")


def test_a_doctor_sits_in_the_own_department_two_or_three_half_days_and_never_twice_at_once() -> None:
    home = {row["code"]: row["department_code"] for row in rows("doctors")}
    named = [row for row in rows("rosters") if row["doctor_code"]]
    assert repeated((row["doctor_code"], row["weekday"], row["period"]) for row in named) == set()
    assert all(home[row["doctor_code"]] == row["department_code"] for row in named)
    assert {sum(row["doctor_code"] == code for row in named) for code in home} <= {0, 2, 3}


def test_a_clinic_without_a_doctor_has_one_roster_for_a_half_day() -> None:
    keys = ("department_code", "campus_code", "weekday", "period")
    assert repeated(tuple(row[key] for key in keys) for row in rows("rosters") if not row["doctor_code"]) == set()


def test_only_departments_that_are_booked_online_have_rosters() -> None:
    offline = {row["code"] for row in rows("departments") if row["online"] == "false"}
    assert offline.isdisjoint(row["department_code"] for row in rows("rosters"))


def test_every_hospital_has_a_department_that_sees_patients_from_monday_to_friday() -> None:
    where = owner("departments")
    open_all_week = {code for code, days in days_by_department(lambda _: True).items() if set("12345") <= days}
    assert {where[code] for code in open_all_week} == codes("hospitals")


def test_the_drum_tower_hospital_has_four_departments_open_on_every_day_and_eight_doctors() -> None:
    days = days_by_department(lambda row: row["hospital_code"] == DRUM_TOWER)
    assert sum(open_on == WEEK for open_on in days.values()) >= 4
    doctors = [row for row in rows("doctors") if row["hospital_code"] == DRUM_TOWER]
    assert len(doctors) >= 8
    assert len({row["department_code"] for row in doctors}) >= 4


def test_fourteen_days_stay_small_enough_for_a_first_run() -> None:
    numbers = sum(segments(row) * int(row["numbers_per_segment"]) for row in rows("rosters"))
    assert len(rows("rosters")) * TIMES_A_WEEKDAY_COMES_IN_14_DAYS <= MOST_SCHEDULES
    assert numbers * TIMES_A_WEEKDAY_COMES_IN_14_DAYS <= MOST_NUMBERS


def test_what_is_invented_says_so() -> None:
    assert {row["synthetic"] for row in rows("hospitals")} == {"false"}
    assert {row["synthetic"] for row in rows("doctors") + rows("rosters")} == {"true"}
    invented = [row for row in rows("departments") if row["synthetic"] == "true"]
    assert {row["name"] for row in invented} == {"普通门诊"}
    real = [row["hospital_code"] for row in rows("departments") if row["synthetic"] == "false"]
    assert set(real) == {"BJ001", "ZJ002", "ZJ013", DRUM_TOWER}
    assert {row["hospital_code"] for row in invented}.isdisjoint(real)


def test_no_doctor_has_a_real_name() -> None:
    assert [row["name"] for row in rows("doctors") if not row["name"].startswith("虚拟")] == []


def test_union_hospital_keeps_all_288_departments() -> None:
    own = [row for row in rows("departments") if row["code"].startswith("BJ001-D")]
    assert len(own) == 288


def test_the_notice_asks_for_the_real_name_and_tells_the_deadline() -> None:
    for row in rows("hospitals"):
        assert "实名" in row["booking_notice"]
        assert "00:00" in row["booking_notice"]


def test_policies_name_a_level_and_only_keys_of_the_platform() -> None:
    platform, *narrower = json.loads((DATA / "sample" / "policies.json").read_text(encoding="utf-8"))
    assert platform["level"] == "platform"
    assert len(platform["policy"]) == 15
    for entry in narrower:
        assert entry["level"] == "hospital"
        assert entry["code"] in codes("hospitals")
        assert entry["policy"].keys() <= platform["policy"].keys()


def test_pinyin_overrides_give_one_syllable_for_each_character() -> None:
    overrides = json.loads((DATA / "pinyin_overrides.json").read_text(encoding="utf-8"))
    syllable = re.compile("[a-z]{1,6}")
    for word, reading in overrides["phrases"].items():
        assert len(word) == len(reading)
        assert all(syllable.fullmatch(part) for part in reading)
    for surname, readings in overrides["surnames"].items():
        assert readings
        assert all(len(reading.split()) == len(surname) for reading in readings)


def test_every_surname_of_the_test_names_has_its_reading() -> None:
    overrides = json.loads((DATA / "pinyin_overrides.json").read_text(encoding="utf-8"))["surnames"]
    cases = json.loads((Path(__file__).parents[1] / "data" / "name_cases.json").read_text(encoding="utf-8"))
    for case in cases["surnames"]:
        assert overrides[case["surname"]][0] == case["surname_reading"]


def test_the_drum_tower_hospital_is_found_by_its_initials() -> None:
    name = next(row["name"] for row in rows("hospitals") if row["code"] == DRUM_TOWER)
    assert "".join(lazy_pinyin(name, style=Style.FIRST_LETTER)) == "njglyy"
