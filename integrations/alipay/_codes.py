"""What Alipay's codes of failure mean for us (alipay.md 2, 5.2, 6.1, 7). They are compared to the letter: some are
misspelled for good.

What our own configuration or account causes is a refusal for now (docs/decisions/0013).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from core.ports import ProviderError, ProviderRefused, ProviderUnavailable

SUCCESS = "10000"
BUSY = "20000"
BUSINESS_FAILED = "40004"
TOO_OFTEN = frozenset({"isv.app-call-limited", "isv.method-call-limited", "40005"})


class _Means(Enum):
    UNKNOWN_OUTCOME = "it may have been done: ask, then repeat with the same numbers"
    LATER = "not done; the same may succeed later: slower, after topping up, or once our configuration is mended"
    NO = "not done"


GATEWAY_CODES = {
    "20001": _Means.LATER,
    "40001": _Means.LATER,
    "40002": _Means.NO,
    "40003": _Means.LATER,
    "40004": _Means.NO,
    "40005": _Means.LATER,
    "40006": _Means.LATER,
}
"""For a sub-code that is not listed, or none."""

_UNKNOWN_OUTCOME = """
    isp.unknow-error aop.unknow-error SYSTEM_ERROR ACQ.SYSTEM_ERROR AQC.SYSTEM_ERROR UNKNOWN_ERROR
"""

_LATER = """
    aop.invalid-auth-token aop.auth-token-time-out aop.invalid-app-auth-token aop.invalid-app-auth-token-no-api
    aop.app-auth-token-time-out aop.no-product-reg-by-partner
    isv.missing-method isv.missing-signature isv.missing-signature-type isv.missing-signature-key isv.missing-app-id
    isv.missing-timestamp isv.missing-version isv.missing-encrypt-key isv.decryption-error-missing-encrypt-type
    isv.invalid-method isv.invalid-format isv.invalid-signature-type isv.invalid-signature isv.invalid-encrypt-type
    isv.invalid-encrypt isv.invalid-app-id isv.invalid-timestamp isv.invalid-charset isv.invalid-digest
    isv.decryption-error-not-valid-encrypt-type isv.decryption-error-not-valid-encrypt-key isv.not-support-app-auth
    isv.invalid-content-type isv.forbidden-api isv.missing-signature-config isv.decryption-error-unknown
    isv.app-call-limited isv.method-call-limited isv.insufficient-isv-permissions isv.unmatched-app-id
    isv.app-cert-not-exist isv.alipay-cert-not-exist isv.missing-app-cert-sn isv.missing-alipay-root-cert-sn
    isv.invalid-alipay-root-cert-sn isv.app-cert-expired
    app-cert-not-exist alipay-cert-not-exist missing-app-cert-sn missing-alipay-root-cert-sn
    invalid-alipay-root-cert-sn app-cert-expired
    ARRANGEMENT_STATUS_ERROR NO_BILL_DATA BILL_NOT_EXIST
    ACQ.ACCESS_FORBIDDEN ACQ.PARTNER_ERROR ACQ.SELLER_BEEN_BLOCKED ACQ.SELLER_NOT_EXIST ACQ.INVALID_RECEIVE_ACCOUNT
    ACQ.ERROR_SELLER_CERTIFY_LEVEL_LIMIT ACQ.MERCHANT_STATUS_NOT_NORMAL ACQ.MERCHANT_PERM_RECEIPT_SUSPEND_LIMIT
    ACQ.MERCHANT_PERM_RECEIPT_SINGLE_LIMIT ACQ.MERCHANT_PERM_RECEIPT_DAY_LIMIT ACQ.INVALID_STORE_ID
    ACQ.STORE_INFO_INVALID ACQ.RISK_MERCHANT_IP_NOT_EXIST ACQ.BIZ_PRODUCT_NOT_ALLOWED ACQ.UNBOUND_APPLICATION
    ACQ.PRODUCT_NOT_SUPPORT_IN_TINY_APP ACQ.OPEN_ID_NOT_TINY_APP
    ACQ.SELLER_BALANCE_NOT_ENOUGH ACQ.TRADE_SETTLE_ERROR ACQ.REFUND_CHARGE_ERROR ACQ.OVERDRAFT_ASSIGN_ACCOUNT_INVALID
    ACQ.OVERDRAFT_AGREEMENT_NOT_MATCH ACQ.REFUNDALLOC_UNAUTH_LIMIT
