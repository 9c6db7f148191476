"""Chinese, alias, pinyin and its initials, in every reading; the best answer first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import factories
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from core.catalog.departments import search
from core.catalog.hospitals import HospitalWish, Point, distance_m, list_hospitals
from core.catalog.pinyin import MOST_READINGS, NO_OVERRIDES, InvalidOverrides, Overrides, readings_of, search_text
from core.catalog.search import LONGEST_QUESTION, aliases_of, normalised, tokens
from core.paging import make_cursor
from core.transactions import Transactions
from models.errors import ValidationFailed
from models.hospital import Hospital

TESTS = Path(__file__).parents[2]
TABLE = Overrides.read(TESTS.parent / "data" / "pinyin_overrides.json")


def spelled(name: str, *, person: bool = False, table: Overrides = TABLE) -> list[str]:
    return ["".join(full for full, _ in reading) for reading in readings_of(name, overrides=table, person=person)]


# --- readings --------------------------------------------------------------------------------------------------------


def test_a_name_is_spelled_in_full_and_by_initials() -> None:
    text = search_text("南京鼓楼医院", ["鼓楼医院"], overrides=TABLE)
    assert text == "|=南京鼓楼医院|+鼓楼医院|~nanjinggulouyiyuan|^njglyy|~gulouyiyuan|^glyy|"


def test_latin_and_digits_stay_whole() -> None:
    assert search_text("MRI 中心（301）", overrides=TABLE) == "|=mri中心301|~mrizhongxin301|^mrizx301|"


def test_a_phrase_of_the_table_wins_over_the_dictionary() -> None:
    assert spelled("六合区人民医院")[0] == "luhequrenminyiyuan"
    assert "liuhe" in spelled("六合区人民医院", table=NO_OVERRIDES)[0]


def test_every_reading_of_a_polyphonic_character_is_found() -> None:
    assert {"danxiao", "shanxiao", "chanxiao"} == set(spelled("单晓", table=NO_OVERRIDES))


def test_readings_stay_bounded_and_begin_with_the_likeliest() -> None:
    assert len(spelled("长重行乐" * 5, table=NO_OVERRIDES)) <= MOST_READINGS
    assert len(search_text("长重行乐" * 25, overrides=NO_OVERRIDES)) < 10_000


def test_every_surname_that_is_read_differently_is_found_either_way() -> None:
    cases = json.loads((TESTS / "data" / "name_cases.json").read_text(encoding="utf-8"))["surnames"]
    assert len(cases) == 60
    for case in cases:
        found = spelled(f"{case['surname']}国", person=True)
        assert case["surname_reading"].replace(" ", "") + "guo" in found, case
        if len(case["surname"]) == 1:
            assert case["default_reading"] + "guo" in found, case


def test_1_4_6_every_surname_of_the_table_is_found_by_each_of_its_readings() -> None:
    for surname, readings in TABLE.surnames.items():
        found = spelled(f"{surname}国", person=True)
        for reading in readings:
            assert "".join(full for full, _ in reading) + "guo" in found


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        ("单国", "shanguo"),
        ("尉迟国", "yuchiguo"),
        ("曾国", "zengguo"),
        ("区国", "ouguo"),
        ("朴国", "piaoguo"),
        ("仇国", "qiuguo"),
    ],
)
def test_a_surname_is_read_as_one(name: str, reading: str) -> None:
    assert spelled(name, person=True)[0] == reading


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"phrases": {"重庆": ["chong"]}, "surnames": {}}',
        '{"phrases": {"乐": [1]}, "surnames": {}}',
        '{"phrases": {"乐": ["L E"]}, "surnames": {}}',
        '{"phrases": [], "surnames": {}}',
    ],
)
def test_a_table_of_another_form_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "table.json").write_text(content, encoding="utf-8")
    with pytest.raises(InvalidOverrides):
        Overrides.read(tmp_path / "table.json")


# --- questions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("Nan Jing", "nanjing"),
        ("xi'an", "xian"),
        ("ＮＪ", "nj"),
        ("nǚ", "nǚ"),
        ("NÜ", "nv"),
        ("100%_\\|=", "100"),
        (" 鼓楼\u3000", "鼓楼"),
    ],
)
def test_a_question_is_reduced_to_letters_and_digits(typed: str, asked: str) -> None:
    assert normalised(typed) == asked


@given(st.text())
def test_neither_a_bar_nor_a_wildcard_is_left_of_any_text(text: str) -> None:
    assert not set(normalised(text)) & set("|%_\\=+~^ '")
    assert tokens([("=", text)]).count("|") <= 2


def test_aliases_stand_between_semicolons() -> None:
    assert aliases_of("一院; 示例一院；;") == ["一院", "示例一院"]


def hospitals(session: Session, *names: str, **more: Any) -> list[Hospital]:
    return [
        factories.make_hospital(
            session, name=name.split(";")[0], alias=";".join(name.split(";")[1:]),
            search_text=search_text(name.split(";")[0], name.split(";")[1:], overrides=TABLE), **more,
        )
        for name in names
    ]  # fmt: skip


def found(session: Session, question: str, **more: Any) -> list[str]:
    page = list_hospitals(session, HospitalWish(question, **more), cursor=None, limit=100)
    return [item.hospital.name for item in page.items]


def test_the_best_answer_comes_first(transactions: Transactions) -> None:
    def look(session: Session, _now: Any) -> None:
        hospitals(
            session, "南京鼓楼医院集团仪征医院", "江北鼓楼医院", "南京鼓楼医院;鼓楼医院", "鼓楼医院", "鼓楼医院分院",
            "南京高淳医院",
        )  # fmt: skip
        assert found(session, "鼓楼医院") == [
            "鼓楼医院",  # the name itself
            "南京鼓楼医院",  # an alias
            "鼓楼医院分院",  # the beginning of a name
            "南京鼓楼医院集团仪征医院",  # anywhere, in the order of entry
            "江北鼓楼医院",
        ]
        assert found(session, "njglyy")[:2] == ["南京鼓楼医院", "南京鼓楼医院集团仪征医院"]
        assert found(session, "gulou yiyuan")[:3] == ["南京鼓楼医院", "鼓楼医院", "鼓楼医院分院"]
        assert found(session, "NJG") == ["南京鼓楼医院集团仪征医院", "南京鼓楼医院", "南京高淳医院"]
        assert found(session, "协和") == []

    transactions.write(look)


@pytest.mark.parametrize("question", ["%", "_", "'", "||", " ", "'; DROP TABLE hospitals; --%"])
def test_wildcards_and_quotes_find_nothing(transactions: Transactions, question: str) -> None:
    def look(session: Session, _now: Any) -> None:
        hospitals(session, "南京鼓楼医院")
        assert found(session, question) == []
        nothing = search(session, question)
        assert (nothing.hospitals, nothing.departments, nothing.doctors) == ([], [], [])

    transactions.write(look)


def test_a_question_beyond_the_bound_is_cut(transactions: Transactions) -> None:
    def look(session: Session, _now: Any) -> None:
        hospitals(session, "医" * 60)
        assert found(session, "医" * (LONGEST_QUESTION + 40)) == ["医" * 60]

    transactions.write(look)


def test_a_region_is_its_districts(transactions: Transactions) -> None:
    def look(session: Session, _now: Any) -> None:
        hospitals(session, "南京医院", adcode="320106")
        hospitals(session, "苏州医院", adcode="320508")
        hospitals(session, "杭州医院", adcode="330102")
        names = {
            code: [
                item.hospital.name
                for item in list_hospitals(session, HospitalWish(adcode=code), cursor=None, limit=9).items
            ]
            for code in ("32", "3201", "320106", "11")
        }
        assert names == {"32": ["南京医院", "苏州医院"], "3201": ["南京医院"], "320106": ["南京医院"], "11": []}

    transactions.write(look)


def test_the_nearest_come_first_and_those_without_a_place_last(transactions: Transactions) -> None:
    def look(session: Session, _now: Any) -> None:
        hospitals(session, "无坐标医院")
        hospitals(session, "北京医院", lat=39.904, lng=116.415)
        hospitals(session, "南京医院", lat=32.058, lng=118.783)
        page = list_hospitals(session, HospitalWish(near=Point(32.05, 118.78)), cursor=None, limit=9)
        assert [item.hospital.name for item in page.items] == ["南京医院", "北京医院", "无坐标医院"]
        near, far, nowhere = (item.distance_m for item in page.items)
        assert near is not None
        assert far is not None
        assert near < 1_000
        assert 890_000 < far < 920_000
        assert nowhere is None

    transactions.write(look)


@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        (Point(0, 0), Point(0, 0), 0),
        (Point(0, 0), Point(0, 180), 20_015_087),
        (Point(90, 0), Point(-90, 17), 20_015_087),
        (Point(0, 179.5), Point(0, -179.5), 111_195),
    ],
)
def test_distances_are_those_of_a_sphere(one: Point, other: Point, metres: int) -> None:
    assert distance_m(one, other) == metres == distance_m(other, one)


@pytest.mark.parametrize("wish", [HospitalWish(), HospitalWish("yy"), HospitalWish("yy", near=Point(30, 120))])
def test_pages_are_the_whole_list_in_one_order(transactions: Transactions, wish: HospitalWish) -> None:
    def look(session: Session, _now: Any) -> None:
        for number in range(13):
            hospitals(session, f"第{number}医院", lat=30.0 + number % 3, lng=120.0)
        whole = [item.hospital.id for item in list_hospitals(session, wish, cursor=None, limit=100).items]
        pages, cursor = [], None
        while True:
            page = list_hospitals(session, wish, cursor=cursor, limit=4)
            pages += [item.hospital.id for item in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert pages == whole
        assert len(set(whole)) == 13

    transactions.write(look)


@pytest.mark.parametrize("near", [None, Point(30, 120)])
@pytest.mark.parametrize("cursor", ["", "zzz", "AQ", make_cursor(UUID(int=7))])
def test_a_cursor_of_nothing_is_refused(transactions: Transactions, cursor: str, near: Point | None) -> None:
    with pytest.raises(ValidationFailed):
        transactions.read(
            lambda session, _now: list_hospitals(session, HospitalWish(near=near), cursor=cursor, limit=4)
        )


def test_one_search_finds_each_kind_with_its_place(transactions: Transactions) -> None:
    def look(session: Session, _now: Any) -> None:
        hospital = hospitals(session, "心脏医院")[0]
        department = factories.make_department(
            session, hospital, name="心血管内科", search_text=search_text("心血管内科", ["心内科"], overrides=TABLE)
        )
        factories.make_doctor(
            session, department, name="单心", search_text=search_text("单心", overrides=TABLE, person=True)
        )
        by_name = search(session, "心")
        assert [item.hospital.name for item in by_name.hospitals] == ["心脏医院"]
        assert [(item.department.name, item.hospital.id) for item in by_name.departments] == [
            ("心血管内科", hospital.id)
        ]
        by_reading = search(session, "shanxin").doctors
        assert [(item.doctor.name, item.department.id) for item in by_reading] == [("单心", department.id)]
        assert [item.department.name for item in search(session, "xnk").departments] == ["心血管内科"]

    transactions.write(look)
