"""Consents: the newest row of a purpose counts, in the text in force (L-01, L-02, L-03)."""

from __future__ import annotations

import hashlib
from dataclasses import fields
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
from integrations.realname import OWN_URLS as REALNAME_URLS
from integrations.sms import OWN_URLS as SMS_URLS
from miniapp_api.platforms import Platforms
from models import Base
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
    (Purpose.SERVICE, "2026-11-27"): "87a4d3fda98812f4",
    (Purpose.SERVICE, "2026-11-28-2"): "ac842f8beba89b87",
    (Purpose.SENSITIVE_IDENTITY, "2026-11-27"): "cf62c38e7b4670a1",
    (Purpose.MINOR, "2026-11-27"): "16f39b5d1a6ce3d9",
    (Purpose.SERVICE, "2026-11-28"): "c826af2ba9bf68fa",
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
    (
        Purpose.SERVICE,
        ("waitlist_entries", "booking_signals"),
        "{}，候补和异常预约的记录也是",
        "{}, waiting lists and signs",
    ),
    (Purpose.SENSITIVE_IDENTITY, ("identity_checks",), "保存到您注销账号后{}", "until {} after your account"),
    (Purpose.MINOR, ("identity_checks",), "保存到监护人注销账号后{}", "until {} after the guardian's account"),
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


OF_PATIENTS = (Purpose.SENSITIVE_IDENTITY, Purpose.MINOR)


def _of_patients(chinese: str, english: str) -> tuple[tuple[Purpose, str, str], ...]:
    return tuple((purpose, chinese, english) for purpose in OF_PATIENTS)


WRITTEN_DOWN: dict[str, tuple[tuple[Purpose, str, str], ...]] = {
    "accounts.phone_sealed": ((Purpose.SERVICE, "手机号、", "phone number,"),),
    "platform_identities.subject_sealed": ((Purpose.SERVICE, "平台用户标识", "platform user id"),),
    "refunds.received_account": ((Purpose.SERVICE, "退款入账账户的说明", "where a refund arrived"),),
    "receipts.check_code_sealed": ((Purpose.SERVICE, "财政电子票据的代码、号码、校验码", "check code"),),
    "receipts.url_sealed": ((Purpose.SERVICE, "查看链接", "link,"),),
    "strike_appeals.text_sealed": ((Purpose.SERVICE, "申诉的记录", "appeals"),),
    "strike_appeals.answer_sealed": ((Purpose.SERVICE, "申诉的记录", "appeals"),),
    "person_identifiers.number_sealed": _of_patients("号码", "number"),
    "dependents.name_sealed": _of_patients("姓名", "name"),
    "dependents.phone_sealed": (
        (Purpose.SENSITIVE_IDENTITY, "手机号", "phone,"), (Purpose.MINOR, "联系电话", "phone,"),
    ),
    "dependents.address_sealed": _of_patients("住址", "address"),
    "dependents.region_code": _of_patients("所在地区", "region"),
    "dependents.id_number_sealed": _of_patients("号码", "number"),
    "dependents.country": _of_patients("签发国家", "country"),
    "dependents.id_expires_on": _of_patients("有效期", "expiry"),
    "dependents.email_sealed": _of_patients("电子邮箱", "e-mail"),
    "dependents.insurance_number_sealed": _of_patients("医保号", "insurance number"),
    "dependents.guardian_evidence_number_sealed": ((Purpose.MINOR, "关系及证明", "its proof"),),
    "dependents.allergies_and_history_sealed": ((Purpose.HEALTH, "过敏史和既往史", "allergies and medical history"),),
    "hospital_cards.number_sealed": _of_patients("就诊卡号", "hospital cards"),
    "appointments.complaint_sealed": ((Purpose.HEALTH, "主诉", "complaint"),),
    "identity_checks.evidence": ((Purpose.FACE, "核验结果", "the result"),),
    "identity_checks.reference_sealed": ((Purpose.FACE, "流水号", "its number"),),
}  # fmt: skip
"""What is written down of people and can be read again, with the texts that name it and their words."""

OF_THE_MACHINERY = frozenset({"platform_tokens.token_sealed", "idempotency_keys.reply_sealed"})
"""A token of our own at a platform; replies that were sent already."""


