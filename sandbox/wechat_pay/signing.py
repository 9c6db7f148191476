"""Who speaks to the platform, and how the platform signs what it says (protocol sections 4.1 and 4.2).

Stamps are real time always, also where `/control/clock` was moved or the retry clock is compressed.
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from sandbox.clock import real_now
from sandbox.crypto import (
    SCHEMA,
    Authorization,
    answer_text,
    parse_authorization,
    random_base64,
    random_letters,
    request_text,
    rsa_sign,
    rsa_verify,
)
from sandbox.faults import Fault
from sandbox.keys import Keyring, Merchant
from sandbox.store import Tx
from sandbox.wechat_pay.console import Signer
from sandbox.wechat_pay.errors import sign_error

WINDOW = 300
NONCE_MEMORY = 2 * WINDOW + 60
SIGNTEST = "WECHATPAY/SIGNTEST/"
PREFIX = "/wechat-pay"


def targets_of(raw_target: str) -> tuple[str, ...]:
    """The texts a client may have signed as the request's target.

    On the platform the signed path begins with `/v3`. A client whose base URL is `http://host/wechat-pay` either signs
    the path it appends (wechatpayv3 does) or the full target that travels; both are honest, so both are accepted.
    """
    return (raw_target.removeprefix(PREFIX), raw_target)


@dataclass(frozen=True)
class Sent:
    """A request as it travelled: nothing decoded, nothing parsed."""

    authorization: str
    method: str
    target: str
    body: bytes


def identify(keys: Keyring, sent: Sent, now: int) -> tuple[Merchant, Authorization]:
    """Find and prove the merchant behind a request. Raises: PayError 401 SIGN_ERROR."""
    given = parse_authorization(sent.authorization)
    if given is None:
        raise sign_error("Authorization格式错误")
    merchant = keys.signer(given.mchid)
    if merchant is None or given.serial_no != merchant.serial_no:
        raise sign_error("商户号或证书序列号错误")
    if not (given.timestamp.isascii() and given.timestamp.isdigit() and len(given.timestamp) <= 12):
        raise sign_error("时间戳格式错误")
    if abs(now - int(given.timestamp)) > WINDOW:
        raise sign_error("时间戳已过期")
    if not 0 < len(given.nonce_str) <= 128:
        raise sign_error("随机串长度错误")
    if not is_signed(merchant.public_key, given, sent):
        raise sign_error("签名验证失败")
    return merchant, given


def is_signed(key: RSAPublicKey, given: Authorization, sent: Sent) -> bool:
    """Check the signature over the raw target and the raw bytes."""
    return any(
        rsa_verify(key, request_text(sent.method, target, given.timestamp, given.nonce_str, sent.body), given.signature)
        for target in targets_of(sent.target)
    )


def use_nonce(tx: Tx, given: Authorization, now: int) -> None:
    """Remember a nonce for as long as its stamp could pass. Raises: PayError when it was used before."""
    tx.execute("delete from nonces where seen_at < ?", (now - NONCE_MEMORY,))
    added = tx.execute(
        "insert into nonces values (?, ?, ?) on conflict do nothing", (given.mchid, given.nonce_str, now)
    )
    if added.rowcount == 0:
        raise sign_error("随机串重复使用")


def signature_headers(keys: Keyring, signer: Signer, body: bytes, fault: Fault | None = None) -> dict[str, str]:
    """The five headers of a signed answer or notice, spoilt as a scripted fault says."""
    kind = None if fault is None else fault.kind
    if kind == "unsigned":
        return {}
    late_by = int(fault.seconds(WINDOW + 1)) if fault is not None and kind == "stale" else 0
    timestamp, nonce = str(real_now() - late_by), random_letters(32)
    key = keys.stranger if kind == "forged" else signer.key
    signature = rsa_sign(key, answer_text(timestamp, nonce, body + b" " if kind == "bad_signature" else body))
    if kind == "signtest":
        # The platform's own probe: what follows the prefix is no signature and need not decode (section 4.2).
        signature = SIGNTEST + random_base64(240)[:-1]
    headers = {
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Signature": signature,
        "Wechatpay-Serial": signer.unknown_serial() if kind == "unknown_serial" else signer.serial,
        "Wechatpay-Signature-Type": SCHEMA,
    }
    if kind == "untyped":
        # Honest, but without the header that names the scheme: the platform leaves it out at times.
        del headers["Wechatpay-Signature-Type"]
    return headers
