"""Alipay's identity check by face, which opens as a page inside Alipay (alipay.md 6.1)."""

from __future__ import annotations

import re
from datetime import timedelta

from core.ports import FaceOutcome, FaceResult, FaceStart, FaceSubject, ProviderRefused, ProviderUnavailable
from integrations.alipay._client import AlipayClient, Clock
from integrations.alipay._schemas import CertifyResultSchema, CertifyStartSchema
from integrations.alipay._signing import utc_now
from integrations.alipay.config import AlipayAccount, require_url
from integrations.answers import load_answer
from integrations.transport import DEFAULT_TIMEOUTS, Timeouts

BIZ_CODE = "FACE"
LIFE = timedelta(hours=23)
"""Of one certify_id; afterwards a query says CERTIFY_ID_EXPIRED."""

CERT_TYPES = {
    "resident_id": "IDENTITY_CARD",
    "hmt_residence_permit": "RESIDENCE_PERMIT_HK_MC",
    "hk_macao_permit": "HOME_VISIT_PERMIT_HK_MC",
    "taiwan_permit": "HOME_VISIT_PERMIT_TAIWAN",
    "foreign_permanent_resident": "PERMANENT_RESIDENCE_FOREIGNER",
}
RESIDENCE_PERMITS = {
    "81": "RESIDENCE_PERMIT_HK_MC",
    "82": "RESIDENCE_PERMIT_HK_MC",
    "83": "RESIDENCE_PERMIT_TAIWAN",
}
"""By the first two digits of the permit's number: Hong Kong, Macao, Taiwan."""

OTHER_FAILURE = "other"
"""Alipay tells why in words for people, which may be about the person: they are not passed on."""

ENDED_CODES = {"CERTIFY_ID_EXPIRED": "expired", "UNABLE_GET_IMAGE": "face_unreadable"}

_OUTER_ORDER_NO = re.compile(r"[0-9A-Za-z]{1,32}")


class AlipayFaceVerifier:
    """Port FaceVerifier. `return_url` is where Alipay's page sends people back to; it decides nothing."""

    method = "alipay_face"
    accepted_id_types = frozenset(CERT_TYPES)

    def __init__(
        self,
        account: AlipayAccount,
        *,
        return_url: str,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Clock = utc_now,
    ) -> None:
        self.app = account.app
        self._return_url = require_url("return_url", return_url)
        self._client = AlipayClient(account, timeouts=timeouts, clock=clock)

    def start(self, *, out_seq_no: str, subject: FaceSubject) -> FaceStart:
        """Open a verification; `client_params` go into my.startAPVerify.

        Alipay binds it to the person and not to who holds the phone: `open_id` is not sent.
        Raises: ProviderUnavailable, ProviderRefused (`unsupported_id_type`, `invalid_number`: refused by us, unsent).
        """
        number = subject.id_number.upper()
        asked = {
            "outer_order_no": _order_number(out_seq_no),
            "biz_code": BIZ_CODE,
            "identity_param": {
                "identity_type": "CERT_INFO",
                "cert_type": _cert_type(subject.id_type, number),
                "cert_name": subject.name,
                "cert_no": number,
            },
            "merchant_config": {"return_url": self._return_url},
        }
        told = self._client.call("alipay.user.certify.open.initialize", asked)
        certify_id = load_answer(CertifyStartSchema(), told)["certify_id"]
        page = self._client.page_url(
            "alipay.user.certify.open.certify", {"certify_id": certify_id}, return_url=self._return_url
        )
        return FaceStart(
            reference=certify_id,
            evidence="",
            expires_in=LIFE,
            client_params={"certifyId": certify_id, "url": page},
        )

    def read_result(self, *, reference: str, out_seq_no: str, evidence: str, open_id: str) -> FaceResult:
        """Ask Alipay, the only one to believe. The certify_id is all that it wants to hear.

        Not passed and no reason means that nobody has tried yet. Raises: ProviderUnavailable, ProviderRefused.
        """
        try:
            told = self._client.call("alipay.user.certify.open.query", {"certify_id": reference})
        except ProviderRefused as refusal:
            if refusal.code in ENDED_CODES:
                return FaceResult(FaceOutcome.FAILED, reason=ENDED_CODES[refusal.code])
            raise
        answer = load_answer(CertifyResultSchema(), told)
        if answer.get("certify_id", reference) != reference:
            raise ProviderUnavailable("answer is about another verification")
        if answer["passed"] == "T":
            return FaceResult(FaceOutcome.PASSED)
        if "fail_reason" in answer:
            return FaceResult(FaceOutcome.FAILED, reason=OTHER_FAILURE)
        return FaceResult(FaceOutcome.PENDING)


def _cert_type(id_type: str, number: str) -> str:
    kind = CERT_TYPES.get(id_type)
    if id_type == "hmt_residence_permit":
        kind = RESIDENCE_PERMITS.get(number[:2])
    if kind is None:
        raise ProviderRefused("unsupported_id_type")
    return kind


def _order_number(out_seq_no: str) -> str:
    if _OUTER_ORDER_NO.fullmatch(out_seq_no) is None:
        raise ProviderRefused("invalid_number", "outer_order_no is 1 to 32 of 0-9A-Za-z")
    return out_seq_no
