"""A refund that did not arrive is sent elsewhere: to a bank card of the payer, or to the merchant's own account.

Card and name come encrypted for the platform's key that Wechatpay-Serial names (protocol sections 4.3 and 4.6).
"""

import re
from collections.abc import Mapping
from typing import Any

from sandbox import faults
from sandbox.context import Sandbox
from sandbox.crypto import unseal_field
from sandbox.faults import ABNORMAL_TARGET, OUTCOME_KINDS
from sandbox.keys import Merchant
from sandbox.store import Row, Tx, first
from sandbox.wechat_pay import refunds
from sandbox.wechat_pay.console import PUBLIC_KEY, named_signer
from sandbox.wechat_pay.errors import PayError, bad_parameter
from sandbox.wechat_pay.fields import BANKS, TO_USER

CARD_NUMBER = re.compile(r"[0-9]{12,19}")
LONGEST_NAME = 50
CARD_FIELDS = ("bank_type", "bank_account", "real_name")


def apply(
    sandbox: Sandbox, merchant: Merchant, refund_id: str, body: Mapping[str, Any], serial: str | None
) -> dict[str, Any]:
    """Send it there; what is on its way there already is told as it is. Raises: PayError."""
    account = _account(sandbox, merchant, body, serial)
    with sandbox.store.transaction() as tx:
        refund = _find(tx, merchant, refund_id, body["out_refund_no"])
        if refund["state"] == "PROCESSING" and refund["account"] == account:
            return refunds.describe(refund)
        if refund["state"] != "ABNORMAL":
            raise PayError(400, "INVALID_REQUEST", "退款单状态不是退款异常")
        sent = _send(tx, sandbox, merchant, refund, account)
    # Raised after the commit: the scripted turn is used up although nothing was accepted.
    if isinstance(sent, PayError):
        raise sent
    sandbox.wake()
    return refunds.describe(sent)


def _find(tx: Tx, merchant: Merchant, refund_id: str, out_refund_no: str) -> Row:
    refund = first(tx, "select * from refunds where mchid = ? and refund_id = ?", (merchant.number, refund_id))
    if refund is None or refund["out_refund_no"] != out_refund_no:
        raise PayError(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
    return refund


def _send(tx: Tx, sandbox: Sandbox, merchant: Merchant, refund: Row, account: str) -> Row | PayError:
    facts = {"out_refund_no": refund["out_refund_no"], "merchant": merchant.name, "mchid": merchant.number}
    outcome = faults.take(tx, ABNORMAL_TARGET, facts, OUTCOME_KINDS)
    kind = "" if outcome is None else outcome.kind
    if kind in refunds.DECLINED:
        return PayError(403, *refunds.DECLINED[kind])
    settle_at = None if kind == "processing" else sandbox.clock.now() + sandbox.settings.settle_delay
    tx.execute(
        "update refunds set state = 'PROCESSING', outcome = ?, settle_at = ?, settled_at = null, account = ? "
        "where refund_id = ?",
        (refunds.OUTCOMES.get(kind, "SUCCESS"), settle_at, account, refund["refund_id"]),
    )
    return _find(tx, merchant, refund["refund_id"], refund["out_refund_no"])


def _account(sandbox: Sandbox, merchant: Merchant, body: Mapping[str, Any], serial: str | None) -> str:
    """Where it goes to, in the platform's words: the bank and the last four digits. Raises: PayError."""
    if body["type"] != TO_USER:
        return "商户结算银行账户"
    for name in CARD_FIELDS:
        if name not in body:
            raise bad_parameter(f"/{name}", None, "退款至用户银行卡时必填")
    number, name = (_opened(sandbox, merchant, field, body[field], serial) for field in CARD_FIELDS[1:])
    if CARD_NUMBER.fullmatch(number) is None:
        raise bad_parameter("/bank_account", body["bank_account"], "银行卡号格式错误")
    if not 0 < len(name) <= LONGEST_NAME:
        raise bad_parameter("/real_name", body["real_name"], "收款用户姓名格式错误")
    return f"{BANKS[body['bank_type']]}借记卡{number[-4:]}"


def _opened(sandbox: Sandbox, merchant: Merchant, field: str, sealed: str, serial: str | None) -> str:
    """Raises: PayError."""
    name = PUBLIC_KEY if serial == merchant.public_key_id else serial
    signer = None if name is None else named_signer(sandbox, merchant, name)
    if signer is None:
        issue = "敏感字段需携带加密所用的公钥ID或平台证书序列号"
        raise bad_parameter("Wechatpay-Serial", serial, issue, location="header")
    text = unseal_field(signer.key, sealed)
    if text is None:
        raise bad_parameter(f"/{field}", sealed, "敏感字段解密失败")
    return text
