"""Names: every case of name_cases.json, the separators, the masks (rules.md 1.4)."""

from __future__ import annotations

import json
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dependents.names import HONORIFIC, is_as_passports_print, masked_name, name_warnings, read_name
from core.dependents.typed import InputFault

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "name_cases.json").read_text(encoding="utf-8")
)["cases"]


def fault_of(typed: str) -> str:
    with pytest.raises(InputFault) as refused:
        read_name(typed)
    return refused.value.code


@pytest.mark.parametrize("case", [case for case in CASES if case["valid"]], ids=lambda case: case["note"])
def test_1_4_2_a_good_name_is_stored_in_its_normal_form(case: dict[str, Any]) -> None:
    assert read_name(case["input"]) == case["normalized"]
    assert len(read_name(case["input"])) == case.get("codepoints", len(case["normalized"]))


@pytest.mark.parametrize("case", [case for case in CASES if not case["valid"]], ids=lambda case: case["note"])
def test_1_4_2_a_bad_name_is_refused(case: dict[str, Any]) -> None:
    assert fault_of(case["input"])


@pytest.mark.parametrize("separator", list("•・．.‧∙⋅●᛫･·"))
def test_1_4_2_ten_look_alikes_of_the_separator_become_one(separator: str) -> None:
    assert read_name(f"测试姑丽 {separator} 样本") == "测试姑丽·样本"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "empty"),
        (" \u3000\t", "empty"),
        ("测试\x00", "control_characters"),
        ("测\n试", "control_characters"),
        ("测\u200b试", "control_characters"),
        ("测试\u202e", "control_characters"),
        ("测试\ud800", "control_characters"),
        ("测试1", "bad_charset"),
        ("测试<b>", "bad_charset"),
        ("测试😀", "bad_charset"),
        ("测试-艾力", "bad_charset"),
        ("·测试", "bad_charset"),
        ("测试··艾力", "bad_charset"),
        ("·", "bad_charset"),
        ("-", "bad_charset"),
        ("{{7*7}}", "bad_charset"),
        ("测" * 51, "too_long"),
        ("A" * 101, "too_long"),
        ("测\ue000", "bad_charset"),
        ("测\ufffd", "bad_charset"),
        ("测\u0301\u0301", "bad_charset"),
        ("\u0301\u0301", "bad_charset"),
        ("TEST ALPHA 3RD", "bad_charset"),
        ("TEST_ALPHA", "bad_charset"),
        ("测试；", "bad_charset"),
        ("A\u0301" * 101, "too_long"),
    ],
)
def test_each_fault_has_its_code(typed: str, code: str) -> None:
    assert fault_of(typed) == code


def test_1_4_1_length_counts_code_points() -> None:
    assert len(read_name("𠮷" * 50)) == 50
    assert fault_of("𠮷" * 51) == "too_long"
    assert len(read_name("A" * 100)) == 100


@pytest.mark.parametrize(
    "name",
    [
        "测〇",
        "测𱍐",
        "测𮯰",
        "测𠀀",
        "测𫝀",
        "测鿯",
        "﨑",
        "Ng",
        "DE LA CRUZ, MARIA",
        "ALI MÜLLER-O’NEIL",
        "阮Đ",
        "O'BRIEN",
        "ANNE-MARIE DE LA CRUZ",
        "José",
        "བསྟན་འཛིན",
    ],
)
def test_1_4_4_rare_and_foreign_names_pass(name: str) -> None:
    assert read_name(name) == unicodedata.normalize("NFC", name)


def test_1_4_2_composed_and_decomposed_letters_are_the_same_name() -> None:
    assert read_name("Jose\u0301") == read_name("José")


@pytest.mark.parametrize(
    ("name", "mask"),
    [
        ("测", "*"),
        ("测试古丽巴哈尔·样本阿卜杜热西提", "测**"),
        ("𠮷𠮷𠮷", "𠮷**"),
        ("TEST ALPHA BRAVO", "T**"),
        ("测试", "测*"),
        ("测试甲", "测**"),
        ("𠮷测", "𠮷*"),
        ("测试姑丽·样本", "测**"),
        ("MADONNA", "M**"),
    ],
)
def test_1_4_5_masks(name: str, mask: str) -> None:
    assert masked_name(name) == mask


@given(st.text(max_size=120))
def test_reading_never_breaks_and_is_stable(typed: str) -> None:
    name: str | None = None
    with suppress(InputFault):
        name = read_name(typed)
    assert name is None or read_name(name) == name


@pytest.mark.parametrize("separator", list("•・．.‧∙⋅●᛫･·"))
@pytest.mark.parametrize("around", ["{}", " {}", "{}　", " \u00a0{} "])
def test_1_4_2_blanks_round_a_separator_go(separator: str, around: str) -> None:
    assert read_name(f"测试姑丽{around.format(separator)}样本") == "测试姑丽·样本"
    assert read_name(f"JEAN{around.format(separator)}PAUL") == "JEAN·PAUL"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("ＴＥＳＴ　ＡＬＰＨＡ", "TEST ALPHA"),
        ("Ｏ＇ｂｒｉｅｎ－ｔｅｓｔ，ａ", "O'brien-test,a"),
        ("测试Ａ", "测试A"),
        ("测试．Ａ", "测试·A"),
    ],
)
def test_1_4_2_full_width_letters_become_plain(typed: str, stored: str) -> None:
    assert read_name(typed) == stored


@pytest.mark.parametrize(("name", "warned"), [("测试先生", True), ("测女士", True), ("先生", False), ("先生测", False)])
def test_1_4_2_an_honorific_is_only_warned_of(name: str, warned: bool) -> None:
    assert name_warnings(read_name(name)) == ((HONORIFIC,) if warned else ())


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("TEST ALPHA", True),
        ("José O'BRIEN-Đặng", True),
        ("测试·艾力", True),
        ("𠮷测", True),
        ("ТЕСТ ПРИМЕР", False),
        ("테스트", False),
        ("TEST ПРИМЕР", False),
    ],
)
def test_1_4_4_passports_print_latin_letters(name: str, fits: bool) -> None:
    assert is_as_passports_print(read_name(name)) is fits
