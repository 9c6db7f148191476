"""1.1.6: what a grown-up agrees to says what the law asks for, and does not change under its version."""

from __future__ import annotations

import hashlib

import pytest

from core.dependents.agreement_words import CHINESE, ENGLISH, agreement_text

PINNED = {("2026-11", CHINESE): "cafc0d48572b204a", ("2026-11", ENGLISH): "6926ab5f78ad5505"}


@pytest.mark.parametrize("language", [CHINESE, ENGLISH])
def test_1_1_6_a_text_does_not_change_under_its_version(language: str) -> None:
    said = agreement_text(language=language)
    digest = hashlib.sha256(f"{said.title}\n{said.text}".encode()).hexdigest()[:16]
    assert PINNED[said.version, language] == digest


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (CHINESE, ("姓名", "证件号码", "手机号", "不同意", "三年", "随时撤回", "立即")),
        (ENGLISH, ("name", "document number", "phone", "if you do not", "three years", "withdraw at any time")),
    ],
)
def test_1_1_6_the_text_says_what_for_which_data_how_long_and_the_way_back(
    language: str, words: tuple[str, ...]
) -> None:
    assert [word for word in words if word not in agreement_text(language=language).text] == []


def test_a_language_that_we_do_not_have_is_answered_in_chinese() -> None:
    assert agreement_text(language="fr") == agreement_text(language=CHINESE)
