"""The laws that say what becomes of data, by their full names, in Chinese and in English."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from core.identity.consent_texts import CHINESE, ENGLISH


class Law(StrEnum):
    MINIMUM = "minimum"
    NETWORK_LOGS = "network_logs"
    PROOF = "proof"
    VOUCHERS = "vouchers"
    VOUCHERS_IF_PAID = "vouchers_if_paid"
    GIVEN_TO_OTHERS = "given_to_others"


_IN_WORDS: Mapping[Law, Mapping[str, str]] = {
    Law.MINIMUM: {
        CHINESE: "《个人信息保护法》第十九条、第四十七条（处理目的已实现，不再保存）",
        ENGLISH: "Personal Information Protection Law, articles 19 and 47 (its purpose is met: kept no longer)",
    },
    Law.NETWORK_LOGS: {
        CHINESE: "《网络安全法》第二十三条（网络日志保存六个月）",
        ENGLISH: "Cybersecurity Law, article 23 (network logs, 6 months)",
    },
    Law.PROOF: {
        CHINESE: "《个人信息保护法》第十四条、第六十九条（作为证明保存三年）",
        ENGLISH: "Personal Information Protection Law, articles 14 and 69 (kept as proof, 3 years)",
    },
    Law.VOUCHERS: {
        CHINESE: "《会计档案管理办法》（会计凭证保存三十年）",
        ENGLISH: "Measures for the Administration of Accounting Archives (vouchers, 30 years)",
    },
    Law.VOUCHERS_IF_PAID: {
        CHINESE: "《会计档案管理办法》（会计凭证保存三十年）；没有付过款的保存三年",
        ENGLISH: "Measures for the Administration of Accounting Archives (vouchers, 30 years); "
        "3 years where no money ever came",
    },
    Law.GIVEN_TO_OTHERS: {
        CHINESE: "《网络数据安全管理条例》第十二条（向他人提供个人信息的记录保存三年）",
        ENGLISH: "Regulations on Network Data Security Management, article 12 (what was given to others, 3 years)",
    },
}


def law_in_words(law: Law, *, language: str) -> str:
    """A language we do not have is answered in Chinese."""
    words = _IN_WORDS[law]
    return words.get(language, words[CHINESE])
