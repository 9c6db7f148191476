"""Consents: the newest row of a purpose counts, in the text in force (L-01, L-02, L-03)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from factories import make_account, make_dependent
from fakes import ManualClock
from people import CAUSE, PROVIDER, agree
from sqlalchemy import func, select

from core.identity import consent_texts
from core.identity.consent_texts import CHINESE, ENGLISH, consent_text, current_version
from core.identity.consents import granted, granted_purposes, record_consent, require_consent, standing_consents
from core.refusals import ConsentRequired
from core.rights.retention import RETENTION, UNPAID_LASTS
from core.transactions import Transactions
from models.account import DEPENDENT_PURPOSES, Consent, Purpose
from models.base import new_id
from models.errors import NotFound, ValidationFailed
from models.sealing import Vault

LOGIN = new_id()
PINNED = {
    (Purpose.SERVICE, "2026-11"): "b911761dbc5d4e60",
    (Purpose.SENSITIVE_IDENTITY, "2026-11"): "e55082b112db8837",
    (Purpose.SENSITIVE_IDENTITY, "2026-11-26"): "95f91a189ad9037f",
    (Purpose.FACE, "2026-11"): "27cae8095962afd3",
    (Purpose.HEALTH, "2026-11"): "e78fea90bed88ef2",
    (Purpose.MINOR, "2026-11"): "953b83904ed84282",
    (Purpose.SERVICE, "2026-11-26"): "ebc305950fb3a631",
    (Purpose.SENSITIVE_IDENTITY, "2026-11-26-2"): "640b4f80562b9d8a",
    (Purpose.FACE, "2026-11-26"): "4cb5813e9fc27bec",
    (Purpose.MINOR, "2026-11-26"): "c5cdefb17d4a9abc",
}
"""A text that was agreed to never changes under its version: give it a new one, and a row here."""

ITEMS = {
    CHINESE: ("处理者：", "处理目的：", "处理方式：", "信息种类", "保存期限：", "影响：", "您的权利：", "联系方式："),
    ENGLISH: ("Who:", "Purpose:", "How:", "Data", "Retention:", "ffect on ", "Your rights:", "Contact:"),
}


@pytest.fixture
def account_id(transactions: Transactions) -> UUID:
    return transactions.write(lambda session, now: make_account(session, now=now)).id


def say(transactions: Transactions, account_id: UUID, purpose: Purpose, **more: Any) -> Consent:
    given: dict[str, Any] = {"version": current_version(purpose), "granted": True, "dependent_id": None} | more
    return transactions.write(
        lambda session, now: record_consent(
            session,
            account_id=account_id,
            purpose=purpose,
            provider=PROVIDER,
            identity_id=LOGIN,
            now=now,
            cause=CAUSE,
            **given,
        )
    )


def holds(transactions: Transactions, account_id: UUID, purpose: Purpose, dependent_id: UUID | None = None) -> bool:
    return transactions.read(lambda session, _: granted(session, account_id, purpose, dependent_id))


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_text_does_not_change_under_its_version(purpose: Purpose) -> None:
    text = consent_text(purpose, language=CHINESE)
    digest = hashlib.sha256(f"{text.title}\n{text.text}".encode()).hexdigest()[:16]
    assert digest == PINNED[purpose, text.version]


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("language", [CHINESE, ENGLISH])
def test_every_text_says_what_the_law_asks_for(purpose: Purpose, language: str) -> None:
    text = consent_text(purpose, language=language).text
    assert [item for item in ITEMS[language] if item not in text] == []


TERMS = {
    timedelta(days=365.25) / 2: ("半年", "half a year"),
    3 * timedelta(days=365.25): ("三年", "three years"),
    30 * timedelta(days=365.25): ("三十年", "thirty years"),
}
PROMISED = (
    (Purpose.SERVICE, ("logins", "accesses"), "网络日志和访问记录保存{}", "network and access logs {}"),
    (Purpose.SERVICE, ("consents", "identity_checks", "arrivals", "strikes"), "作为证明保存{}", "strikes {}, as proof"),
    (Purpose.SERVICE, ("appointments", "charges", "payments", "refunds"), "会计档案规定保存{}", "orders, {} under"),
    (Purpose.FACE, ("identity_checks",), "保存到您注销账号后{}", "until {} after you close"),
    (Purpose.SENSITIVE_IDENTITY, ("dependents",), "封存{}", "locked away for {} from"),
    (Purpose.MINOR, ("dependents",), "封存{}", "locked away for {} from"),
)
"""Which words of which text promise how long something is kept, and what they are about."""


@pytest.mark.parametrize(("purpose", "kinds", "chinese", "english"), PROMISED)
def test_l_01_the_terms_that_a_text_names_are_those_that_are_kept(
    purpose: Purpose, kinds: tuple[str, ...], chinese: str, english: str
) -> None:
    (lasts,) = {RETENTION[kind].lasts for kind in kinds}
    assert lasts is not None
    in_chinese, in_english = TERMS[lasts]
    assert chinese.format(in_chinese) in consent_text(purpose, language=CHINESE).text
    assert english.format(in_english) in consent_text(purpose, language=ENGLISH).text


def test_l_01_the_term_of_what_was_never_paid_is_told() -> None:
    in_chinese, in_english = TERMS[UNPAID_LASTS]
    assert f"没有付过款的预约保存{in_chinese}，" in consent_text(Purpose.SERVICE, language=CHINESE).text
    assert f"without a payment {in_english}." in consent_text(Purpose.SERVICE, language=ENGLISH).text


def test_l_04_no_text_promises_an_approval_that_nobody_gives() -> None:
    """Staff who look are written down; nothing in the software makes them ask first."""
    assert "批准" not in consent_text(Purpose.MINOR, language=CHINESE).text
    assert "approval" not in consent_text(Purpose.MINOR, language=ENGLISH).text


def test_a_language_we_lack_is_answered_in_chinese() -> None:
    assert consent_text(Purpose.FACE, language="fr") == consent_text(Purpose.FACE, language=CHINESE)


def test_the_face_text_names_the_other_way_and_its_equal_standing() -> None:
    """F-02, F-04, F-06, F-07, F-09."""
    text = consent_text(Purpose.FACE, language=CHINESE).text
    for said in (
        "不是唯一方式",
        "服务台",
        "效力相同",
        "不同意不影响其他功能",
        "不经过我们的服务器",
        "必要性",
        "未满 14 周岁",
    ):
        assert said in text


def test_nothing_holds_before_it_is_given(transactions: Transactions, account_id: UUID) -> None:
    assert not holds(transactions, account_id, Purpose.SERVICE)
    assert transactions.read(lambda session, _: granted_purposes(session, account_id)) == frozenset()


def test_given_withdrawn_and_given_again(transactions: Transactions, account_id: UUID, clock: ManualClock) -> None:
    for wanted in (True, False, True):
        clock.advance(timedelta(seconds=1))
        say(transactions, account_id, Purpose.SENSITIVE_IDENTITY, granted=wanted)
        assert holds(transactions, account_id, Purpose.SENSITIVE_IDENTITY) is wanted
    kept = transactions.read(lambda session, _: session.scalar(select(func.count()).select_from(Consent)))
    assert kept == 3


def test_within_one_instant_the_later_word_counts(transactions: Transactions, account_id: UUID) -> None:
    say(transactions, account_id, Purpose.SERVICE)
    say(transactions, account_id, Purpose.SERVICE, granted=False)
    assert not holds(transactions, account_id, Purpose.SERVICE)


def test_saying_the_same_again_writes_nothing(transactions: Transactions, account_id: UUID) -> None:
    assert say(transactions, account_id, Purpose.SERVICE).id == say(transactions, account_id, Purpose.SERVICE).id


def test_an_older_text_does_not_count(
    transactions: Transactions, account_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(transactions, account_id, Purpose.SERVICE)
    versions = dict(consent_texts._VERSIONS) | {Purpose.SERVICE: ("2026-11-26", "2027-01")}
    monkeypatch.setattr(consent_texts, "_VERSIONS", versions)
    assert not holds(transactions, account_id, Purpose.SERVICE)
    with pytest.raises(ValidationFailed) as refused:
        say(transactions, account_id, Purpose.SERVICE, version="2026-11-26")
    assert [error.code for error in refused.value.errors] == ["outdated_version"]
    assert not say(transactions, account_id, Purpose.SERVICE, version="2026-11-26", granted=False).granted


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_dependent_is_named_exactly_where_the_purpose_asks(
    transactions: Transactions, account_id: UUID, vault: Vault, purpose: Purpose
) -> None:
    needs = purpose in DEPENDENT_PURPOSES
    dependent_id = None if needs else own_dependent(transactions, vault, account_id)
    with pytest.raises(ValidationFailed) as refused:
        say(transactions, account_id, purpose, dependent_id=dependent_id, version="1999-01")
    assert {(error.pointer, error.code) for error in refused.value.errors} == {
        ("#/dependent_id", "missing" if needs else "not_allowed"),
        ("#/version", "unknown_version"),
    }


def own_dependent(transactions: Transactions, vault: Vault, account_id: UUID | None = None) -> UUID:
    def make(session: Any, now: Any) -> UUID:
        from_id = None if account_id is None else session.get_one(type(make_account(session)), account_id)
        return make_dependent(session, vault, from_id or make_account(session, now=now), now=now).id

    return transactions.write(make)


def test_a_consent_is_for_one_dependent_only(transactions: Transactions, account_id: UUID, vault: Vault) -> None:
    one, two = (own_dependent(transactions, vault, account_id) for _ in range(2))
    say(transactions, account_id, Purpose.FACE, dependent_id=one)
    assert holds(transactions, account_id, Purpose.FACE, one)
    assert not holds(transactions, account_id, Purpose.FACE, two)
    assert not holds(transactions, account_id, Purpose.FACE)
    assert not holds(transactions, account_id, Purpose.HEALTH, one)


def test_another_accounts_dependent_is_not_found(transactions: Transactions, account_id: UUID, vault: Vault) -> None:
    with pytest.raises(NotFound):
        say(transactions, account_id, Purpose.FACE, dependent_id=own_dependent(transactions, vault))


def test_what_stands_is_the_newest_of_each(
    transactions: Transactions, account_id: UUID, vault: Vault, clock: ManualClock
) -> None:
    dependent_id = own_dependent(transactions, vault, account_id)
    say(transactions, account_id, Purpose.SERVICE)
    say(transactions, account_id, Purpose.FACE, dependent_id=dependent_id)
    clock.advance(timedelta(seconds=1))
    say(transactions, account_id, Purpose.FACE, dependent_id=dependent_id, granted=False)
    standing = transactions.read(lambda session, _: standing_consents(session, account_id=account_id))
    assert [(row.purpose, row.dependent_id, row.granted) for row in standing] == [
        (Purpose.SERVICE, None, True),
        (Purpose.FACE, dependent_id, False),
    ]
    assert transactions.read(lambda session, _: granted_purposes(session, account_id)) == {Purpose.SERVICE}


def test_a_missing_consent_says_what_to_show(transactions: Transactions, account_id: UUID) -> None:
    with pytest.raises(ConsentRequired) as refused:
        transactions.read(lambda session, _: require_consent(session, account_id, Purpose.SERVICE))
    assert refused.value.facts == {"purpose": "service", "version": current_version(Purpose.SERVICE)}


def test_one_account_does_not_agree_for_another(transactions: Transactions, account_id: UUID) -> None:
    transactions.write(lambda session, now: agree(session, make_account(session).id, Purpose.SERVICE, now=now))
    assert not holds(transactions, account_id, Purpose.SERVICE)
