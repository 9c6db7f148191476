"""1.1.9: relations in the codes of GB/T 4761."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.dependents.relations import ONE_DIGIT, SEX_OF_GUARDIAN, relationship_of
from models.guardian import GuardianRelation
from models.person import Relationship, Sex

TABLES = json.loads((Path(__file__).parents[2] / "data" / "code_tables.json").read_text())
SAID_OF = {
    Relationship.SELF: "本人", Relationship.SPOUSE: "配偶", Relationship.SON: "子", Relationship.DAUGHTER: "女",
    Relationship.GRANDCHILD: "孙", Relationship.PARENT: "父母", Relationship.GRANDPARENT: "祖父母",
    Relationship.SIBLING: "兄弟姐妹", Relationship.OTHER: "其他",
}  # fmt: skip
OF_MEN = ("父", "兄")


@pytest.mark.parametrize(("code", "words"), sorted(TABLES["relation_gbt4761_1digit"].items()))
def test_1_1_9_every_one_digit_code_has_a_word(code: str, words: str) -> None:
    word = relationship_of(code)
    if code != "9":
        assert ONE_DIGIT[word] == code
        assert words.startswith(SAID_OF[word])
    else:
        assert word is Relationship.OTHER


def test_1_1_9_every_word_has_a_code() -> None:
    assert set(ONE_DIGIT) == set(Relationship)
    with pytest.raises(KeyError):
        relationship_of("x")


@pytest.mark.parametrize(("code", "words"), sorted(TABLES["guardian_relation_gbt4761_2digit"].items()))
def test_1_1_9_every_guardians_code_is_known_with_its_sex(code: str, words: str) -> None:
    is_a_mans = words.removeprefix("外").removeprefix("继").removeprefix("祖")[:1] in OF_MEN
    assert SEX_OF_GUARDIAN[GuardianRelation(code)] is (Sex.MALE if is_a_mans else Sex.FEMALE)


def test_1_1_9_no_guardians_code_is_made_up() -> None:
    assert (
        {str(one) for one in GuardianRelation}
        == set(TABLES["guardian_relation_gbt4761_2digit"])
        == {str(one) for one in SEX_OF_GUARDIAN}
    )