"""

_NO = """
    isv.invalid-parameter isv.suspected-attack isv.upload-fail isv.invalid-file-extension isv.invalid-file-size
    isv.code-invalid isv.invalid-auth-relations isv.insufficient-user-permissions isv.grant-type-invalid
    isv.refresh-token-invalid isv.refresh-token-time-out isv.refreshed-token-invalid
    ILLEGAL_ARGUMENT_FORMAT CERTIFY_ID_EXPIRED OPEN_CERTIFY_BILL_NOT_EXIST OPEN_CERTIFY_BILL_STATUS_ERROR
    UNABLE_GET_IMAGE TRADE_NOT_EXIST INVAILID_ARGUMENTS BILL_DATE_BEFORE_REGISTRATION TYPE_NOT_SUPPORTED
    ACQ.INVALID_PARAMETER ACQ.EXIST_FORBIDDEN_WORD ACQ.TOTAL_FEE_EXCEED ACQ.CONTEXT_INCONSISTENT
    ACQ.TRADE_HAS_SUCCESS ACQ.TRADE_HAS_CLOSE ACQ.TRADE_HAS_FINISHED ACQ.TRADE_NOT_EXIST ACQ.TRADE_STATUS_ERROR
    ACQ.REASON_TRADE_STATUS_INVALID ACQ.REASON_ILLEGAL_STATUS ACQ.BUYER_SELLER_EQUAL ACQ.TRADE_BUYER_NOT_MATCH
    ACQ.BUYER_ENABLE_STATUS_FORBID ACQ.ERROR_BUYER_CERTIFY_LEVEL_LIMIT ACQ.BUYER_NOT_EXIST ACQ.PAYER_UNMATCHED
    ACQ.BEYOND_PER_RECEIPT_SINGLE_RESTRICTION ACQ.USER_LOGONID_DUP ACQ.CUSTOMER_VALIDATE_ERROR
    ACQ.NOT_SUPPORT_PAYMENT_INST ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR ACQ.ILLEGAL_ARGUMENT ACQ.SUB_GOODS_SIZE_MAX_COUNT
    ACQ.ENTERPRISE_PAY_BIZ_ERROR ACQ.REFUND_AMT_NOT_EQUAL_TOTAL ACQ.REASON_TRADE_BEEN_FREEZEN
    ACQ.DISCORDANT_REPEAT_REQUEST ACQ.REASON_TRADE_REFUND_FEE_ERR ACQ.TRADE_NOT_ALLOW_REFUND ACQ.REFUND_FEE_ERROR
    ACQ.NOT_ALLOW_PARTIAL_REFUND ACQ.ONLINE_TRADE_VOUCHER_NOT_ALLOW_REFUND ACQ.BUYER_ERROR ACQ.CURRENCY_NOT_SUPPORT
    ACQ.ALLOC_AMOUNT_VALIDATE_ERROR ACQ.USER_NOT_MATCH_ERR ACQ.REFUND_ACCOUNT_NOT_EXIST
    ACQ.REFUND_ROYALTY_PAYEE_ACCOUNT_NOT_EXIST
"""

SUB_CODES = {
    code: means
    for means, codes in (
        (_Means.UNKNOWN_OUTCOME, _UNKNOWN_OUTCOME),
        (_Means.LATER, _LATER),
        (_Means.NO, _NO),
    )
    for code in codes.split()
}

_CODE = re.compile(r"[0-9]{1,8}")
_SUB_CODE = re.compile(r"[A-Za-z][0-9A-Za-z._-]{1,79}")
_OF_THE_PROVIDER = "isp."
"""Whatever follows, Alipay itself failed: nothing says how far it came."""

_OF_THE_GATEWAY = ("isv.", _OF_THE_PROVIDER, "aop.")


def failure_of(content: Mapping[str, Any], *, proven: bool, where: str = "") -> ProviderError:
    """What an answer that is no success means. `sub_msg` is never read: it may repeat all that we sent.

    Only the gateway itself answers without a signature, where it does not know whose key to take: an unsigned word
    about a trade is not believed, and no unsigned word is a refusal for good.
    """
    code = _shaped(_CODE, content.get("code"))
    sub_code = _shaped(_SUB_CODE, content.get("sub_code", content.get("subCode")))
    of_the_gateway = sub_code.startswith(_OF_THE_GATEWAY) if sub_code else code != BUSINESS_FAILED
    if not proven and not of_the_gateway:
        return ProviderUnavailable(f"{sub_code or code} is not signed{where}")
    means = SUB_CODES.get(sub_code, GATEWAY_CODES.get(code))
    if code == BUSY or means is _Means.UNKNOWN_OUTCOME or sub_code.startswith(_OF_THE_PROVIDER):
        return ProviderUnavailable(f"{sub_code or code}{where}")
    if means is None and not code.startswith("4"):  # a success that is none of ours, or no code at all
        return ProviderUnavailable(f"answered with code {code or 'unreadable'}{where}")
    unlisted = "" if sub_code in SUB_CODES else "(a code that is not listed)"
    later = not proven or means is _Means.LATER
    too_often = (sub_code or code) in TOO_OFTEN
    return ProviderRefused(sub_code or code, f"{unlisted}{where}".strip(), retryable=later, too_often=too_often)


def _shaped(pattern: re.Pattern[str], value: object) -> str:
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""
