"""Both registers against the sandbox's two platforms: two readings of each way of signing, and every answer."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from conformance.conftest import Sandbox

from core.ports import MatchSubject, NameMatch, NameMatcher, ProviderRefused, ProviderUnavailable
from integrations.cloud.acs3 import Acs3Key, canonical_query, query_headers
from integrations.cloud.tc3 import Tc3Key, json_headers
from integrations.realname import AliyunNameMatcher, NameMatchAccount, TencentNameMatcher, aliyun, tencent

MATCHERS: dict[str, Any] = {"aliyun": AliyunNameMatcher, "tencent": TencentNameMatcher}
NAME, NUMBER = "测试甲", "330102199001019973"


@pytest.fixture(params=["aliyun", "tencent"])
def account(request: pytest.FixtureRequest, sandbox: Sandbox) -> NameMatchAccount:
    (told,) = [one for one in sandbox.credentials("realname") if one["provider"] == request.param]
    return NameMatchAccount(**told)


@pytest.fixture
def matcher(account: NameMatchAccount) -> NameMatcher:
    return matcher_of(account)


def matcher_of(account: NameMatchAccount) -> NameMatcher:
    matcher: NameMatcher = MATCHERS[account.provider](account, timeouts=(2.0, 1.0))
    return matcher


def ask(matcher: NameMatcher, name: str = NAME, number: str = NUMBER) -> Any:
    return matcher.match(MatchSubject("resident_id", name, number), reference="r1")


@pytest.mark.parametrize(
    ("name", "number", "outcome"),
    [
        (NAME, NUMBER, NameMatch.MATCHED),
        ("测试乙", NUMBER, NameMatch.MISMATCH),
        ("测试卯", "310101192601019975", NameMatch.NO_RECORD),
        ("谁也不是", "11010519491231002X", NameMatch.MATCHED),
    ],
)
def test_a_register_answers_by_person(matcher: NameMatcher, name: str, number: str, outcome: NameMatch) -> None:
    answer = ask(matcher, name, number)
    assert answer.outcome is outcome
    assert answer.request_id


@pytest.mark.parametrize("number", ["310103197007079989", "441900199510109974", "429004199303039969"])
def test_no_answer_is_never_a_mismatch_and_tells_nothing_of_the_person(matcher: NameMatcher, number: str) -> None:
    """TIMEOUT, SERVICE_DOWN and RATE_LIMITED: to be asked again."""
    name = "\u6d4b\u8bd5\u5df3"
    with pytest.raises((ProviderUnavailable, ProviderRefused)) as failed:
        ask(matcher, name, number)
    assert isinstance(failed.value, ProviderUnavailable) or failed.value.retryable
    shown = "".join(traceback.format_exception(failed.value)) + repr(vars(failed.value))
    assert [one for one in (name, number) if one in shown] == []


def test_an_answer_can_be_set_for_a_number(sandbox: Sandbox, matcher: NameMatcher) -> None:
    sandbox.control("realname", id_number=NUMBER, answer="NO_RECORD")
    assert ask(matcher).outcome is NameMatch.NO_RECORD
    sandbox.control("realname", id_number=NUMBER)
    assert ask(matcher).outcome is NameMatch.MATCHED


def test_a_wrong_secret_is_a_wrong_signature(account: NameMatchAccount) -> None:
    spoiled = NameMatchAccount(**{**vars(account), "access_key_secret": account.access_key_secret[::-1]})
    with pytest.raises(ProviderRefused) as refused:
        ask(matcher_of(spoiled))
    assert refused.value.code in ("SignatureDoesNotMatch", "AuthFailure.SignatureFailure")


def test_one_byte_that_changes_on_the_way_is_refused(account: NameMatchAccount) -> None:
    place = {"host": account.host, "path": account.path, "now": datetime.now(UTC)}
    if account.provider == "aliyun":
        query = canonical_query({"IdentifyNum": NUMBER, "ParamType": "normal", "UserName": NAME})
        key = Acs3Key(account.access_key_id, account.access_key_secret)
        headers = query_headers(key, query=query, action=aliyun.ACTION, version=aliyun.VERSION, **place)
        bent = query.replace(NUMBER, NUMBER[:-1] + "4")
        answer = requests.post(f"{account.url}?{bent}", headers=headers, timeout=10)
        assert answer.json()["Code"] == "SignatureDoesNotMatch"
    else:
        body = f'{{"IdCard":"{NUMBER}","Name":"{NAME}"}}'.encode()
        tc3_key = Tc3Key(account.access_key_id, account.access_key_secret, tencent.SERVICE)
        headers = json_headers(tc3_key, body=body, action=tencent.ACTION, version=tencent.VERSION, **place)
        bent_body = body.replace(NUMBER.encode(), NUMBER[:-1].encode() + b"4")
        answer = requests.post(account.url, data=bent_body, headers=headers, timeout=10)
        assert answer.json()["Response"]["Error"]["Code"] == "AuthFailure.SignatureFailure"


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "garbled", "cut"])
def test_what_is_no_answer_leaves_it_unknown(sandbox: Sandbox, matcher: NameMatcher, kind: str) -> None:
    sandbox.misbehave(f"realname.{matcher.provider.removesuffix('_realname')}", kind)
    with pytest.raises(ProviderUnavailable):
        ask(matcher)


def test_a_code_that_is_not_listed_raises_and_may_be_asked_again(sandbox: Sandbox, matcher: NameMatcher) -> None:
    sandbox.misbehave(f"realname.{matcher.provider.removesuffix('_realname')}", "error", code="New.In.2027")
    with pytest.raises(ProviderRefused, match="not listed") as refused:
        ask(matcher)
    assert refused.value.retryable


def test_another_kind_of_document_is_not_asked_about(matcher: NameMatcher) -> None:
    with pytest.raises(ProviderRefused):
        matcher.match(MatchSubject("passport", NAME, "E12345678"), reference="r1")
