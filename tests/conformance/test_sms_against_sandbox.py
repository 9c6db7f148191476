"""Our two gateways for text messages against the sandbox's two platforms: two readings of each way of signing."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
import requests
from conformance.conftest import Sandbox

from core.ports import NumberRefused, ProviderRefused, ProviderUnavailable, SmsGateway, TextKind
from integrations.sms import AliyunSmsGateway, SmsAccount, TencentSmsGateway

PROVIDERS = ("aliyun", "tencent")
GATEWAYS = {"aliyun": AliyunSmsGateway, "tencent": TencentSmsGateway}


@pytest.fixture(params=PROVIDERS)
def account(request: pytest.FixtureRequest, sandbox: Sandbox) -> SmsAccount:
    (told,) = [one for one in sandbox.credentials("sms") if one["provider"] == request.param]
    return SmsAccount(**told)


@pytest.fixture
def gateway(account: SmsAccount) -> SmsGateway:
    return gateway_of(account)


def gateway_of(account: SmsAccount) -> SmsGateway:
    return GATEWAYS[account.provider](account, timeouts=(2.0, 3.0))


@pytest.fixture
def phone() -> str:
    """A number that nobody has sent to yet."""
    return f"+86138000{secrets.randbelow(10**5):05d}"


def messages(sandbox: Sandbox, phone: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{sandbox.base_url}/control/sms", params={"phone": phone}, timeout=10)
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_a_code_arrives_and_is_known_by_its_number(sandbox: Sandbox, gateway: SmsGateway, phone: str) -> None:
    number = gateway.send_code(phone=phone, code="012345", kind=TextKind.CODE)
    (message,) = messages(sandbox, phone)
    assert (message["provider"], message["number"]) == (gateway.provider, number)
    assert list(message["params"].values()) == ["012345"]
    assert "您的验证码是012345，" in message["text"]


def test_1_1_6_an_agreement_arrives_in_a_text_that_says_what_telling_the_code_means(
    sandbox: Sandbox, gateway: SmsGateway, phone: str
) -> None:
    gateway.send_code(phone=phone, code="012345", kind=TextKind.AGREEMENT)
    (message,) = messages(sandbox, phone)
    assert list(message["params"].values()) == ["012345"]
    assert "验证码012345用于本人同意由他人代为预约挂号" in message["text"]
    assert "告诉对方即表示同意" in message["text"]
    assert "请勿告诉他人" not in message["text"]


def test_a_wrong_secret_is_a_wrong_signature(account: SmsAccount, sandbox: Sandbox, phone: str) -> None:
    spoiled = SmsAccount(**{**vars(account), "access_key_secret": account.access_key_secret[::-1]})
    with pytest.raises(ProviderRefused) as refused:
        gateway_of(spoiled).send_code(phone=phone, code="012345", kind=TextKind.CODE)
    assert refused.value.code in ("SignatureDoesNotMatch", "AuthFailure.SignatureFailure")
    assert messages(sandbox, phone) == []


@pytest.mark.parametrize("field", ["access_key_id", "sign_name", "template_id"])
def test_an_account_that_is_not_in_order_is_no_fault_of_the_number(
    account: SmsAccount, sandbox: Sandbox, phone: str, field: str
) -> None:
    with pytest.raises(ProviderRefused) as refused:
        gateway_of(SmsAccount(**{**vars(account), field: "other"})).send_code(
            phone=phone, code="012345", kind=TextKind.CODE
        )
    assert not isinstance(refused.value, NumberRefused)
    assert "not listed" not in str(refused.value)


@pytest.mark.parametrize("phone", ["+8612345678901", "+85291234567"])
def test_a_number_that_cannot_be_sent_to_is_one(gateway: SmsGateway, phone: str) -> None:
    with pytest.raises(NumberRefused):
        gateway.send_code(phone=phone, code="012345", kind=TextKind.CODE)


def test_too_often_to_one_number_is_about_the_number(sandbox: Sandbox, gateway: SmsGateway, phone: str) -> None:
    sandbox.misbehave(f"sms.{gateway.provider}", "rate_limited", match={"phone": phone})
    with pytest.raises(NumberRefused):
        gateway.send_code(phone=phone, code="012345", kind=TextKind.CODE)
    gateway.send_code(phone=phone, code="012345", kind=TextKind.CODE)


@pytest.mark.parametrize("kind", ["error", "drop_before", "drop_after", "garbled", "cut"])
def test_what_is_no_answer_leaves_it_unknown(sandbox: Sandbox, gateway: SmsGateway, phone: str, kind: str) -> None:
    sandbox.misbehave(f"sms.{gateway.provider}", kind)
    with pytest.raises(ProviderUnavailable) as down:
        gateway.send_code(phone=phone, code="012345", kind=TextKind.CODE)
    assert down.value.sent
    assert len(messages(sandbox, phone)) == (kind not in ("error", "drop_before"))


def test_a_platform_that_takes_its_time_is_waited_for_no_longer_than_set(
    sandbox: Sandbox, gateway: SmsGateway, phone: str
) -> None:
    sandbox.misbehave(f"sms.{gateway.provider}", "delay", seconds=5, when="after")
    with pytest.raises(ProviderUnavailable) as down:
        gateway.send_code(phone=phone, code="012345", kind=TextKind.CODE)
    assert down.value.sent


def test_nobody_there_means_nothing_was_sent(account: SmsAccount, phone: str) -> None:
    with pytest.raises(ProviderUnavailable) as down:
        gateway_of(SmsAccount(**{**vars(account), "base_url": "http://127.0.0.1:9"})).send_code(
            phone=phone, code="012345", kind=TextKind.CODE
        )
    assert not down.value.sent
