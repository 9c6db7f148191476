"""Free-form messages in the shape of a notice: any content, any key, any stamp. For attacks on a receiver."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.clock import china_time, real_now
from sandbox.context import Sandbox
from sandbox.control.body import ControlError, Kind
from sandbox.crypto import SCHEMA, answer_text, random_digits, random_letters, rsa_sign, seal
from sandbox.exchange import compact_json
from sandbox.keys import Keyring, Merchant
from sandbox.wechat_pay import console
from sandbox.wechat_pay.console import Signer

STRANGER = "stranger"
FIELDS: Mapping[str, Kind] = {
    "url": str,
    "copies": int,
    "concurrently": bool,
    "id": str,
    "event_type": str,
    "summary": str,
    "create_time": str,
    "resource_type": str,
    "original_type": str,
    "associated_data": str,
    "algorithm": str,
    "resource_nonce": str,
    "plaintext": dict,
    "body": str,
    "signed_by": str,
    "signed_with": str,
    "sealed_by": str,
    "serial": str,
    "timestamp": str,
    "stamp_offset": int,
    "nonce": str,
    "signature": str,
    "signature_type": str,
    "headers": dict,
    "tamper": dict,
}


@dataclass(frozen=True)
class Forgery:
    """A message as it would travel."""

    event_id: str
    headers: dict[str, str]
    body: bytes
    channel: str = "wechat_pay"


def forge(sandbox: Sandbox, merchant: Merchant, given: Mapping[str, Any]) -> Forgery:
    """Build a message: genuine wherever the request says nothing. Raises: ControlError."""
    event_id = given.get("id", f"EV-{random_digits(19)}{random_letters(12)}")
    body = given["body"].encode() if "body" in given else _body(sandbox.keys, merchant, given, event_id)
    headers = _headers(_signer(sandbox, merchant, given), given, body)
    tamper = given.get("tamper", {})
    if "signature" in tamper:
        spoilt = flip(headers["Wechatpay-Signature"].encode(), tamper["signature"])
        headers["Wechatpay-Signature"] = spoilt.decode("latin-1")
    if "body" in tamper:
        body = flip(body, tamper["body"])
    return Forgery(event_id, bend_headers(headers, given.get("headers", {})), body)


def bend_headers(headers: Mapping[str, str], changes: Mapping[str, Any]) -> dict[str, str]:
    """Replace headers, or leave one out where a change is None."""
    kept = {name: value for name, value in headers.items() if name not in changes}
    return {**kept, **{name: str(value) for name, value in changes.items() if value is not None}}


def _body(keys: Keyring, merchant: Merchant, given: Mapping[str, Any], event_id: str) -> bytes:
    original = given.get("original_type", "transaction")
    associated, nonce = given.get("associated_data", original), given.get("resource_nonce", random_letters(12))
    try:
        ciphertext = seal(_seal_key(keys, merchant, given), nonce, associated, compact_json(given.get("plaintext", {})))
    except ValueError as error:
        raise ControlError(422, "out_of_range", "resource_nonce: 8 to 128 bytes") from error
    return compact_json(
        {
            "id": event_id,
            "create_time": given.get("create_time", china_time(real_now())),
            "resource_type": given.get("resource_type", "encrypt-resource"),
            "event_type": given.get("event_type", "TRANSACTION.SUCCESS"),
            "summary": given.get("summary", "支付成功"),
            "resource": {
                "original_type": original,
                "algorithm": given.get("algorithm", "AEAD_AES_256_GCM"),
                "ciphertext": ciphertext,
                "associated_data": associated,
                "nonce": nonce,
            },
        }
    )


def _headers(signer: Signer, given: Mapping[str, Any], body: bytes) -> dict[str, str]:
    timestamp = given.get("timestamp", str(real_now() + given.get("stamp_offset", 0)))
    nonce = given.get("nonce", random_letters(32))
    return {
        "Content-Type": "application/json",
        "User-Agent": "Mozilla/4.0",
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": given.get("serial", signer.serial),
        "Wechatpay-Signature": given.get("signature", rsa_sign(signer.key, answer_text(timestamp, nonce, body))),
        "Wechatpay-Signature-Type": given.get("signature_type", SCHEMA),
    }


def _signer(sandbox: Sandbox, merchant: Merchant, given: Mapping[str, Any]) -> Signer:
    """A stranger signs under the merchant's serial; raises: ControlError for one who has no such key."""
    name = given.get("signed_by", merchant.name)
    party = merchant if name == STRANGER else _party(sandbox.keys, name)
    signer = console.named_signer(sandbox, party, given.get("signed_with"))
    if signer is None:
        raise ControlError(422, "out_of_range", f"signed_with: {console.PUBLIC_KEY}, {console.CERTIFICATE}, a serial")
    return Signer(signer.serial, sandbox.keys.stranger) if name == STRANGER else signer


def _seal_key(keys: Keyring, merchant: Merchant, given: Mapping[str, Any]) -> bytes:
    name = given.get("sealed_by", merchant.name)
    return random_letters(32).encode() if name == STRANGER else _party(keys, name).apiv3_key.encode()


def _party(keys: Keyring, name: str) -> Merchant:
    merchant = keys.merchant_named(name)
    if merchant is None:
        raise ControlError(404, "merchant_not_found", name)
    return merchant


def flip(data: bytes, position: object) -> bytes:
    """Turn one bit of one byte. Raises: ControlError where there is no such byte."""
    if not isinstance(position, int) or not 0 <= position < len(data):
        raise ControlError(422, "out_of_range", f"tamper: 0 to {len(data) - 1}")
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
