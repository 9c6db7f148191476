"""Errors of the gateway: code, msg, sub_code, sub_msg, at HTTP 200 (protocol section 2)."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.alipay.wire import node_text
from sandbox.exchange import Answer, Refusal

MESSAGES: Mapping[str, str] = {
    "10000": "Success",
    "20000": "Service Currently Unavailable",
    "20001": "Insufficient Token Permissions",
    "40001": "Missing Required Arguments",
    "40002": "Invalid Arguments",
    "40003": "Insufficient Conditions",
    "40004": "Business Failed",
    "40005": "Call Limited",
    "40006": "Insufficient Permissions",
}
MISSING, INVALID, CONDITION, BUSINESS, TOKEN = "40001", "40002", "40003", "40004", "20001"


@dataclass(frozen=True)
class NodeAnswer(Answer):
    """An answer whose body is the value of its root node, in UTF-8: named, signed and wrapped when it leaves."""

    under_error: bool = False
    signed: bool = True


class GatewayError(Refusal):
    """A refusal of the gateway or of one of its services.

    `unsigned`: there is no key to choose. `under_error`: it comes as `error_response`, whatever was asked.
    """

    def __init__(
        self, code: str, sub_code: str, sub_msg: str, *, unsigned: bool = False, under_error: bool = False
    ) -> None:
        super().__init__(error_answer(code, sub_code, sub_msg, signed=not unsigned, under_error=under_error))
        self.sub_code = sub_code


def error_answer(code: str, sub_code: str, sub_msg: str, *, signed: bool = True, under_error: bool = False) -> Answer:
    """The node of an error."""
    node = {"code": code, "msg": MESSAGES.get(code, "Error"), "sub_code": sub_code, "sub_msg": sub_msg}
    return NodeAnswer(200, node_text(node).encode(), headers(), under_error, signed)


def trade_error(name: str, sub_msg: str) -> GatewayError:
    """A refusal of the payment services."""
    return GatewayError(BUSINESS, f"ACQ.{name}", sub_msg)


def bad_argument(field: str) -> GatewayError:
    """A field of a payment call that cannot be used."""
    return trade_error("INVALID_PARAMETER", f"参数有误: {field}")


def headers(charset: str = "utf-8") -> dict[str, str]:
    """JSON under the name of HTML, and the id that the platform's support asks for."""
    return {"Content-Type": f"text/html;charset={charset}", "trace_id": secrets.token_hex(15)}


def success(**fields: Any) -> dict[str, Any]:
    """The node of a call that worked."""
    return {"code": "10000", "msg": MESSAGES["10000"], **fields}
