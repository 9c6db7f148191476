"""Calls of api.mch.weixin.qq.com: proved by the merchant's signature, answered with the platform's (section 4)."""

from collections.abc import Mapping
from dataclasses import replace

from flask import request

from sandbox.clock import real_now
from sandbox.context import Sandbox
from sandbox.exchange import Answer, Exchange, Result, compact_json
from sandbox.faults import SIGNATURE_KINDS, TRANSPORT_KINDS, Fault
from sandbox.keys import Merchant
from sandbox.server import RAW_TARGET
from sandbox.wechat_pay.console import Signer, answer_signer
from sandbox.wechat_pay.errors import FREQUENT, JSON_TYPE, OK, PayError, error_answer, request_id
from sandbox.wechat_pay.parties import Party, addressed
from sandbox.wechat_pay.signing import Sent, identify, signature_headers, use_nonce


class PayExchange(Exchange[Merchant]):
    """A call about one merchant's money. Where a partner has to name its sub-merchant, `facts` has the `sub_mchid`."""

    def __init__(
        self,
        sandbox: Sandbox,
        operation: str,
        number: str | None,
        facts: Mapping[str, str | None],
        party: Party = Party.EITHER,
    ) -> None:
        super().__init__(sandbox, operation, number, facts)
        self._party = party
        self._signer: Signer | None = None

    def admit(self) -> Merchant:
        """Check the fixed headers, the signature and the nonce, and whom it is about. Raises: PayError."""
        _check_headers()
        now = real_now()
        target = str(request.environ[RAW_TARGET])
        sent = Sent(request.headers.get("Authorization", ""), request.method, target, request.get_data())
        caller, given = identify(self.sandbox.keys, sent, now)
        signer = answer_signer(self.sandbox, caller, request.headers.get("Wechatpay-Serial"))
        with self.sandbox.store.transaction() as tx:
            use_nonce(tx, given, now)
        self._signer = signer
        merchant = addressed(self.sandbox.keys, caller, self._party, self.facts.get("sub_mchid"))
        self.caller_name = merchant.name
        self.facts |= {"merchant": merchant.name, "mchid": merchant.number}
        return merchant

    def success(self, result: Result) -> Answer:
        """200 with the result, or 204 where there is nothing to say; both will be signed."""
        headers = {"Request-ID": request_id(OK)}
        if result is None:
            return Answer(204, b"", headers)
        return Answer(200, compact_json(result), {**headers, "Content-Type": JSON_TYPE})

    def failure(self, fault: Fault) -> Answer:
        """500 SYSTEM_ERROR or 429 FREQUENCY_LIMITED, unless the script names another."""
        limited = fault.kind == "rate_limited"
        answer = error_answer(
            int(fault.params.get("status", 429 if limited else 500)),
            str(fault.params.get("code", "FREQUENCY_LIMITED" if limited else "SYSTEM_ERROR")),
            str(fault.params.get("message", "频率超限" if limited else "系统异常, 请稍后重试")),
            FREQUENT if limited else 268435462,
        )
        if "retry_after" in fault.params:
            return replace(answer, headers={**answer.headers, "Retry-After": str(fault.params["retry_after"])})
        return answer

    def sign(self, answer: Answer, fault: Fault | None) -> Answer:
        """Sign 2xx; leave 4xx and 5xx unsigned (section 4.2)."""
        if not 200 <= answer.status < 300 or self._signer is None:
            return answer
        spoilt = fault if fault is not None and fault.kind in SIGNATURE_KINDS else None
        signed = signature_headers(self.sandbox.keys, self._signer, answer.body, spoilt)
        return replace(answer, headers={**answer.headers, **signed})


class FileExchange(PayExchange):
    """A call that gives a file: nothing proves it but what it hashes to, which was told before."""

    kinds = TRANSPORT_KINDS

    def success(self, result: Result) -> Answer:
        """The bytes alone."""
        headers = {"Content-Type": "application/octet-stream", "Request-ID": request_id(OK)}
        return Answer(200, (result or {})["file"], headers)

    def sign(self, answer: Answer, fault: Fault | None) -> Answer:
        """A file is not signed (section 4.2)."""
        return answer


def _check_headers() -> None:
    accepted = request.headers.get("Accept", "")
    if not any(kind in accepted for kind in ("application/json", "application/*", "*/*")):
        raise PayError(406, "PARAM_ERROR", "Http头缺少Accept或不支持")
    if not request.headers.get("User-Agent"):
        raise PayError(400, "PARAM_ERROR", "Http头缺少User-Agent")
    if request.method == "POST" and request.mimetype != "application/json":
        raise PayError(400, "PARAM_ERROR", "Http头Content-Type应为application/json")
