"""WeChat face verification 2.0 (wechat.md 2.1), the only one that still runs."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from datetime import timedelta

from core.ports import FaceOutcome, FaceResult, FaceStart, FaceSubject, ProviderRefused, TokenStore
from integrations.answers import load_answer
from integrations.transport import DEFAULT_TIMEOUTS, Timeouts
from integrations.wechat._http import MiniappHttp
from integrations.wechat._schemas import VerifyIdSchema, VerifyInfoSchema
from integrations.wechat.config import MiniappAccount
from integrations.wechat.tokens import TokenCalls

RESIDENT_ID = "resident_id"
CERT_TYPE = "IDENTITY_CARD"
PASSED = 10000
NOT_FINISHED = 0

FAILURES = {
    10001: "parameter",
    10002: "face_unreadable",
    10003: "number_mismatch",
    10004: "face_mismatch",
    90001: "device",
    90002: "cancelled",
    90003: "cancelled",
    90004: "cancelled",
    90005: "cancelled",
    90006: "cancelled",
    90007: "network",
    90008: "not_authorised",
    90009: "not_authorised",
    90010: "not_authorised",
    90011: "capture_invalid",
    90012: "upload_failed",
    90013: "capture_invalid",
    90014: "capture_invalid",
    90017: "timeout",
    90018: "system",
    90104: "config",
    90105: "confirm_data",
    90106: "camera",
    90107: "timeout",
    90109: "device",
    90110: "agreement",
    90199: "user_system",
}
OTHER_FAILURE = "other"
"""For a verify_ret that is not listed. WeChat's list is incomplete and says: treat every other value as failed."""

_OUT_SEQ_NO = re.compile(r"[0-9A-Za-z_-]{5,32}")


class WeChatFaceVerifier:
    """Port FaceVerifier. Sources: MP /server/API/face/api_getverifyid, /api_queryverifyinfo."""

    method = "wechat_face"
    accepted_id_types = frozenset({RESIDENT_ID})

    def __init__(self, account: MiniappAccount, tokens: TokenStore, *, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> None:
        self.app = account.app
        self._calls = TokenCalls(account, MiniappHttp(account, timeouts=timeouts), tokens)

    def start(self, *, out_seq_no: str, subject: FaceSubject) -> FaceStart:
        """Open a verification; `client_params` go into wx.requestFacialVerify (base library 3.8.12 or later).

        Raises: ProviderUnavailable, ProviderRefused (`unsupported_id_type`, `invalid_number`: refused by us, unsent).
        """
        if subject.id_type not in self.accepted_id_types:
            raise ProviderRefused("unsupported_id_type")
        _require_number(out_seq_no)
        number = subject.id_number.upper()  # the hash at the end is over what is sent here
        payload = {
            "out_seq_no": out_seq_no,
            "cert_info": {"cert_type": CERT_TYPE, "cert_name": subject.name, "cert_no": number},
            "openid": subject.open_id,
        }
        answer = load_answer(VerifyIdSchema(), self._calls.post("/cityservice/face/identify/getverifyid", payload))
        return FaceStart(
            reference=answer["verify_id"],
            evidence=cert_hash(CERT_TYPE, subject.name, number),
            expires_in=timedelta(seconds=answer["expires_in"]),
            client_params={"verifyId": answer["verify_id"]},
        )

    def read_result(self, *, reference: str, out_seq_no: str, evidence: str, open_id: str) -> FaceResult:
        """Ask WeChat, the only one to believe: passed means errcode 0 and verify_ret 10000.

        Another person's hash, number or openid is an errcode, so a refusal and never a result.
        Raises: ProviderUnavailable, ProviderRefused.
        """
        _require_number(out_seq_no)
        payload = {"verify_id": reference, "out_seq_no": out_seq_no, "cert_hash": evidence, "openid": open_id}
        answer = load_answer(
            VerifyInfoSchema(), self._calls.post("/cityservice/face/identify/queryverifyinfo", payload)
        )
        verify_ret = answer.get("verify_ret", NOT_FINISHED)
        if verify_ret == PASSED:
            return FaceResult(FaceOutcome.PASSED)
        if verify_ret == NOT_FINISHED:
            return FaceResult(FaceOutcome.PENDING)
        return FaceResult(FaceOutcome.FAILED, reason=FAILURES.get(verify_ret, OTHER_FAILURE))


def cert_hash(cert_type: str, cert_name: str, cert_no: str) -> str:
    """Hex SHA-256 over the three fields, each in standard base64 of its UTF-8, without URL encoding.

    Source: MP /platform-capabilities/cityservice/face2/api_getfaceidentifyimage.
    """
    fields = {"cert_type": cert_type, "cert_name": cert_name, "cert_no": cert_no}
    text = "&".join(f"{name}={b64encode(value.encode()).decode()}" for name, value in fields.items())
    return hashlib.sha256(text.encode()).hexdigest()


def _require_number(out_seq_no: str) -> None:
    if _OUT_SEQ_NO.fullmatch(out_seq_no) is None:
        raise ProviderRefused("invalid_number", "out_seq_no is 5 to 32 of 0-9A-Za-z_-")
