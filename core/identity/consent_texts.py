"""The texts that a consent agrees to: versioned, one for each purpose, in Chinese and in English.

Each holds what the law asks for before anything is collected (rules.md L-01, and F-04 for faces): who, why, how, who
else is told, which data, how long, what it means for the patient, rights, contact. A change of meaning needs a new
version, and a new version asks everybody again. A test pins each version to its text, and others hold the words against
what is kept and who is told. The Chinese text binds.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from core.identity import consent_words_en, consent_words_zh
from models.account import Purpose

CHINESE, ENGLISH = "zh-CN", "en"

_VERSIONS = MappingProxyType(
    {
        Purpose.SERVICE: ("2026-11", "2026-11-26", "2026-11-27", "2026-11-28", "2026-11-28-2"),
        Purpose.SENSITIVE_IDENTITY: ("2026-11", "2026-11-26", "2026-11-26-2", "2026-11-27"),
        Purpose.FACE: ("2026-11", "2026-11-26"),
        Purpose.HEALTH: ("2026-11",),
        Purpose.MINOR: ("2026-11", "2026-11-26", "2026-11-27"),
    }
)
"""Every version there was, the one in force last."""

_WORDS = MappingProxyType({CHINESE: consent_words_zh.TEXTS, ENGLISH: consent_words_en.TEXTS})


@dataclass(frozen=True)
class ConsentText:
    purpose: Purpose
    version: str
    title: str
    text: str


def consent_text(purpose: Purpose, *, language: str) -> ConsentText:
    """The text in force. A language we do not have is answered in Chinese."""
    title, text = _WORDS.get(language, _WORDS[CHINESE])[purpose]
    return ConsentText(purpose, current_version(purpose), title, text)


def consent_texts(*, language: str) -> list[ConsentText]:
    return [consent_text(purpose, language=language) for purpose in Purpose]


def current_version(purpose: Purpose) -> str:
    return _VERSIONS[purpose][-1]


def is_known_version(purpose: Purpose, version: str) -> bool:
    return version in _VERSIONS[purpose]
