from __future__ import annotations

import traceback
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ports import PhoneRefused, ProviderError, ProviderRefused, ProviderUnavailable
from integrations.alipay import AlipayAccount, AlipayPhoneProver

TOLD = {"code": "10000", "msg": "Success", "mobile": "13800001234"}


@pytest.fixture(scope="module")
def prover(account: AlipayAccount) -> AlipayPhoneProver:
    return AlipayPhoneProver(account)


def proof(alipay: Any, content: Any) -> dict[str, str]:
    """As the phone hands it over: sealed, and signed with quotes around it."""
    sealed = alipay.sealed(content)
    return {"response": sealed, "sign": alipay.signature(f'"{sealed}"')}


def refusal(prover: AlipayPhoneProver, given: dict[str, str]) -> str:
    with pytest.raises(PhoneRefused) as caught:
        prover.read_phone(given, user="o")
    told = "".join(traceback.format_exception(caught.value))
    assert (caught.value.__cause__, "13800001234" in told) == (None, False)
    return caught.value.code


def test_a_proven_number_is_read_with_its_country(prover: AlipayPhoneProver, alipay: Any) -> None:
    assert (prover.provider, prover.app, prover.takes) == ("alipay_miniapp", "patient", {"response", "sign"})
    assert prover.read_phone(proof(alipay, TOLD), user="o") == "+8613800001234"


def test_it_is_signed_with_its_quotes(prover: AlipayPhoneProver, alipay: Any) -> None:
    sealed = alipay.sealed(TOLD)
    assert refusal(prover, {"response": sealed, "sign": alipay.signature(sealed)}) == "not_proven"


@pytest.mark.parametrize("sign", ["", None])
def test_without_a_signature_nothing_is_opened(prover: AlipayPhoneProver, alipay: Any, sign: str | None) -> None:
    """It is missing where the console has no key of ours."""
    given = proof(alipay, TOLD)
    given.pop("sign")
    assert refusal(prover, given if sign is None else given | {"sign": sign}) == "missing_sign"


def test_a_strangers_number_is_not_taken(prover: AlipayPhoneProver, stranger: Any) -> None:
    assert refusal(prover, proof(stranger, TOLD)) == "not_proven"


@pytest.mark.parametrize(
    ("code", "sub_code"), [("40003", "isv.invalid-auth-relations"), ("40006", "isv.insufficient-user-permissions")]
)
def test_a_patient_who_did_not_agree_is_refused(
    prover: AlipayPhoneProver, alipay: Any, compact: Any, code: str, sub_code: str
) -> None:
    plain = compact({"code": code, "msg": "?", "subCode": sub_code, "subMsg": "13800001234"})
    assert refusal(prover, {"response": plain, "sign": alipay.signature(plain)}) == sub_code


@pytest.mark.parametrize(
    ("code", "sub_code"), [("40001", "isv.missing-encrypt-key"), ("40006", "isv.insufficient-isv-permissions")]
)
def test_a_fault_of_our_configuration_is_not_the_patients(
    prover: AlipayPhoneProver, alipay: Any, compact: Any, code: str, sub_code: str
) -> None:
    plain = compact({"code": code, "msg": "?", "subCode": sub_code, "subMsg": "?"})
    with pytest.raises(ProviderRefused) as caught:
        prover.read_phone({"response": plain, "sign": alipay.signature(plain)}, user="o")
    assert not isinstance(caught.value, PhoneRefused)
    assert (caught.value.code, caught.value.retryable) == (sub_code, True)


def test_an_inner_error_of_alipay_is_asked_again(prover: AlipayPhoneProver, alipay: Any, compact: Any) -> None:
    plain = compact({"code": "20000", "msg": "?", "subCode": "aop.unknow-error", "subMsg": "?"})
    with pytest.raises(ProviderUnavailable):
        prover.read_phone({"response": plain, "sign": alipay.signature(plain)}, user="o")


def test_a_plain_failure_is_signed_without_quotes(prover: AlipayPhoneProver, alipay: Any, compact: Any) -> None:
    plain = compact({"code": "40001", "subCode": "isv.missing-encrypt-key"})
    assert refusal(prover, {"response": plain, "sign": alipay.signature(f'"{plain}"')}) == "not_proven"


def test_a_number_in_plain_is_not_taken(prover: AlipayPhoneProver, alipay: Any, compact: Any) -> None:
    """Answers of the gateway are plain and signed too: only a sealed payload is one of the phone's."""
    plain = compact(TOLD)
    assert refusal(prover, {"response": plain, "sign": alipay.signature(plain)}) == "unreadable"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("not json", "unreadable"),
        ('{"code":"10000","mobile":"13800001234","mobile":"13800009999"}', "unreadable"),
        ({"code": "10000"}, "unreadable"),
        ({"code": "10000", "mobile": 13800001234}, "unreadable"),
        ({"code": "10000", "mobile": "85212345678"}, "unsupported_number"),
        ({"code": "10000", "mobile": "1380000123"}, "unsupported_number"),
        ({"code": "10000", "mobile": "1380000123４"}, "unsupported_number"),
        ({"code": "10000", "mobile": "13800001234\n"}, "unsupported_number"),
    ],
)
def test_a_proven_payload_that_does_not_fit_is_refused(
    prover: AlipayPhoneProver, alipay: Any, content: Any, code: str
) -> None:
    assert refusal(prover, proof(alipay, content)) == code


def test_a_payload_sealed_with_another_key_is_refused(account: AlipayAccount, alipay: Any) -> None:
    other = AlipayPhoneProver(replace(account, aes_key="AAAAAAAAAAAAAAAAAAAAAA=="))
    assert refusal(other, proof(alipay, TOLD)) == "unreadable"


def test_without_a_key_of_ours_it_is_our_fault(account: AlipayAccount, alipay: Any) -> None:
    with pytest.raises(ProviderRefused, match="no_aes_key") as caught:
        AlipayPhoneProver(replace(account, aes_key=None)).read_phone(proof(alipay, TOLD), user="o")
    assert caught.value.retryable


@pytest.mark.parametrize("response", ["A" * 4097, "", "\ud800", "{"])
def test_what_is_no_payload_is_refused(prover: AlipayPhoneProver, alipay: Any, response: str) -> None:
    assert refusal(prover, {"response": response, "sign": alipay.signature("x")}) in {"unreadable", "not_proven"}


def test_every_character_of_a_payload_counts(prover: AlipayPhoneProver, alipay: Any) -> None:
    given = proof(alipay, TOLD)
    for name, value in given.items():
        for place, character in enumerate(value):
            for other in {chr(ord(character) ^ 1), character.swapcase(), "A", "=", " "} - {character}:
                changed = value[:place] + other + value[place + 1 :]
                assert refusal(prover, given | {name: changed}) == "not_proven", (name, place, other)


@settings(max_examples=200, deadline=None)
@given(response=st.text(max_size=80), sign=st.text(max_size=80))
def test_no_payload_raises_anything_but_a_refusal(prover: AlipayPhoneProver, response: str, sign: str) -> None:
    with pytest.raises(ProviderError):
        prover.read_phone({"response": response, "sign": sign}, user="o")
