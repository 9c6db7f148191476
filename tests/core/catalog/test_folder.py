"""A directory is read as a whole, and every fault in it is told: file, line, column, reason."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from catalog_folder import Folder

from core.catalog import tables
from core.catalog.faults import Fault, InvalidDirectory
from core.catalog.folder import COLUMNS, read_directory


def faults_of(folder: Folder) -> list[Fault]:
    with pytest.raises(InvalidDirectory) as raised:
        read_directory(folder.write())
    return list(raised.value.faults)


def places(folder: Folder) -> list[tuple[str, int, str, str]]:
    return [(fault.file, fault.line, fault.column, fault.code) for fault in faults_of(folder)]


def test_a_good_folder_has_no_faults(folder: Folder) -> None:
    directory = read_directory(folder.write())
    assert [row.code for row in directory.hospitals] == ["H1", "H2"]
    assert (len(directory.departments), len(directory.rosters), directory.schedules) == (4, 3, [])
    assert directory.policies is None


# --- one bad cell ----------------------------------------------------------------------------------------------------

BAD_CELLS = [
    ("hospitals.csv", "code", "", "required"),
    ("hospitals.csv", "code", "南京", "bad_code"),
    ("hospitals.csv", "code", "a" * 65, "bad_code"),
    ("hospitals.csv", "name", "", "required"),
    ("hospitals.csv", "name", "医" * 101, "too_long"),
    ("hospitals.csv", "name", "医\x00院", "bad_characters"),
    ("hospitals.csv", "address", "路\x1b[2J", "bad_characters"),
    ("hospitals.csv", "adcode", "3201", "bad_number"),
    ("hospitals.csv", "adcode", "３２０１０６", "bad_number"),
    ("hospitals.csv", "lat", "95", "bad_number"),
    ("hospitals.csv", "lat", "north", "bad_number"),
    ("hospitals.csv", "lat", "nan", "bad_number"),
    ("hospitals.csv", "lng", "", "required"),
    ("hospitals.csv", "synthetic", "yes", "bad_flag"),
    ("campuses.csv", "hospital_code", "H9", "dangling"),
    ("departments.csv", "hospital_code", "H9", "dangling"),
    ("departments.csv", "sex", "X", "bad_word"),
    ("departments.csv", "min_age", "-1", "bad_number"),
    ("departments.csv", "max_age", "old", "bad_number"),
    ("departments.csv", "online", "", "required"),
    ("doctors.csv", "department_code", "D9", "dangling"),
    ("doctors.csv", "department_code", "H2-D1", "other_hospital"),
    ("rosters.csv", "weekday", "0", "bad_number"),
    ("rosters.csv", "weekday", "8", "bad_number"),
    ("rosters.csv", "weekday", "Monday", "bad_number"),
    ("rosters.csv", "period", "noon", "bad_word"),
    ("rosters.csv", "starts", "8:00", "bad_time"),
    ("rosters.csv", "ends", "24:00", "bad_time"),
    ("rosters.csv", "ends", "08:00", "bad_range"),
    ("rosters.csv", "ends", "07:30", "bad_range"),
    ("rosters.csv", "ends", "10:10", "bad_range"),
    ("rosters.csv", "fee_fen", "-1", "bad_number"),
    ("rosters.csv", "fee_fen", "50.00", "bad_number"),
    ("rosters.csv", "fee_fen", "99999999", "bad_number"),
    ("rosters.csv", "fee_fen", "", "required"),
    ("rosters.csv", "segment_minutes", "0", "bad_number"),
    ("rosters.csv", "segment_minutes", "60", "bad_range"),
    ("rosters.csv", "numbers_per_segment", "0", "bad_number"),
    ("rosters.csv", "numbers_per_segment", "999999999999", "bad_number"),
    ("rosters.csv", "clinic_type", "", "required"),
    ("rosters.csv", "department_code", "H2-D1", "other_hospital"),
    ("rosters.csv", "campus_code", "H2-A", "other_hospital"),
    ("rosters.csv", "campus_code", "H1-Z", "dangling"),
    ("rosters.csv", "doctor_code", "DOC9", "dangling"),
]


@pytest.mark.parametrize(("file", "column", "value", "code"), BAD_CELLS)
def test_a_bad_cell_is_told_with_its_place(folder: Folder, file: str, column: str, value: str, code: str) -> None:
    number = 1 if file == "departments.csv" else 0
    folder.row(file, number)[column] = value
    # A span that segments do not fill is told at the segments.
    told = "segment_minutes" if value == "10:10" else column
    others = places(folder)
    others.remove((file, number + 2, told, code))
    # Where the row is not to be found or placed any more, those who name it dangle too; nothing else is at fault.
    assert {other[3] for other in others} <= {"dangling", "other_hospital"}
    assert not others or column in ("code", "hospital_code")


def test_ages_in_the_wrong_order_are_refused(folder: Folder) -> None:
    folder.row("departments.csv", 1).update(min_age="18", max_age="7")
    assert places(folder) == [("departments.csv", 3, "max_age", "bad_range")]


def test_a_part_of_a_year_counts_as_the_years_reached_in_it(folder: Folder) -> None:
    folder.row("departments.csv", 1).update(min_age="0", max_age="0.0767")
    department = read_directory(folder.write()).departments[1]
    assert (department.min_age, department.max_age) == (0, 0)


def test_too_many_numbers_in_a_half_day_are_refused(folder: Folder) -> None:
    folder.row("rosters.csv").update(starts="00:00", ends="20:00", segment_minutes="5", numbers_per_segment="200")
    assert places(folder) == [("rosters.csv", 2, "numbers_per_segment", "bad_range")]


# --- several rows ----------------------------------------------------------------------------------------------------


def test_all_faults_of_all_files_come_at_once_in_order(folder: Folder) -> None:
    folder.row("rosters.csv", 2)["fee_fen"] = "-1"
    folder.row("rosters.csv", 0).update(weekday="9", fee_fen="x")
    folder.row("doctors.csv", 1)["sex"] = "?"
    folder.row("campuses.csv", 0)["name"] = ""
    assert places(folder) == [
        ("campuses.csv", 2, "name", "required"),
        ("doctors.csv", 3, "sex", "bad_word"),
        ("rosters.csv", 2, "fee_fen", "bad_number"),
        ("rosters.csv", 2, "weekday", "bad_number"),
        ("rosters.csv", 4, "fee_fen", "bad_number"),
    ]


@pytest.mark.parametrize("file", ["hospitals.csv", "campuses.csv", "departments.csv", "doctors.csv"])
def test_a_code_used_twice_is_told_at_the_second_row(folder: Folder, file: str) -> None:
    rows = folder.files[file]
    rows.append(dict(rows[-1]))
    found = faults_of(folder)
    assert [(fault.file, fault.line, fault.column, fault.code) for fault in found] == [
        (file, len(rows) + 1, "code", "duplicate")
    ]
    assert f"line {len(rows)}" in found[0].detail


def test_the_same_clinic_twice_is_refused(folder: Folder) -> None:
    folder.files["rosters.csv"].append(folder.row("rosters.csv") | {"fee_fen": "1"})
    assert places(folder) == [("rosters.csv", 5, "", "duplicate")]


def test_who_names_a_bad_row_is_not_at_fault(folder: Folder) -> None:
    folder.row("departments.csv", 1)["sex"] = "?"  # a doctor and two rosters name this department
    assert places(folder) == [("departments.csv", 3, "sex", "bad_word")]


def test_a_department_below_a_member_is_too_deep(folder: Folder) -> None:
    folder.row("departments.csv", 2)["parent_code"] = "H1-D1"
    assert places(folder) == [("departments.csv", 4, "parent_code", "too_deep")]


def test_a_department_is_not_its_own_group(folder: Folder) -> None:
    folder.row("departments.csv", 2)["parent_code"] = "H1-D2"
    assert places(folder) == [("departments.csv", 4, "parent_code", "too_deep")]


def test_a_group_of_another_hospital_is_refused(folder: Folder) -> None:
    folder.row("departments.csv", 3)["parent_code"] = "H1-G1"
    assert places(folder) == [("departments.csv", 5, "parent_code", "other_hospital")]


# --- the file itself -------------------------------------------------------------------------------------------------


def as_csv(rows: list[dict[str, str]], columns: list[str]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def test_the_mark_of_a_spreadsheet_and_another_order_of_columns_are_fine(folder: Folder) -> None:
    columns = list(reversed(COLUMNS["hospitals.csv"].split(",")))
    text = as_csv(folder.files.pop("hospitals.csv"), columns)
    folder.raw["hospitals.csv"] = b"\xef\xbb\xbf" + text.encode() + b"\r\n\r\n"
    assert [row.code for row in read_directory(folder.write()).hospitals] == ["H1", "H2"]


def test_cells_may_hold_quotes_commas_and_formulas(folder: Folder) -> None:
    folder.row("hospitals.csv")["booking_notice"] = '=HYPERLINK("x"), "好"'
    assert read_directory(folder.write()).hospitals[0].booking_notice == '=HYPERLINK("x"), "好"'


def test_a_line_break_in_a_cell_is_refused_and_later_lines_keep_their_numbers(folder: Folder) -> None:
    folder.row("hospitals.csv", 0)["address"] = "一\n二"
    folder.row("hospitals.csv", 1)["adcode"] = "x"
    assert places(folder)[:2] == [
        ("hospitals.csv", 2, "address", "bad_characters"),
        ("hospitals.csv", 4, "adcode", "bad_number"),
    ]


@pytest.mark.parametrize(
    ("content", "line", "code"),
    [
        ("code,name\n南京".encode("gb18030"), 2, "bad_encoding"),
        ("code,name".encode("utf-16"), 1, "bad_encoding"),
        (b'code,name\n"H1', 2, "bad_csv"),
    ],
)
def test_what_is_no_utf8_or_no_csv_is_told(folder: Folder, content: bytes, line: int, code: str) -> None:
    columns = COLUMNS["campuses.csv"].encode()
    folder.files.pop("campuses.csv")
    folder.raw["campuses.csv"] = content.replace(b"code,name", columns)
    found = [place for place in places(folder) if place[0] == "campuses.csv"]
    assert found == [("campuses.csv", line, "", code)]


def test_missing_unknown_and_repeated_columns_are_told(folder: Folder) -> None:
    rows = folder.files.pop("doctors.csv")
    columns = [column for column in COLUMNS["doctors.csv"].split(",") if column != "title"]
    folder.raw["doctors.csv"] = as_csv(rows, [*columns, "phone", "sex"]).encode()
    found = [place for place in places(folder) if place[0] == "doctors.csv"]
    assert found == [
        ("doctors.csv", 1, "phone", "unknown_column"),
        ("doctors.csv", 1, "sex", "duplicate_column"),
        ("doctors.csv", 1, "title", "missing_column"),
    ]


def test_a_row_with_too_few_or_too_many_fields_is_told(folder: Folder) -> None:
    rows = folder.files.pop("campuses.csv")
    text = as_csv(rows, COLUMNS["campuses.csv"].split(",")) + "H1,H1-B\nH1,H1-C,a,b,,,,\n"
    folder.raw["campuses.csv"] = text.encode()
    assert places(folder) == [("campuses.csv", 4, "", "bad_field_count"), ("campuses.csv", 5, "", "bad_field_count")]


def test_an_empty_file_lacks_its_columns(folder: Folder) -> None:
    folder.files.pop("doctors.csv")
    folder.raw["doctors.csv"] = b""
    codes = {code for file, _, _, code in places(folder) if file == "doctors.csv"}
    assert codes == {"missing_column"}


def test_a_missing_file_is_told(folder: Folder) -> None:
    folder.files.pop("rosters.csv")
    assert places(folder) == [("rosters.csv", 0, "", "missing_file")]


def test_a_folder_in_place_of_a_file_is_told(folder: Folder) -> None:
    folder.files.pop("rosters.csv")
    (folder.path / "rosters.csv").mkdir()
    assert places(folder) == [("rosters.csv", 0, "", "unreadable")]


def test_a_file_beyond_the_bound_is_not_read(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_FILE_BYTES", 1000)
    folder.row("hospitals.csv")["booking_notice"] = "长" * 1000
    assert ("hospitals.csv", 0, "", "too_large") in places(folder)


def test_too_many_rows_are_refused(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_ROWS", 3)
    assert places(folder) == [("departments.csv", 5, "", "too_many_rows")]


def test_what_a_file_brings_along_is_shown_and_never_obeyed() -> None:
    shown = str(Fault("a.csv", 2, "\x1b[2J", "unknown_column", "\ud800医"))
    assert shown == "a.csv:2 \\x1b[2J unknown_column: \\ud800医"


# --- single dates and policies ---------------------------------------------------------------------------------------


def test_single_dates_are_checked_like_rosters(folder: Folder) -> None:
    single = {key: value for key, value in folder.row("rosters.csv").items() if key not in ("weekday", "synthetic")}
    folder.files["schedules.csv"] = [
        single | {"visit_date": "2026-12-05"},
        single | {"visit_date": "2026-12-05", "fee_fen": "1"},
        single | {"visit_date": "2026-13-05"},
        single | {"visit_date": "20261205"},
        single | {"visit_date": "2026-12-06", "doctor_code": "DOC2"},
    ]
    assert places(folder) == [
        ("schedules.csv", 3, "", "duplicate"),
        ("schedules.csv", 4, "visit_date", "bad_date"),
        ("schedules.csv", 5, "visit_date", "bad_date"),
        ("schedules.csv", 6, "doctor_code", "other_hospital"),
    ]


@pytest.mark.parametrize(
    ("entry", "column", "code"),
    [
        ({"level": "hospital", "code": "H9", "policy": {}}, "code", "dangling"),
        ({"level": "doctor", "code": "H1", "policy": {}}, "code", "dangling"),
        ({"level": "platform", "code": "H1", "policy": {}}, "code", "bad_code"),
        ({"level": "roster", "code": "", "policy": {}}, "level", "bad_word"),
        ({"level": ["platform"], "code": "", "policy": {}}, "level", "bad_word"),
        ({"level": "platform", "code": 7, "policy": {}}, "code", "bad_code"),
        ({"level": "platform", "code": "", "policy": {"hold_minutes": 0}}, "hold_minutes", "bad_value"),
        ({"level": "platform", "code": "", "policy": {"hold": 1}}, "hold", "unknown"),
        ({"level": "platform", "code": "", "policy": []}, "", "not_an_object"),
        ({"level": "platform", "policy": {}}, "", "bad_entry"),
        ("platform", "", "bad_entry"),
    ],
)
def test_a_bad_policy_is_told_with_its_place_in_the_list(folder: Folder, entry: Any, column: str, code: str) -> None:
    folder.policies = [{"level": "hospital", "code": "H1", "policy": {"hold_minutes": 20}}, entry]
    assert places(folder) == [("policies.json", 2, column, code)]


def test_no_more_numbers_are_kept_for_channels_than_there_are(folder: Folder) -> None:
    shares = {"share_own": 60, "share_elders": 40}
    folder.policies = [{"level": "hospital", "code": "H1", "policy": shares}]
    read_directory(folder.write())
    folder.policies[0]["policy"] |= {"share_on_site": 1}
    assert places(folder) == [("policies.json", 1, "share_…", "bad_value")]


def test_two_policies_of_one_subject_are_refused(folder: Folder) -> None:
    folder.policies = [{"level": "hospital", "code": "H1", "policy": {}}] * 2
    assert [place[3] for place in places(folder)] == ["duplicate"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{", "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b'[{"level": "hospital", "code": "H1", "policy": {"hold_minutes": 9, "hold_minutes": 90}}]', "bad_json"),
        (b"{}", "not_a_list"),
        (b"\xff", "bad_encoding"),
    ],
)
def test_policies_that_are_no_list_of_them_are_told(folder: Folder, content: bytes, code: str) -> None:
    folder.raw["policies.json"] = content
    assert [place[3] for place in places(folder)] == [code]


def test_the_sample_directory_of_the_product_is_good() -> None:
    directory = read_directory(Path(__file__).parents[3] / "data" / "sample")
    assert "南京鼓楼医院" in {row.name for row in directory.hospitals}
