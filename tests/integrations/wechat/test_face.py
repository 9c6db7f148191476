from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import responses

from core.ports import FaceOutcome, FaceResult, FaceStart, FaceSubject, ProviderRefused, ProviderUnavailable
from integrations.wechat import MiniappAccount, WeChatFaceVerifier
from integrations.wechat.face import cert_hash

HOST = "https://api.weixin.qq.com"
START_URL = HOST + "/cityservice/face/identify/getverifyid"
RESULT_URL = HOST + "/cityservice/face/identify/queryverifyinfo"
SUBJECT = FaceSubject("resident_id", "张三", "11010519491231002x", "oABC")
ASKED = {"reference": "V1", "out_seq_no": "SEQ-00001", "evidence": "ab" * 32, "open_id": "oABC"}


@pytest.fixture
def verifier(miniapp: MiniappAccount, tokens: Any) -> WeChatFaceVerifier:
    return WeChatFaceVerifier(miniapp, tokens)


@pytest.fixture
def face_wire(wire: responses.RequestsMock) -> responses.RequestsMock:
    wire.add("POST", HOST + "/cgi-bin/stable_token", json={"access_token": "T", "expires_in": 7200})
    return wire


def test_a_start_sends_the_person_and_keeps_the_hash(
    verifier: WeChatFaceVerifier, face_wire: responses.RequestsMock
) -> None:
    answer = {"errcode": 0, "errmsg": "ok", "verify_id": "V1", "expires_in": 3600}
    called = face_wire.add("POST", START_URL, json=answer)
    start = verifier.start(out_seq_no="SEQ-00001", subject=SUBJECT)
    digest = cert_hash("IDENTITY_CARD", "张三", "11010519491231002X")
    assert start == FaceStart("V1", digest, timedelta(hours=1), {"verifyId": "V1"})
    body = called.calls[0].request.body
    assert isinstance(body, bytes)
    assert "张三".encode() in body  # never as escapes
    assert json.loads(body) == {
        "out_seq_no": "SEQ-00001",
        "cert_info": {"cert_type": "IDENTITY_CARD", "cert_name": "张三", "cert_no": "11010519491231002X"},
        "openid": "oABC",
    }


@pytest.mark.parametrize(
    ("verify_ret", "expected"),
    [
        (10000, FaceResult(FaceOutcome.PASSED)),
        (0, FaceResult(FaceOutcome.PENDING)),
        (None, FaceResult(FaceOutcome.PENDING)),
        (10001, FaceResult(FaceOutcome.FAILED, "parameter")),
        (10002, FaceResult(FaceOutcome.FAILED, "face_unreadable")),
        (10003, FaceResult(FaceOutcome.FAILED, "number_mismatch")),
        (10004, FaceResult(FaceOutcome.FAILED, "face_mismatch")),
        *[(value, FaceResult(FaceOutcome.FAILED, "cancelled")) for value in range(90002, 90007)],
        (90001, FaceResult(FaceOutcome.FAILED, "device")),
        (90012, FaceResult(FaceOutcome.FAILED, "upload_failed")),
        (90107, FaceResult(FaceOutcome.FAILED, "timeout")),
        (90199, FaceResult(FaceOutcome.FAILED, "user_system")),
        (10005, FaceResult(FaceOutcome.FAILED, "other")),
        (10099, FaceResult(FaceOutcome.FAILED, "other")),
        (1, FaceResult(FaceOutcome.FAILED, "other")),
        (-10000, FaceResult(FaceOutcome.FAILED, "other")),
    ],
)
def test_only_10000_passes(
    verifier: WeChatFaceVerifier, face_wire: responses.RequestsMock, verify_ret: int | None, expected: FaceResult
) -> None:
    answer = {"errcode": 0, "errmsg": "ok"} | ({} if verify_ret is None else {"verify_ret": verify_ret})
    called = face_wire.add("POST", RESULT_URL, json=answer)
    assert verifier.read_result(**ASKED) == expected
    assert json.loads(called.calls[0].request.body or b"") == {
        "verify_id": "V1",
        "out_seq_no": "SEQ-00001",
        "cert_hash": "ab" * 32,
        "openid": "oABC",
    }


@pytest.mark.parametrize("verify_ret", ["10000", 10000.0, True, [10000]])
def test_a_result_of_another_type_is_no_answer(
    verifier: WeChatFaceVerifier, face_wire: responses.RequestsMock, verify_ret: Any
) -> None:
    face_wire.add("POST", RESULT_URL, json={"errcode": 0, "verify_ret": verify_ret})
    with pytest.raises(ProviderUnavailable):
        verifier.read_result(**ASKED)


def test_a_passed_result_beside_an_error_is_a_refusal(
    verifier: WeChatFaceVerifier, face_wire: responses.RequestsMock
) -> None:
    """Somebody else's hash, number or openid is reported as an errcode."""
    answer = {"errcode": 87017, "errmsg": "cert_hash mismatch 张三", "verify_ret": 10000}
    face_wire.add("POST", RESULT_URL, json=answer)
    with pytest.raises(ProviderRefused) as caught:
        verifier.read_result(**ASKED)
    assert caught.value.code == "87017"
    assert "张三" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        {"errcode": 0},
        {"errcode": 0, "verify_id": "V1"},
        {"errcode": 0, "verify_id": "", "expires_in": 3600},
        {"errcode": 0, "verify_id": "V1", "expires_in": -1},
        {"errcode": -1, "errmsg": "system error"},
    ],
)
def test_a_start_that_is_not_told_whole_is_unknown(
    verifier: WeChatFaceVerifier, face_wire: responses.RequestsMock, answer: dict[str, Any]
) -> None:
    face_wire.add("POST", START_URL, json=answer)
    with pytest.raises(ProviderUnavailable) as caught:
        verifier.start(out_seq_no="SEQ-00001", subject=SUBJECT)
    assert caught.value.sent


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize("number", ["", "SEQ1", "x" * 33, "SEQ 00001", "序号00001", "SEQ-00001\n"])
def test_a_number_that_wechat_does_not_take_is_never_sent(verifier: WeChatFaceVerifier, number: str) -> None:
    with pytest.raises(ProviderRefused, match="invalid_number"):
        verifier.start(out_seq_no=number, subject=SUBJECT)
    with pytest.raises(ProviderRefused, match="invalid_number"):
        verifier.read_result(**(ASKED | {"out_seq_no": number}))


@pytest.mark.usefixtures("wire")
def test_only_resident_id_cards_are_verified(verifier: WeChatFaceVerifier) -> None:
    passport = FaceSubject("passport", "ZHANG SAN", "E12345678", "oABC")
    assert verifier.accepted_id_types == frozenset({"resident_id"})
    with pytest.raises(ProviderRefused, match="unsupported_id_type"):
        verifier.start(out_seq_no="SEQ-00001", subject=passport)
