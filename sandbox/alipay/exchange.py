"""Calls of the gateway: proved by the app's signature, answered as a signed root node (protocol section 1)."""

import html
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from flask import Response

from sandbox import exchange
from sandbox.alipay import admission
from sandbox.alipay.call import Call
from sandbox.alipay.console import Signer, signer_of
from sandbox.alipay.errors import INVALID, GatewayError, NodeAnswer, error_answer, headers
from sandbox.alipay.keys import Account
from sandbox.alipay.request import GatewayRequest
from sandbox.alipay.wire import encrypt, node_text
from sandbox.context import Sandbox
from sandbox.crypto import rsa_sign
from sandbox.exchange import Answer, Exchange, Refusal, Result, garble, text_or_none
from sandbox.faults import ALIPAY_CALL_KINDS, TRANSPORT_KINDS, Fault

#: What a scripted `brace` adds to an answer: unpaired braces and an escaped quote inside a value.
BRACE = r',"store_name":"约诊}门诊{{\"部"}'


@dataclass(frozen=True)
class Method:
    """A service of the gateway: its name in the log, the field that names a call there, and what it does."""

    operation: str
    number: str
    act: Callable[[Sandbox, Call], dict[str, Any]]


class GatewayExchange(Exchange[Call]):
    """A call of one account."""

    kinds = ALIPAY_CALL_KINDS

    def __init__(self, sandbox: Sandbox, request: GatewayRequest, method: Method | None) -> None:
        self.account: Account | None = sandbox.accounts.by_app_id(request.get("app_id"))
        content = admission.peek(self.account, request)
        number = None
        if method is not None:
            number = text_or_none(content.get(method.number)) or request.get(method.number) or None
        super().__init__(sandbox, "alipay.unknown" if method is None else method.operation, number, _facts(content))
        self.request = request
        self.method = method

    def run(self) -> Response:
        """Run the call and build the HTTP answer."""
        method = self.method
        return self.serve(lambda call: None if method is None else method.act(self.sandbox, call))

    def admit(self) -> Call:
        """Check the common parameters, the signature and the content. Raises: GatewayError."""
        account = admission.find_account(self.sandbox.accounts, self.request)
        admission.check_request(self.sandbox.accounts, account, self.request)
        if self.method is None:
            raise GatewayError(INVALID, "isv.invalid-method", "不存在的方法名", under_error=True)
        self.caller_name = account.name
        self.facts |= {
            "merchant": account.name,
            "mchid": account.seller_id,
            "app": account.app,
            "appid": account.app_id,
            "js_code": self.request.get("code") or None,
        }
        return admission.open_call(account, self.request)

    def success(self, result: Result) -> Answer:
        """The node, encrypted where the question was."""
        text = node_text(result)
        if self.request.is_encrypted and self.account is not None and self.account.aes_key is not None:
            text = f'"{encrypt(self.account.aes_key, text)}"'
        return NodeAnswer(200, text.encode(), headers())

    def failure(self, fault: Fault) -> Answer:
        """20000 or 40005, unless the script names another sub_code or a bare HTTP status."""
        limited = fault.kind == "rate_limited"
        if "status" in fault.params:
            return Answer(int(fault.params["status"]), b"<html><body>error</body></html>", headers())
        sub_code = str(fault.params.get("code", "isv.app-call-limited" if limited else "isp.unknow-error"))
        words = str(fault.params.get("message", "应用调用次数超限" if limited else "系统繁忙"))
        return error_answer(_code_of(sub_code), sub_code, words, signed=fault.kind != "unsigned_error")

    def before(self, fault: Fault | None) -> None:
        """An error without a signature comes before the deed, like the other."""
        if fault is not None and fault.kind == "unsigned_error":
            raise Refusal(self.failure(fault))
        super().before(fault)

    def sign(self, answer: Answer, fault: Fault | None) -> Answer:
        """Name the node, sign its bytes, and say which certificate it was."""
        if not isinstance(answer, NodeAnswer):
            return answer
        kind = None if fault is None else fault.kind
        codec, charset = self.request.codec or "utf-8", self.request.charset if self.request.codec else "utf-8"
        node = answer.body.decode().encode(codec)
        if kind == "brace" and node.endswith(b"}"):
            node = node[:-1] + BRACE.encode(codec)
        signed = self._signature(node, kind) if answer.signed else b""
        body = b'{"' + self._root(answer).encode() + b'":' + node + signed + b"}"
        return Answer(answer.status, body, {**answer.headers, "Content-Type": f"text/html;charset={charset}"})

    def garble(self, answer: Answer, *, resign: bool) -> Answer:
        """The whole answer on the way, or the node before it is signed."""
        if not resign or not isinstance(answer, NodeAnswer) or self.account is None:
            signed = self.sign(answer, None)
            return replace(signed, body=garble(signed.body))
        node = garble(answer.body)
        body = b'{"' + self._root(answer).encode() + b'":' + node + self._signature(node, None) + b"}"
        return Answer(answer.status, body, answer.headers)

    def _root(self, answer: NodeAnswer) -> str:
        name = self.request.get("method")
        if answer.under_error or not name:
            return "error_response"
        return "".join(letter if letter.isalnum() else "_" for letter in name) + "_response"

    def _signature(self, node: bytes, kind: str | None) -> bytes:
        if self.account is None or kind == "unsigned":
            return b""
        signer: Signer = signer_of(self.sandbox, self.account)
        key = self.sandbox.keys.stranger if kind == "forged" else signer.key
        signature = rsa_sign(key, node + b" " if kind == "bad_signature" else node)
        cert_sn = signer.cert_sn
        if cert_sn is not None and kind == "unknown_serial":
            cert_sn = secrets.token_hex(16)
        named = b"" if cert_sn is None else b',"alipay_cert_sn":"' + cert_sn.encode() + b'"'
        return named + b',"sign":"' + signature.encode() + b'"'


class PageExchange(GatewayExchange):
    """A call that a browser makes by a signed address: it leads on, or shows a page with the error."""

    kinds = TRANSPORT_KINDS

    def success(self, result: Result) -> Answer:
        """On to the page."""
        return Answer(302, b"", {**headers(), "Location": str((result or {})["location"])})

    def sign(self, answer: Answer, fault: Fault | None) -> Answer:
        """A page is not signed."""
        if not isinstance(answer, NodeAnswer):
            return answer
        shown = html.escape(answer.body.decode())
        page = f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>error</title><pre>{shown}</pre></html>'
        return Answer(200, page.encode(), headers())

    def garble(self, answer: Answer, *, resign: bool) -> Answer:
        """There is nothing to sign again."""
        return exchange.Exchange.garble(self, answer, resign=resign)


def _facts(content: dict[str, Any]) -> dict[str, str | None]:
    """What a fault may match, under the names that both wallets share."""
    names = {
        "out_trade_no": "out_trade_no",
        "out_refund_no": "out_request_no",
        "transaction_id": "trade_no",
        "out_seq_no": "outer_order_no",
        "verify_id": "certify_id",
        "openid": "buyer_open_id",
    }
    return {name: text_or_none(content.get(field)) for name, field in names.items()}


def _code_of(sub_code: str) -> str:
    """The code that goes with a sub_code, as far as its first words tell; services answer 40004."""
    codes = {"isp.": "20000", "aop.unknow": "20000", "aop.": "20001", "isv.missing": "40001", "isv.": "40002"}
    codes = {"isv.app-call": "40005", "isv.method-call": "40005", "isv.insufficient": "40006", **codes}
    return next((code for start, code in codes.items() if sub_code.startswith(start)), "40004")
