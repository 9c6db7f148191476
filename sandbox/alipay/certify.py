"""The real-name check by face: `alipay.user.certify.open.*` (protocol section 6.1).

Initialize gives a number, certify is a page the person opens, query tells how it ended. Nothing has happened yet and
another face look alike in `passed`; only a failure has a `fail_reason`.
"""

import json
import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from sandbox.alipay.call import Call
from sandbox.alipay.errors import BUSINESS, GatewayError, success
from sandbox.alipay.wire import stamp
from sandbox.context import Sandbox
from sandbox.crypto import random_digits
from sandbox.phone import NotPossible
from sandbox.store import Row, first

LIFE = 23 * 3600
OUTER_ORDER_NO = re.compile(r"[0-9A-Za-z]{1,32}")
ID_NUMBER = re.compile(r"[0-9]{17}[0-9X]")
BIZ_CODES = frozenset({"FACE", "CERT_PHOTO", "CERT_PHOTO_FACE", "SMART_FACE"})
IDENTITY_TYPES = frozenset({"CERT_INFO", "AGENT_CERT_INFO"})
IDENTITY_CARD = "IDENTITY_CARD"
CERT_TYPES = frozenset(
    {
        IDENTITY_CARD,
        "HOME_VISIT_PERMIT_HK_MC",
        "HOME_VISIT_PERMIT_TAIWAN",
        "RESIDENCE_PERMIT_HK_MC",
        "RESIDENCE_PERMIT_TAIWAN",
        "PERMANENT_RESIDENCE_FOREIGNER",
    }
)
FAIL_REASON = "认证未通过，刷脸失败"


def initialize(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Begin a check. Raises: GatewayError ILLEGAL_ARGUMENT_FORMAT."""
    identity, config = _object(call, "identity_param"), _object(call, "merchant_config")
    order_no = _matching(call.content, "outer_order_no", OUTER_ORDER_NO)
    if call.content.get("biz_code") not in BIZ_CODES:
        raise _bad("biz_code")
    name = _check_identity(identity)
    if not isinstance(config.get("return_url"), str) or not config["return_url"]:
        raise _bad("merchant_config.return_url")
    now = sandbox.clock.now()
    certify_id = f"OC{stamp(now)[:10].replace('-', '')}{random_digits(22)}"
    with sandbox.store.transaction() as tx:
        try:
            tx.execute(
                "insert into alipay_certifications (certify_id, app_id, outer_order_no, cert_name, return_url, "
                "created_at) values (?, ?, ?, ?, ?, ?)",
                (certify_id, call.account.app_id, order_no, name, config["return_url"], now),
            )
        except sqlite3.IntegrityError:
            raise _bad("outer_order_no") from None
    return success(certify_id=certify_id)


def open_page(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """The page call: where to send the browser. Raises: GatewayError."""
    row = _of(sandbox, call)
    if row["passed"] is not None:
        raise GatewayError(BUSINESS, "OPEN_CERTIFY_BILL_STATUS_ERROR", "认证单据状态异常")
    return {"location": f"/pages/face/{row['certify_id']}"}


def query(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Tell how a check ended. Raises: GatewayError."""
    row = _of(sandbox, call)
    answer = success(passed="T" if row["passed"] == "T" else "F", identity_info="", material_info="")
    return answer if row["fail_reason"] is None else {**answer, "fail_reason": row["fail_reason"]}


def describe(sandbox: Sandbox, certify_id: str) -> dict[str, Any] | None:
    """A check as its page shows it: `state` is pending, passed, failed or expired; None where there is none."""
    row = sandbox.store.one("select * from alipay_certifications where certify_id = ?", (certify_id,))
    if row is None:
        return None
    return {
        "certify_id": certify_id,
        "name": row["cert_name"],
        "return_url": row["return_url"],
        "state": _state(sandbox, row),
        "fail_reason": row["fail_reason"],
    }


def finish(sandbox: Sandbox, certify_id: str, *, passed: bool, fail_reason: str = FAIL_REASON) -> dict[str, Any]:
    """What happens before the camera. Raises: NotPossible."""
    with sandbox.store.transaction() as tx:
        row = first(tx, "select * from alipay_certifications where certify_id = ?", (certify_id,))
        if row is None:
            raise NotPossible("verification_not_found")
        match _state(sandbox, row):
            case "expired":
                raise NotPossible("verification_expired")
            case "passed" | "failed":
                raise NotPossible("verification_already_finished")
        tx.execute(
            "update alipay_certifications set passed = ?, fail_reason = ? where certify_id = ?",
            ("T" if passed else "F", None if passed else fail_reason, certify_id),
        )
    return {"certify_id": certify_id, "passed": "T" if passed else "F"}


def is_known(sandbox: Sandbox, certify_id: str) -> bool:
    """Tell whether a number is one of these checks."""
    return describe(sandbox, certify_id) is not None


def _state(sandbox: Sandbox, row: Row) -> str:
    if row["passed"] is not None:
        return "passed" if row["passed"] == "T" else "failed"
    return "expired" if sandbox.clock.now() - row["created_at"] >= LIFE else "pending"


def _of(sandbox: Sandbox, call: Call) -> Row:
    certify_id = call.text("certify_id")
    if certify_id is None:
        raise _bad("certify_id")
    row = sandbox.store.one(
        "select * from alipay_certifications where certify_id = ? and app_id = ?", (certify_id, call.account.app_id)
    )
    if row is None:
        raise GatewayError(BUSINESS, "OPEN_CERTIFY_BILL_NOT_EXIST", "认证单据不存在")
    if _state(sandbox, row) == "expired":
        raise GatewayError(BUSINESS, "CERTIFY_ID_EXPIRED", "认证单据已过期")
    return row


def _object(call: Call, name: str) -> dict[str, Any]:
    """An object, or the JSON text of one: the platform's own walkthrough sends texts, its schema says objects."""
    value = call.content.get(name)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise _bad(name) from None
    if not isinstance(value, dict):
        raise _bad(name)
    return value


def _check_identity(identity: Mapping[str, Any]) -> str:
    """Check who is to be recognised; returns the name with all but its first character covered."""
    if identity.get("identity_type") not in IDENTITY_TYPES:
        raise _bad("identity_param.identity_type")
    if identity.get("cert_type") not in CERT_TYPES:
        raise _bad("identity_param.cert_type")
    name, number = identity.get("cert_name"), identity.get("cert_no")
    if not isinstance(name, str) or not name:
        raise _bad("identity_param.cert_name")
    if not isinstance(number, str) or not number:
        raise _bad("identity_param.cert_no")
    if identity["cert_type"] == IDENTITY_CARD and ID_NUMBER.fullmatch(number) is None:
        raise _bad("identity_param.cert_no")
    return name[0] + "*" * (len(name) - 1)


def _matching(content: Mapping[str, Any], name: str, form: re.Pattern[str]) -> str:
    value = content.get(name)
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise _bad(name)
    return value


def _bad(field: str) -> GatewayError:
    return GatewayError(BUSINESS, "ILLEGAL_ARGUMENT_FORMAT", f"参数格式错误: {field}")
