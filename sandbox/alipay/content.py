"""What the content of a payment call may hold (protocol sections 7.1 and 7.6). What is not known is passed over."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sandbox.alipay.call import Call
from sandbox.alipay.errors import bad_argument, trade_error
from sandbox.alipay.wire import fen_of, instant_of
from sandbox.clock import CHINA

PRODUCT, PAGE_PRODUCT = "JSAPI_PAY", "QUICK_WAP_WAY"
DEFAULT_TERM = 15 * 86400
OUT_TRADE_NO = re.compile(r"[0-9A-Za-z_]{1,64}")
SUBJECT = re.compile(r"[^/=&]{1,256}")
TIMEOUT = re.compile(r"([1-9][0-9]*)([mhd])")
UNITS = {"m": 60, "h": 3600, "d": 86400}
PAYERS = ("buyer_open_id", "buyer_id", "op_buyer_open_id")


def read_order(call: Call) -> dict[str, Any]:
    """The content of a create call; `content` is what a repetition must agree with. Raises: GatewayError."""
    content = call.content
    if content.get("product_code") != PRODUCT:
        raise trade_error("PRODUCT_NOT_SUPPORT_IN_TINY_APP", "小程序不支持该产品")
    if call.text("op_app_id") is None:
        raise bad_argument("op_app_id")
    if content["op_app_id"] != call.account.op_app_id:
        raise trade_error("UNBOUND_APPLICATION", "小程序未与商户绑定")
    return {**_read_plain(call), "payer": _payer(content)}


def read_page_order(call: Call) -> dict[str, Any]:
    """The content of a page call, which names no payer. Raises: GatewayError."""
    if call.content.get("product_code") != PAGE_PRODUCT:
        raise bad_argument("product_code")
    if call.text("quit_url") is None:
        raise bad_argument("quit_url")
    if any(name in call.content for name in PAYERS):
        raise bad_argument("buyer")
    return _read_plain(call)


def _read_plain(call: Call) -> dict[str, Any]:
    content = call.content
    if content.get("seller_id", call.account.seller_id) != call.account.seller_id:
        raise trade_error("SELLER_NOT_EXIST", "卖家不存在")
    if not _can_be_told(call.request.get("notify_url")):
        raise bad_argument("notify_url")
    amount = fen_of(content.get("total_amount"))
    if amount is None:
        raise bad_argument("total_amount")
    return {
        "out_trade_no": _matching(content, "out_trade_no", OUT_TRADE_NO),
        "subject": _matching(content, "subject", SUBJECT),
        "body": _text(content, "body", 128),
        "passback_params": _text(content, "passback_params", 512),
        "amount_fen": amount,
        "content": {name: value for name, value in content.items() if name not in PAYERS},
    }


def read_term(content: Mapping[str, Any], now: float) -> float:
    """When an unpaid trade ends: the instant wins over the span. Raises: GatewayError."""
    if "time_expire" in content:
        ends = instant_of(content["time_expire"])
        if ends is None:
            raise bad_argument("time_expire")
        if ends <= now:
            raise trade_error("NOW_TIME_AFTER_EXPIRE_TIME_ERROR", "当前时间已超过允许支付的时间")
        return ends
    span = content.get("timeout_express")
    if span is None:
        return now + DEFAULT_TERM
    if span == "1c":
        midnight = datetime.fromtimestamp(now, CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
        return (midnight + timedelta(days=1)).timestamp()
    found = TIMEOUT.fullmatch(span) if isinstance(span, str) else None
    seconds = 0 if found is None else int(found[1]) * UNITS[found[2]]
    if not 60 <= seconds <= DEFAULT_TERM:
        raise bad_argument("timeout_express")
    return now + seconds


def read_refund_amount(call: Call) -> int:
    """What is to be returned. Raises: GatewayError."""
    amount = fen_of(call.content.get("refund_amount"))
    if amount is None:
        raise bad_argument("refund_amount")
    return amount


def read_request_no(call: Call) -> str | None:
    """The number of a refund within its trade; None where none is given. Raises: GatewayError."""
    return None if "out_request_no" not in call.content else _matching(call.content, "out_request_no", OUT_TRADE_NO)


def _payer(content: Mapping[str, Any]) -> tuple[str, str]:
    given = [name for name in PAYERS if name in content]
    if len(given) != 1:
        raise bad_argument("buyer_id、buyer_open_id、op_buyer_open_id必须且只能传一个")
    value = content[given[0]]
    if not isinstance(value, str) or not value:
        raise bad_argument(given[0])
    return given[0], value


def _matching(content: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str:
    value = content.get(name)
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise bad_argument(name)
    return value


def _can_be_told(url: str) -> bool:
    """An address without a query, or none at all."""
    return not url or (url.startswith(("https://", "http://")) and not {"?", "#"} & set(url))


def _text(content: Mapping[str, Any], name: str, most: int) -> str | None:
    value = content.get(name)
    if value is not None and not (isinstance(value, str) and 0 < len(value) <= most):
        raise bad_argument(name)
    return value
