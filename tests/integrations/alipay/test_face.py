from __future__ import annotations

import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import responses
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from core.ports import FaceOutcome, FaceResult, FaceSubject, ProviderRefused, ProviderUnavailable
from integrations.alipay import AlipayAccount, AlipayFaceVerifier
from integrations.alipay._signing import verify

START, QUERY = "alipay.user.certify.open.initialize", "alipay.user.certify.open.query"
RETURN_URL = "https://hospital.example/callbacks/alipay-identity/patient"
OUR_NUMBER = "0123456789abcdef0123456789abcdef"
CERTIFY_ID = "4a13ffed52c8449dbfeed62ffbe88fb4"
NOW = datetime(2026, 11, 20, 2, 30, 0, tzinfo=UTC)
SUBJECT = FaceSubject("resident_id", "张三", "11010519491231002x", "oOpenId")


@pytest.fixture
def verifier(account: AlipayAccount) -> AlipayFaceVerifier:
    return AlipayFaceVerifier(account, return_url=RETURN_URL, clock=lambda: NOW)


def result(verifier: AlipayFaceVerifier) -> FaceResult:
    return verifier.read_result(reference=CERTIFY_ID, out_seq_no=OUR_NUMBER, evidence="", open_id="oOpenId")


def test_a_verification_is_opened_for_the_person(
    verifier: AlipayFaceVerifier, wire: responses.RequestsMock, alipay: Any, asked: Any
) -> None:
    alipay.success(wire, START, certify_id=CERTIFY_ID)
    start = verifier.start(out_seq_no=OUR_NUMBER, subject=SUBJECT)
    assert (start.reference, start.evidence, start.expires_in) == (CERTIFY_ID, "", timedelta(hours=23))
    assert asked(wire).biz_content == {
        "outer_order_no": OUR_NUMBER,
        "biz_code": "FACE",
        "identity_param": {
            "identity_type": "CERT_INFO",
            "cert_type": "IDENTITY_CARD",
            "cert_name": "张三",
            "cert_no": "11010519491231002X",
        },
        "merchant_config": {"return_url": RETURN_URL},
    }


def test_the_page_is_a_signed_address_that_we_do_not_open(
    verifier: AlipayFaceVerifier, wire: responses.RequestsMock, alipay: Any, app_key: RSAPrivateKey
) -> None:
    alipay.success(wire, START, certify_id=CERTIFY_ID)
    params = verifier.start(out_seq_no=OUR_NUMBER, subject=SUBJECT).client_params
    assert set(params) == {"certifyId", "url"}
    assert params["certifyId"] == CERTIFY_ID
    address = urlsplit(params["url"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == "https://openapi.alipay.com/gateway.do"
    fields = dict(parse_qsl(address.query, strict_parsing=True))
    sign = fields.pop("sign")
    assert fields["method"] == "alipay.user.certify.open.certify"
    assert fields["biz_content"] == f'{{"certify_id":"{CERTIFY_ID}"}}'
    assert (fields["return_url"], fields["timestamp"]) == (RETURN_URL, "2026-11-20 10:30:00")
    verify([app_key.public_key()], "&".join(f"{name}={fields[name]}" for name in sorted(fields)).encode(), sign)
    assert len(wire.calls) == 1


@pytest.mark.parametrize(
    ("id_type", "number", "cert_type"),
    [
        ("resident_id", "11010519491231002X", "IDENTITY_CARD"),
        ("hmt_residence_permit", "810000199408230021", "RESIDENCE_PERMIT_HK_MC"),
        ("hmt_residence_permit", "820000199408230021", "RESIDENCE_PERMIT_HK_MC"),
        ("hmt_residence_permit", "830000199408230021", "RESIDENCE_PERMIT_TAIWAN"),
        ("hk_macao_permit", "H12345678", "HOME_VISIT_PERMIT_HK_MC"),
        ("taiwan_permit", "12345678", "HOME_VISIT_PERMIT_TAIWAN"),
        ("foreign_permanent_resident", "911124198108030024", "PERMANENT_RESIDENCE_FOREIGNER"),
    ],
)
def test_each_accepted_document_has_its_word(
    *,
    verifier: AlipayFaceVerifier,
    wire: responses.RequestsMock,
    alipay: Any,
    asked: Any,
    id_type: str,
    number: str,
    cert_type: str,
) -> None:
    assert id_type in verifier.accepted_id_types
    alipay.success(wire, START, certify_id=CERTIFY_ID)
    verifier.start(out_seq_no=OUR_NUMBER, subject=replace(SUBJECT, id_type=id_type, id_number=number))
    assert asked(wire).biz_content["identity_param"]["cert_type"] == cert_type


@pytest.mark.parametrize(
    ("id_type", "number"), [("passport", "E12345678"), ("guardian_bound", ""), ("hmt_residence_permit", "110105")]
)
def test_another_document_is_refused_and_not_sent(verifier: AlipayFaceVerifier, id_type: str, number: str) -> None:
    with pytest.raises(ProviderRefused, match="unsupported_id_type"):
        verifier.start(out_seq_no=OUR_NUMBER, subject=replace(SUBJECT, id_type=id_type, id_number=number))


@pytest.mark.parametrize("number", ["", "a" * 33, "a-b", "a_b", "号"])
def test_a_number_that_alipay_does_not_take_is_not_sent(verifier: AlipayFaceVerifier, number: str) -> None:
    with pytest.raises(ProviderRefused, match="invalid_number"):
        verifier.start(out_seq_no=number, subject=SUBJECT)


@pytest.mark.parametrize("certify_id", [None, "", 7, "a b", "a" * 129, '"'])
def test_an_opening_without_a_usable_certify_id_is_unknown(
    verifier: AlipayFaceVerifier, wire: responses.RequestsMock, alipay: Any, certify_id: Any
) -> None:
    alipay.success(wire, START, certify_id=certify_id)
    with pytest.raises(ProviderUnavailable):
        verifier.start(out_seq_no=OUR_NUMBER, subject=SUBJECT)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"passed": "T"}, FaceResult(FaceOutcome.PASSED)),
        (
            {"passed": "T", "certify_id": CERTIFY_ID, "identity_info": "", "material_info": ""},
            FaceResult(FaceOutcome.PASSED),
        ),
        ({"passed": "F"}, FaceResult(FaceOutcome.PENDING)),
        ({"passed": "F", "fail_reason": ""}, FaceResult(FaceOutcome.PENDING)),
        ({"passed": "F", "fail_reason": "张三 人脸不一致"}, FaceResult(FaceOutcome.FAILED, reason="other")),
    ],
)
def test_alipay_alone_says_who_passed(
    *,
    verifier: AlipayFaceVerifier,
    wire: responses.RequestsMock,
    alipay: Any,
    asked: Any,
    told: Any,
    expected: FaceResult,
) -> None:
    alipay.success(wire, QUERY, **told)
    assert result(verifier) == expected
    assert asked(wire).biz_content == {"certify_id": CERTIFY_ID}


