"""Alipay's end of the wire, played by alipay-sdk, which is Alipay's own and knows nothing of us.

It has no check of a request: it makes the same request, and PKCS#1 v1.5 leaves one signature only that can be right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from alipay_side import AES_KEY, APP_ID, NUMBER, REFUND_NUMBER, as_alipay_writes
from answering import Asked, Told
from node.sdk import Refused, Sdk

MOST_SKEW = timedelta(minutes=5)
INVALID_SIGNATURE = {
    "code": "40002",
    "msg": "Invalid Arguments",
    "sub_code": "isv.invalid-signature",
    "sub_msg": "验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配",
}

ODD = '挂号费 “内科”　"初诊"\\复诊 100% +<a>\'é\u2028😀…{}'
TRADE_NO = "2026112022001400000000000001"
TRADE = {"out_trade_no": NUMBER, "trade_no": TRADE_NO}
CONTENTS: dict[str, Any] = {
    "alipay.trade.create": TRADE,
    "alipay.trade.query": TRADE
    | {
        "buyer_logon_id": "138****0000",
        "fund_bill_list": [{"amount": "50.05", "fund_channel": "BANKCARD", "fund_type": "DEBIT_CARD"}],
        "ext_infos": as_alipay_writes({"url": "https://example.cn/a?b=c", "text": ODD, "inside": {"more": [1, "}"]}}),
        "send_pay_date": "2026-11-20 10:29:55",
        "subject": ODD,
        "total_amount": "50.05",
        "trade_status": "TRADE_SUCCESS",
    },
    "alipay.trade.close": TRADE,
    "alipay.trade.refund": TRADE | {"fund_change": "Y", "refund_fee": "20.00", "store_name": ODD},
    "alipay.trade.fastpay.refund.query": TRADE
    | {
        "out_request_no": REFUND_NUMBER,
        "refund_amount": "20.00",
        "refund_status": "REFUND_SUCCESS",
        "deposit_back_info": {"has_deposit_back": "true", "dback_status": "S", "bank_ack_time": "2026-11-20 10:31:00"},
    },
    "alipay.system.oauth.token": {"access_token": "authusrB1", "open_id": "o/+=张", "expires_in": "31536000"},
    "alipay.user.certify.open.initialize": {"certify_id": "4a13ffed52c8449dbfeed62ffbe88fb4"},
}


@dataclass(frozen=True)
class Request:
    """What a merchant sent, merged as Alipay does."""

    query: dict[str, str]
    body: dict[str, str]

    @property
    def fields(self) -> dict[str, str]:
        return {**self.query, **self.body}

    @property
    def method(self) -> str:
        return self.fields["method"]


def node_of(method: str) -> str:
    return method.replace(".", "_") + "_response"


def read(asked: Asked) -> Request:
    body = dict(parse_qsl(asked.body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(asked.body)))
    assert not set(body) & set(asked.query), "a field stands twice"
    return Request(asked.query, body)


@dataclass
class Alipay:
    """Takes what `sdk` would have sent in the merchant's place, and answers with `contents`, by method, signed.

    `bend` changes an answer on its way.
    """

    sdk: Sdk
    signing_key: str = field(repr=False)
    contents: Mapping[str, Any]
    asked: list[Request] = field(default_factory=list)
    bend: Callable[[bytes], bytes] = field(default=lambda body: body)

    def take(self, asked: Asked) -> Told:
        """The whole gateway: to be served."""
        request = read(asked)
        self.asked.append(request)
        content = {"code": "10000", "msg": "Success"} | self.contents[request.method]
        body = self.answer(request.method, content if self.proves(request) else INVALID_SIGNATURE)
        headers = {"Content-Type": "text/html;charset=utf-8", "trace_id": "0b51f3aa17634567890123456e8c1"}
        return 200, headers, self.bend(body)

    def answer(self, method: str, content: Any, *, key: str = "") -> bytes:
        """Signed by another key where one is given."""
        text = as_alipay_writes(content)
        body: str = self.sdk("answer", signing_key=key or self.signing_key, node=node_of(method), content=text)
        return body.encode()

    def believes(self, method: str, body: bytes) -> bool:
        """Whether the SDK does."""
        try:
            self.sdk("believes", node=node_of(method), body=body.decode())
        except Refused:
            return False
        return True

    def proves(self, request: Request) -> bool:
        """Whether the SDK's own request is this one to the letter, made now, each field in its place."""
        made = self.sdk("remade", fields=request.fields)
        if made["fields"] != request.fields or set(made["inUrl"]) != set(request.query):
            return False
        stamp = datetime.fromisoformat(request.fields["timestamp"]).replace(tzinfo=ZoneInfo("Asia/Shanghai"))
        return abs(datetime.now(UTC) - stamp) < MOST_SKEW

    def form(self, fields: Mapping[str, str], *, key: str = "", with_type: bool = False) -> bytes:
        """A signed form as it is posted; with its `sign_type` signed too, as for the application gateway."""
        given = {"signing_key": key or self.signing_key, "fields": dict(fields), "withType": with_type}
        posted: str = self.sdk("form", **given)
        return posted.encode("ascii")

    def sealed(self, text: str, *, key: str = "") -> dict[str, str]:
        """What my.getPhoneNumber hands to the client."""
        handed: dict[str, str] = self.sdk("sealed", signing_key=key or self.signing_key, aes_key=AES_KEY, text=text)
        return handed

    def proves_text(self, text: str, sign: str, *, by: str) -> bool:
        """Whether the SDK takes a text as the word of the holder of a key."""
        keys = {"app_id": APP_ID, "private_key": self.sdk.keys["private_key"], "alipay_public_key": by}
        return bool(replace(self.sdk, keys=keys)("proves", text=text, sign=sign))
