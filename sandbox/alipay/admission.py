"""Who speaks to the gateway: common parameters, certificates, signature, content (protocol sections 1.2, 1.3, 2, 3)."""

from typing import Any

from sandbox.alipay.call import Call
from sandbox.alipay.errors import CONDITION, INVALID, MISSING, GatewayError
from sandbox.alipay.keys import Account, Accounts
from sandbox.alipay.request import GatewayRequest
from sandbox.alipay.wire import instant_of
from sandbox.crypto import rsa_verify

#: What has no default: the parameter, and the name of its absence.
REQUIRED = {
    "app_id": "app-id",
    "method": "method",
    "sign_type": "signature-type",
    "sign": "signature",
    "timestamp": "timestamp",
    "version": "version",
}


def find_account(accounts: Accounts, request: GatewayRequest) -> Account:
    """The account a request names; until then there is no key to sign with. Raises: GatewayError, unsigned."""
    for name, absence in REQUIRED.items():
        if not request.get(name):
            raise GatewayError(MISSING, f"isv.missing-{absence}", f"缺少参数: {name}", unsigned=True)
    account = accounts.by_app_id(request.get("app_id"))
    if account is None:
        raise GatewayError(INVALID, "isv.invalid-app-id", "无效的AppID参数", unsigned=True)
    return account


def check_request(accounts: Accounts, account: Account, request: GatewayRequest) -> None:
    """Check form, certificates and signature. Raises: GatewayError."""
    if request.wrong_type:
        raise _invalid("content-type", "无效的Content-Type")
    if request.doubled:
        raise _invalid("parameter", "参数重复")
    if request.codec is None:
        raise _invalid("charset", "字符集错误")
    if request.get("sign_type") != "RSA2":
        raise _invalid("signature-type", "无效的签名类型")
    if request.get("format") not in ("", "JSON"):
        raise _invalid("format", "无效的数据格式")
    if request.get("version") != "1.0":
        raise _invalid("parameter", "无效的版本号")
    if instant_of(request.get("timestamp")) is None:
        raise _invalid("timestamp", "非法的时间戳参数")
    if account.app_cert is not None:
        _check_certificates(accounts, account, request)
    _check_signature(account, request)


def open_call(account: Account, request: GatewayRequest) -> Call:
    """Decrypt and parse the content. Raises: GatewayError."""
    if request.is_encrypted:
        _check_encryption(account, request)
    content = request.content(account.aes_key)
    if content is not None:
        return Call(account, request, content)
    if request.is_encrypted:
        raise GatewayError(CONDITION, "isv.decryption-error-unknown", "解密出错, 未知错误")
    raise _content_error(account, request)


def peek(account: Account | None, request: GatewayRequest) -> dict[str, Any]:
    """The content for facts and logs, which must not fail on a bad one."""
    return request.content(None if account is None else account.aes_key) or {}


def _check_certificates(accounts: Accounts, account: Account, request: GatewayRequest) -> None:
    for name in ("app_cert_sn", "alipay_root_cert_sn"):
        if not request.get(name):
            raise GatewayError(MISSING, f"isv.missing-{name.replace('_', '-')}", f"缺少参数: {name}")
    if request.get("app_cert_sn") != account.app_cert_sn:
        raise _named("isv.app-cert-not-exist", "应用公钥证书不存在")
    if request.get("alipay_root_cert_sn") != accounts.root_cert_sn:
        raise _invalid("alipay-root-cert-sn", "支付宝根证书序列号错误")


def _check_signature(account: Account, request: GatewayRequest) -> None:
    # The platform decodes a body of which the query says no charset as it likes, and then no signature fits.
    if request.blind:
        raise _invalid("signature", "验签出错，建议将charset参数放在url的query中")
    text = request.signed_text
    if not rsa_verify(account.public_key, text.encode(request.codec or "utf-8", "replace"), request.get("sign")):
        shown = text.replace("&", "&amp;")
        words = "验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配，网关生成的验签字符串为："
        raise _invalid("signature", f"{words}{shown}")


def _check_encryption(account: Account, request: GatewayRequest) -> None:
    if request.get("encrypt_type") != "AES":
        raise _invalid("encrypt-type", "无效的加密类型")
    if account.aes_key is None:
        raise GatewayError(MISSING, "isv.missing-encrypt-key", "缺少加密配置")
    if not request.get("biz_content"):
        raise _invalid("encrypt", "加密内容为空")


def _content_error(account: Account, request: GatewayRequest) -> GatewayError:
    if account.aes_key is not None and not request.get("biz_content").startswith("{"):
        return GatewayError(MISSING, "isv.decryption-error-missing-encrypt-type", "解密出错, 未指定加密算法")
    return _invalid("parameter", "biz_content不是合法的JSON")


def _invalid(name: str, sub_msg: str) -> GatewayError:
    return _named(f"isv.invalid-{name}", sub_msg)


def _named(sub_code: str, sub_msg: str) -> GatewayError:
    return GatewayError(INVALID, sub_code, sub_msg)
