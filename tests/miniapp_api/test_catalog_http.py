"""The catalogue over HTTP: open to everybody, strict in its questions, told by the contract's names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from catalog_folder import Folder
from fakes import ManualClock
from flask.testing import FlaskClient
from sqlalchemy import select, update

from core.catalog.publish import extend_schedules
from core.transactions import Transactions
from models.hospital import Department, Doctor, Hospital
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus

NOBODY = "00000000-0000-7000-8000-000000000001"


@dataclass
class Catalog:
    """The small directory behind a client, with ids by code."""

    client: FlaskClient
    ids: dict[str, str]

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        response = self.client.get(f"/api/v1{path}", query_string=query)
        assert response.status_code == status, response.text
        return response.get_json()

    def faults(self, path: str, **query: Any) -> list[tuple[str, str]]:
        problem = self.get(path, 422, **query)
        return sorted((error["pointer"], error["code"]) for error in problem["errors"])


@pytest.fixture
def catalog(client: FlaskClient, transactions: Transactions, tmp_path: Path) -> Catalog:
    path = tmp_path / "directory"
    path.mkdir()
    folder = Folder(path)
    folder.policies = [
        {"level": "hospital", "code": "H1", "policy": {"min_identity_level": 2, "cancel_days_before": 1}}
    ]
    folder.load(transactions)
    extend_schedules(transactions)
    ids = transactions.read(
        lambda session, _now: {
            row.code: str(row.id) for model in (Hospital, Department, Doctor) for row in session.scalars(select(model))
        }
    )
    return Catalog(client, ids)


def schedules_of(catalog: Catalog, department: str = "H1-D1", **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = catalog.get(f"/departments/{catalog.ids[department]}/schedules", **query)["items"]
    return items


# --- hospitals -------------------------------------------------------------------------------------------------------


def test_hospitals_are_listed_and_found(catalog: Catalog) -> None:
    page = catalog.get("/hospitals")
    assert [item["code"] for item in page["items"]] == ["H1", "H2"]
    assert page["next_cursor"] is None
    assert page["items"][0] == {
        "id": catalog.ids["H1"],
        "code": "H1",
        "name": "南京第一示例医院",
        "aliases": ["一院", "示例一院"],
        "grade": "三级甲等",
        "kind": "综合",
        "adcode": "320106",
        "address": "示例路1号",
        "lat": 32.05,
        "lng": 118.78,
        "synthetic": False,
        "distance_m": None,
    }
    for question in ("南京第一示例医院", "一院", "njdysl", "Nan Jing", "示例一院"):
        assert catalog.get("/hospitals", q=question)["items"][0]["code"] == "H1"
    assert [item["code"] for item in catalog.get("/hospitals", adcode="330000")["items"]] == ["H2"]
    near = catalog.get("/hospitals", near="30.25,120.17")["items"]
    assert [(item["code"], item["distance_m"] == 0) for item in near] == [("H2", True), ("H1", False)]


def test_a_list_goes_on_where_it_stopped(catalog: Catalog) -> None:
    first = catalog.get("/hospitals", limit=1)
    second = catalog.get("/hospitals", limit=1, cursor=first["next_cursor"])
    assert [page["items"][0]["code"] for page in (first, second)] == ["H1", "H2"]
    assert second["next_cursor"] is None


IMPOSSIBLE_HOSPITALS = [
    ({"near": "91,0"}, ("?near", "bad_format")),
    ({"near": "0,181"}, ("?near", "bad_format")),
    ({"near": "1"}, ("?near", "bad_format")),
    ({"near": "nan,1"}, ("?near", "bad_format")),
    ({"near": "1e1,1"}, ("?near", "bad_format")),
    ({"near": "1,2,3"}, ("?near", "bad_format")),
    ({"adcode": "3"}, ("?adcode", "bad_format")),
    ({"adcode": "32010"}, ("?adcode", "bad_format")),
    ({"adcode": "3201%"}, ("?adcode", "bad_format")),
    ({"adcode": "３２"}, ("?adcode", "bad_format")),
    ({"q": "医" * 51}, ("?q", "too_long")),
    ({"limit": "0"}, ("?limit", "out_of_range")),
    ({"limit": "101"}, ("?limit", "out_of_range")),
    ({"limit": "ten"}, ("?limit", "not_a_whole_number")),
    ({"cursor": "x"}, ("?cursor", "invalid_cursor")),
    ({"colour": "red"}, ("?colour", "unknown_field")),
]


def test_a_question_for_hospitals_that_cannot_be_is_refused(catalog: Catalog) -> None:
    told = [(query, *catalog.faults("/hospitals", **query)) for query, _ in IMPOSSIBLE_HOSPITALS]
    assert told == IMPOSSIBLE_HOSPITALS


def test_an_empty_search_box_lists_everything_and_one_with_signs_only_nothing(catalog: Catalog) -> None:
    assert len(catalog.get("/hospitals", q="")["items"]) == 2
    assert catalog.get("/hospitals", q="%")["items"] == []


def test_a_hospital_tells_its_rules_in_words_and_as_data(catalog: Catalog) -> None:
    hospital = catalog.get(f"/hospitals/{catalog.ids['H1']}")
    assert [campus["name"] for campus in hospital["campuses"]] == ["本部"]
    rules = {rule["key"]: rule for rule in hospital["rules"]}
    assert list(rules) == [
        "release", "closing", "last_booking", "hours", "patients", "identity", "agreement", "fields", "limits",
        "over_time", "overlap", "rebooking", "holds", "payment", "cancelling", "check_in", "queue", "strikes",
    ]  # fmt: skip
    assert rules["strikes"]["value"]["no_show_ladder"] == [{"count": 3, "within": "90d", "ban": "90d"}]
    assert rules["release"]["value"] == {
        "release_days_before": 14, "release_time": "07:00", "release_jitter_minutes": 0
    }  # fmt: skip
    assert rules["identity"]["value"] == {"min_identity_level": 2}
    assert "人脸" in rules["identity"]["words"]["zh"]
    assert "desk" in rules["identity"]["words"]["en"]
    assert hospital["refund_terms"]["cancel_days_before"] == 1
    assert "就诊日前1天的00:00之前" in hospital["refund_terms"]["words"]["zh"]
    assert "1 day before" in hospital["refund_terms"]["words"]["en"]
    fees = hospital["fee_terms"]
    assert (fees["lowest_fee_fen"], fees["highest_fee_fen"], fees["pay_modes"]) == (2500, 5000, ["online", "on_site"])
    assert "15分钟" in fees["words"]["zh"]
    assert "不能改为医保结算" in fees["words"]["zh"], "told before anything is paid (rules.md 3.9)"
    assert "实名" in hospital["booking_notice"]["zh"]
    assert "real name" in hospital["booking_notice"]["en"]
    other = catalog.get(f"/hospitals/{catalog.ids['H2']}")
    assert other["booking_notice"]["zh"] == "请带齐证件。"
    assert len({hospital["notice_version"], other["notice_version"], None}) == 3
    assert all(rule["words"]["zh"] and rule["words"]["en"] for rule in other["rules"])


def test_what_only_operators_and_scalpers_need_is_not_told(catalog: Catalog) -> None:
    told = catalog.client.get(f"/api/v1/hospitals/{catalog.ids['H1']}").text
    assert "return_after" not in told
    assert "close_cap" not in told
    assert "merchant" not in told


def test_departments_are_a_tree_in_the_order_of_the_directory(catalog: Catalog) -> None:
    page = catalog.get(f"/hospitals/{catalog.ids['H1']}/departments")
    tree = [(item["name"], [child["name"] for child in item["children"]]) for item in page["items"]]
    assert tree == [("内科", ["心血管内科"]), ("妇科", [])]
    member = page["items"][0]["children"][0]
    assert (member["aliases"], member["subject_code"], member["sex"], member["online"]) == (
        ["心内科"],
        "03.04",
        None,
        True,
    )
    assert (page["items"][1]["sex"], page["items"][1]["min_age"], page["items"][1]["max_age"]) == ("female", 14, None)


def test_doctors_are_told_with_their_place(catalog: Catalog) -> None:
    page = catalog.get(f"/departments/{catalog.ids['H1-D1']}/doctors")
    [doctor] = page["items"]
    assert (doctor["name"], doctor["title"], doctor["sex"], doctor["synthetic"]) == ("单晓明", "主任医师", "male", True)
    assert doctor["department"] == {"id": catalog.ids["H1-D1"], "name": "心血管内科"}
    assert doctor["hospital"]["name"] == "南京第一示例医院"
    assert catalog.get(f"/doctors/{doctor['id']}") == doctor


def test_one_search_over_everything(catalog: Catalog) -> None:
    found = catalog.get("/search", q="xnk")
    assert [item["name"] for item in found["departments"]] == ["心血管内科"]
    assert found["departments"][0]["hospital"]["id"] == catalog.ids["H1"]
    assert (found["hospitals"], found["doctors"]) == ([], [])
    assert [item["id"] for item in catalog.get("/search", q="danxiaoming")["doctors"]] == [catalog.ids["DOC1"]]
    assert catalog.faults("/search") == [("?q", "missing")]
    assert catalog.get("/search", q="%") == {"hospitals": [], "departments": [], "doctors": []}


# --- schedules -------------------------------------------------------------------------------------------------------


def test_a_schedule_has_the_contracts_fields(catalog: Catalog) -> None:
    clinic, first = schedules_of(catalog)[1], schedules_of(catalog)[0]
    assert first == {
        "id": first["id"],
        "hospital_id": catalog.ids["H1"],
        "doctor": {"id": catalog.ids["DOC1"], "name": "单晓明", "title": "主任医师"},
        "department": {"id": catalog.ids["H1-D1"], "name": "心血管内科"},
        "campus": {"id": first["campus"]["id"], "name": "本部"},
        "visit_date": "2026-11-23",
        "period": "morning",
        "starts_at": "2026-11-23T00:00:00.000Z",
        "ends_at": "2026-11-23T02:00:00.000Z",
        "clinic_type": "EXPERT",
        "fee_fen": 5000,
        "status": "open",
        "remaining": 8,
        "release_at": "2026-11-08T23:00:00.000Z",
        "closes_at": "2026-11-23T01:00:00.000Z",
        "cancel_before": "2026-11-21T16:00:00.000Z",
    }
    assert (clinic["doctor"], clinic["visit_date"], clinic["period"]) == (None, "2026-11-25", "afternoon")


def test_what_is_told_follows_the_clock_and_the_numbers(
    catalog: Catalog, transactions: Transactions, clock: ManualClock
) -> None:
    department = catalog.ids["H1-D1"]
    statuses = {item["visit_date"]: (item["status"], item["remaining"]) for item in schedules_of(catalog)}
    assert statuses["2026-12-07"] == ("not_released", 0)

    def sell_out(session: Any, _now: Any) -> None:
        first = session.scalars(
            select(Schedule).where(Schedule.doctor_code == "DOC1").order_by(Schedule.visit_date)
        ).all()
        session.execute(update(Slot).where(Slot.schedule_id == first[0].id).values(status=SlotStatus.BOOKED))
        first[1].status = ScheduleStatus.SUSPENDED

    transactions.write(sell_out)
    clock.advance(timedelta(days=1))
    told = catalog.get(f"/departments/{department}/schedules", **{"from": "2026-11-23", "to": "2026-12-07"})["items"]
    by_day = {item["visit_date"]: (item["status"], item["remaining"]) for item in told}
    assert by_day["2026-11-23"] == ("closed", 0)  # 10:00 of that day: over
    assert by_day["2026-11-30"] == ("suspended", 0)
    assert by_day["2026-12-07"] == ("open", 8)


def test_days_and_doctor_are_asked_for(catalog: Catalog) -> None:
    days = {"from": "2026-11-24", "to": "2026-11-30"}
    assert [item["visit_date"] for item in schedules_of(catalog, **days)] == ["2026-11-25", "2026-11-30"]
    of_doctor = schedules_of(catalog, doctor_id=catalog.ids["DOC1"])
    assert {item["doctor"]["name"] for item in of_doctor} == {"单晓明"}
    day = catalog.get(f"/hospitals/{catalog.ids['H1']}/schedules", date="2026-11-25")
    assert [item["department"]["name"] for item in day["items"]] == ["心血管内科"]
    other = catalog.get(
        f"/hospitals/{catalog.ids['H1']}/schedules", date="2026-11-25", department_id=catalog.ids["H1-D2"]
    )
    assert other == {"items": [], "next_cursor": None}


IMPOSSIBLE_SCHEDULES = [
    ({"from": "2026-11-31"}, ("?from", "not_a_day")),
    ({"from": "tomorrow"}, ("?from", "not_a_day")),
    ({"from": "2026-11-25", "to": "2026-11-24"}, ("?to", "out_of_range")),
    ({"from": "2026-11-22", "to": "2026-12-24"}, ("?to", "too_large")),
    ({"doctor_id": "1"}, ("?doctor_id", "not_an_id")),
    ({"first": "2026-11-22"}, ("?first", "unknown_field")),
    ({"limit": "1000"}, ("?limit", "out_of_range")),
    ({"cursor": "AQ"}, ("?cursor", "invalid_cursor")),
]


def test_a_question_for_schedules_that_cannot_be_is_refused(catalog: Catalog) -> None:
    path = f"/departments/{catalog.ids['H1-D1']}/schedules"
    assert [(query, *catalog.faults(path, **query)) for query, _ in IMPOSSIBLE_SCHEDULES] == IMPOSSIBLE_SCHEDULES


def test_a_hospitals_day_needs_its_date(catalog: Catalog) -> None:
    path = f"/hospitals/{catalog.ids['H1']}/schedules"
    assert catalog.faults(path) == [("?date", "missing")]
    assert catalog.faults(path, date="22.11.2026", department_id="x") == [
        ("?date", "not_a_day"),
        ("?department_id", "not_an_id"),
    ]


def test_segments_tell_what_remains(catalog: Catalog) -> None:
    first = schedules_of(catalog)[0]
    page = catalog.get(f"/schedules/{first['id']}/slots")
    assert page["next_cursor"] is None
    assert page["items"][0] == {
        "starts_at": "2026-11-23T00:00:00.000Z",
        "ends_at": "2026-11-23T00:30:00.000Z",
        "total": 2,
        "remaining": 2,
    }
    assert sum(item["remaining"] for item in page["items"]) == first["remaining"]
    assert catalog.faults(f"/schedules/{first['id']}/slots", limit="3") == [("?limit", "unknown_field")]


def test_what_is_not_there_is_not_found(catalog: Catalog) -> None:
    for path in (
        "/hospitals/{}",
        "/hospitals/{}/departments",
        "/hospitals/{}/schedules?date=2026-11-22",
        "/departments/{}/doctors",
        "/departments/{}/schedules",
        "/doctors/{}",
        "/schedules/{}/slots",
    ):
        response = catalog.client.get("/api/v1" + path.format(NOBODY))
        assert (response.status_code, response.get_json()["code"]) == (404, "not_found"), path


# --- what may be kept ------------------------------------------------------------------------------------------------


def test_a_reply_that_did_not_change_is_304(catalog: Catalog) -> None:
    hospital, department = catalog.ids["H1"], catalog.ids["H1-D1"]
    for path, cache_control in (
        ("/hospitals", "public, max-age=30"),
        ("/hospitals?near=32.05,118.78", "private, no-cache"),
        (f"/hospitals/{hospital}", "public, max-age=30"),
        (f"/departments/{department}/schedules", "public, max-age=1"),
        (f"/hospitals/{hospital}/schedules?date=2026-11-25", "public, max-age=1"),
    ):
        url = "/api/v1" + path
        full = catalog.client.get(url)
        assert full.headers["Cache-Control"] == cache_control
        again = catalog.client.get(url, headers={"If-None-Match": full.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == full.headers["ETag"]
        assert again.headers["Cache-Control"] == cache_control
        assert catalog.client.get(url, headers={"If-None-Match": '"another"'}).status_code == 200
        assert catalog.client.head(url).headers["ETag"] == full.headers["ETag"]


def test_a_refusal_is_never_kept(catalog: Catalog) -> None:
    assert catalog.client.get(f"/api/v1/hospitals/{NOBODY}").headers["Cache-Control"] == "no-store"