@pytest.mark.parametrize(
    "told", [{}, {"passed": "t"}, {"passed": True}, {"passed": "TRUE"}, {"passed": "T", "certify_id": "another"}]
)
def test_a_result_that_does_not_fit_is_unknown(
    verifier: AlipayFaceVerifier, wire: responses.RequestsMock, alipay: Any, told: dict[str, Any]
) -> None:
    """A-40: an old answer about another verification passes nobody."""
    alipay.success(wire, QUERY, **told)
    with pytest.raises(ProviderUnavailable):
        result(verifier)


@pytest.mark.parametrize(
    ("code", "reason"), [("CERTIFY_ID_EXPIRED", "expired"), ("UNABLE_GET_IMAGE", "face_unreadable")]
)
def test_a_verification_that_ended_has_failed(
    verifier: AlipayFaceVerifier, wire: responses.RequestsMock, alipay: Any, code: str, reason: str
) -> None:
    alipay.failure(wire, QUERY, code)
    assert result(verifier) == FaceResult(FaceOutcome.FAILED, reason=reason)


@pytest.mark.parametrize(
    ("code", "retryable"),
    [
        ("OPEN_CERTIFY_BILL_NOT_EXIST", False),
        ("OPEN_CERTIFY_BILL_STATUS_ERROR", False),
        ("ILLEGAL_ARGUMENT_FORMAT", False),
        ("ARRANGEMENT_STATUS_ERROR", True),
    ],
)
def test_a_refusal_keeps_its_code_and_tells_nothing_of_the_person(
    verifier: AlipayFaceVerifier, wire: responses.RequestsMock, alipay: Any, code: str, retryable: bool
) -> None:
    alipay.failure(wire, QUERY, code)
    alipay.failure(wire, START, code)
    for act in (lambda: result(verifier), lambda: verifier.start(out_seq_no=OUR_NUMBER, subject=SUBJECT)):
        with pytest.raises(ProviderRefused) as caught:
            act()
        assert (caught.value.code, caught.value.retryable) == (code, retryable)
        told = "".join(traceback.format_exception(caught.value))
        assert "张三" not in told
        assert "SECRET" not in told


@pytest.mark.parametrize("code", ["SYSTEM_ERROR", "UNKNOWN_ERROR"])
def test_an_inner_error_is_asked_about_later(
    verifier: AlipayFaceVerifier, wire: responses.RequestsMock, alipay: Any, code: str
) -> None:
    alipay.failure(wire, QUERY, code)
    with pytest.raises(ProviderUnavailable):
        result(verifier)


def test_a_return_address_with_a_query_stops_the_start(account: AlipayAccount) -> None:
    with pytest.raises(ValueError, match="return_url"):
        AlipayFaceVerifier(account, return_url="https://hospital.example/?a=b")