def kinds_named(purpose: Purpose, language: str) -> str:
    """The paragraph of a text that says which data it is about."""
    begins = {CHINESE: "信息种类", ENGLISH: "Data"}[language]
    text = consent_text(purpose, language=language).text
    return next(paragraph for paragraph in text.split("\n\n") if paragraph.startswith(begins))


def test_l_01_whatever_is_written_down_is_named_among_the_kinds() -> None:
    sealed = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if column.name.endswith("_sealed")
    }
    assert sealed - WRITTEN_DOWN.keys() == OF_THE_MACHINERY
    unnamed = [
        (column, purpose)
        for column, texts in WRITTEN_DOWN.items()
        for purpose, chinese, english in texts
        if chinese not in kinds_named(purpose, CHINESE) or english not in kinds_named(purpose, ENGLISH)
    ]
    assert unnamed == []


def test_l_01_where_somebody_checks_in_is_named_and_not_kept() -> None:
    """The one thing that is asked for and never written down: what for, how long, and what if it is not given."""
    chinese, english = (consent_text(Purpose.SERVICE, language=one).text for one in (CHINESE, ENGLISH))
    assert "自助报到时的位置" in kinds_named(Purpose.SERVICE, CHINESE)
    assert "your location when you check in" in kinds_named(Purpose.SERVICE, ENGLISH)
    for said in (
        "医院规定的距离",
        "位置不提供给任何人",
        "位置不保存，也不写入日志",
        "不提供位置，可以到医院服务台报到",
    ):
        assert said in chinese
    for said in (
        "as near to the hospital",
        "Nobody is told your location",
        "your location is neither stored nor logged",
        "without the location, check in at the hospital's desk",
    ):
        assert said in english


TOLD: dict[str, tuple[tuple[Purpose, ...], str, str]] = {
    "sms/aliyun": ((Purpose.SERVICE, *OF_PATIENTS), "短信服务商（阿里云", "sender of text messages (Aliyun"),
    "sms/tencent": ((Purpose.SERVICE, *OF_PATIENTS), "短信服务商（阿里云或腾讯云", "messages (Aliyun or Tencent Cloud"),
    "realname/aliyun": (OF_PATIENTS, "实名核验服务商（阿里云", "a service for that (Aliyun"),
    "realname/tencent": (OF_PATIENTS, "实名核验服务商（阿里云或腾讯云", "for that (Aliyun or Tencent Cloud"),
    "wechat_pay": ((Purpose.SERVICE,), "支付平台（微信支付", "payment platform (WeChat Pay"),
    "alipay": ((Purpose.SERVICE,), "支付平台（微信支付或支付宝", "payment platform (WeChat Pay or Alipay"),
    "wechat_miniapp": ((Purpose.SERVICE,), "发货管理的，还向微信提供", "WeChat, where it manages the deliveries"),
    "wechat_official": ((Purpose.SERVICE,), "登录平台（微信", "login platform (WeChat"),
    "hospital_systems": (OF_PATIENTS, "那一家医院，包括它自己的挂号系统", "its own registration system included"),
}
"""Who is told of people, by the accounts of the platforms' file, with the texts that say so and their words."""


def test_l_01_whoever_is_told_is_named() -> None:
    kinds = {one.name for one in fields(Platforms)} - {"sms", "realname"}
    clouds = {f"sms/{one}" for one in SMS_URLS} | {f"realname/{one}" for one in REALNAME_URLS}
    assert kinds | clouds == TOLD.keys()
    unnamed = [
        (name, purpose)
        for name, (purposes, chinese, english) in TOLD.items()
        for purpose in purposes
        if chinese not in consent_text(purpose, language=CHINESE).text
        or english not in consent_text(purpose, language=ENGLISH).text
    ]
    assert unnamed == []


def test_l_01_a_payment_from_a_browser_says_that_the_address_is_told() -> None:
    """WeChat Pay takes no such order without it (see PaymentOrder.client_ip)."""
    chinese, english = (consent_text(Purpose.SERVICE, language=one).text for one in (CHINESE, ENGLISH))
    assert "还向微信支付提供您设备的网络地址" in chinese
    assert "also the network address of your device" in english


def test_l_01_no_text_says_that_only_the_hospital_is_told_where_others_are() -> None:
    for purpose in OF_PATIENTS:
        assert "只提供给所预约的那一家医院" not in consent_text(purpose, language=CHINESE).text


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
