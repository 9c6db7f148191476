"""Calls of api.weixin.qq.com: HTTP 200 also for errors, `errcode` with a rid (protocol section 0)."""

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from flask import request

from sandbox.context import Sandbox
from sandbox.exchange import Answer, Exchange, Refusal, Result, compact_json, read_object, text_or_none
from sandbox.faults import Fault
from sandbox.keys import App

#: The platform names the charset in a parameter of its own making, and some interfaces answer as plain text.
JSON_TYPE = "application/json; encoding=utf-8"
PLAIN_TYPE = "text/plain"

SYSTEM_BUSY = -1
MESSAGES: Mapping[int, str] = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40013: "invalid appid",
    40015: "invalid menu type",
    40016: "invalid button size",
    40017: "invalid button type",
    40018: "invalid button name size",
    40019: "invalid button key size",
    40020: "invalid button url size",
    40022: "invalid sub button level",
    40023: "invalid sub button size",
    40024: "invalid sub button type",
    40025: "invalid sub button name size",
    40026: "invalid sub button key size",
    40027: "invalid sub button url size",
    40029: "invalid code",
    40052: "invalid action name",
    40053: "invalid action info",
    40054: "invalid sub button url domain",
    40055: "invalid button url domain",
    40066: "invalid url",
    40097: "invalid args",
    40125: "invalid appsecret",
    40163: "code been used",
    40165: "invalid weapp pagepath",
    40212: "invalid query",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41008: "missing code",
    41009: "missing openid",
    42001: "access_token expired",
    43001: "require GET method",
    43002: "require POST method",
    44002: "empty post data",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    45064: "no permission to use weapp in menu",
    46003: "menu no exist",
    47001: "data format error",
    48001: "api unauthorized",
    65316: "menu can redirect to at most 3 external domains",
    84001: "invalid verify_id",
    84006: "name or id empty",
    84011: "out_seq_no used",
    84012: "out_seq_no mismatch",
    84013: "cert_hash mismatch",
    84014: "openid mismatch",
    85401: "expire time out of range",
    10060001: "支付单不存在",
    10060003: "支付单已使用重新发货机会",
    10060004: "支付单处于不可发货的状态",
    10060005: "物流类型有误",
    10060006: "非快递发货时不允许分拆发货",
    10060007: "分拆发货模式下必须填写 is_all_delivered 字段",
    10060008: "商品描述 item_desc 字段不能为空",
    10060009: "商品描述 item_desc 字段太长",
    10060023: "发货信息未更新",
    10060031: "该笔支付单不属于 openid 所指定的用户",
    268485194: "订单单号类型非法",
    268485195: "微信支付单号形式时 transaction_id 字段不能为空",
    268485196: "商户侧单号形式时 mchid 字段不能为空",
    268485197: "商户侧单号形式时 out_trade_no 字段不能为空",
    268485216: "上传时间非法，请按照 RFC 3339 格式填写",
    268485224: "发货模式非法",
    268485226: "物流单号不能为空",
    268485227: "物流公司编码不能为空",
    268485228: "统一发货模式下，物流信息列表长度必须为1",
}


class ApiError(Refusal):
    """An error of api.weixin.qq.com: HTTP 200, errcode, errmsg, rid."""

    def __init__(self, errcode: int, hint: str | None = None) -> None:
        message = MESSAGES.get(errcode, "error") if hint is None else f"{MESSAGES.get(errcode, 'error')}: {hint}"
        super().__init__(error_answer(errcode, message))
        self.errcode = errcode


def error_answer(errcode: int, message: str) -> Answer:
    """An error with the rid that the platform's support asks for."""
    rid = f"{int(time.time()):08x}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"
    return Answer(
        200, compact_json({"errcode": errcode, "errmsg": f"{message}, rid: {rid}"}), {"Content-Type": JSON_TYPE}
    )


class ApiExchange(Exchange[App]):
    """A call whose caller proves itself by appid and secret, or by an access token."""

    def __init__(self, sandbox: Sandbox, operation: str, number: str | None, content_type: str = JSON_TYPE) -> None:
        body = read_object(request.get_data())
        facts = {name: text_or_none(body.get(name)) for name in ("appid", "openid", "out_seq_no", "verify_id")}
        facts |= {name: request.args[name] for name in ("appid", "js_code") if name in request.args}
        super().__init__(sandbox, operation, number, facts)
        self.content_type = content_type

    def success(self, result: Result) -> Answer:
        """Values as they are; read calls leave errcode out (section 0)."""
        return Answer(200, compact_json(result or {}), {"Content-Type": self.content_type})

    def failure(self, fault: Fault) -> Answer:
        """-1 or 45011 at HTTP 200, unless the script names another errcode or a bare HTTP status."""
        status = int(fault.params.get("status", 200))
        if status != 200:
            return Answer(status, b"<html><body>error</body></html>", {"Content-Type": "text/html"})
        errcode = int(fault.params.get("code", 45011 if fault.kind == "rate_limited" else SYSTEM_BUSY))
        return error_answer(errcode, str(fault.params.get("message", MESSAGES.get(errcode, "error"))))

    def remember(self, app: App) -> App:
        """Note whom the call is made for."""
        self.caller_name = app.name
        self.facts |= {"app": app.name, "appid": app.appid}
        return app


class AppExchange(ApiExchange):
    """Proved by appid and secret, in the query or in a JSON body."""

    def __init__(
        self,
        sandbox: Sandbox,
        operation: str,
        number: str | None,
        given: Mapping[str, object],
        content_type: str = JSON_TYPE,
    ) -> None:
        super().__init__(sandbox, operation, number, content_type)
        self._given = given

    def admit(self) -> App:
        """Raises: ApiError 41002, 41004, 40013, 40125."""
        appid, secret = self._given.get("appid"), self._given.get("secret")
        if not isinstance(appid, str) or not appid:
            raise ApiError(41002)
        if not isinstance(secret, str) or not secret:
            raise ApiError(41004)
        app = self.find(appid)
        if app is None:
            raise ApiError(40013)
        if not secrets.compare_digest(app.secret.encode(), secret.encode()):
            raise ApiError(40125)
        return self.remember(app)

    def find(self, appid: str) -> App | None:
        """The account of this appid."""
        return self.sandbox.keys.app(appid)


def json_body() -> dict[str, Any]:
    """The JSON object of a POST. Raises: ApiError 44002, 41002 for a form, 47001."""
    raw = request.get_data()
    if not raw:
        raise ApiError(44002)
    if request.mimetype == "application/x-www-form-urlencoded":
        # A form is read as a body without fields (section 0.1), whatever it holds.
        raise ApiError(41002)
    try:
        body = json.loads(raw)
        compact_json(body)  # refuses half a surrogate pair
    except (ValueError, RecursionError):
        raise ApiError(47001) from None
    if not isinstance(body, dict):
        raise ApiError(47001)
    return body
