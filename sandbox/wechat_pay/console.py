"""What a merchant sees and sets about the platform's keys: mode, certificates, and who signs what (section 4.3).

`public_key`: there is no certificate. `certificate`: the switch to the public key was not started, so a certificate
signs, whatever a request asks for. `mixed`: it is under way; answers follow the request's Wechatpay-Serial, and events
go over to the public key by the platform's schedule of seven days, or by a fixed share.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from sandbox.context import Sandbox
from sandbox.crypto import random_digits, random_letters, seal
from sandbox.keys import Merchant
from sandbox.store import Row
from sandbox.wechat_pay.certificates import LIFE, Certificate
from sandbox.wechat_pay.errors import PayError, bad_parameter
from sandbox.wechat_pay.trades import H5_MERCHANTS

PUBLIC_KEY, CERTIFICATE, MIXED = MODES = ("public_key", "certificate", "mixed")
#: Which percentage of the events the public key signs on each day since the start.
SCHEDULE = (0.1, 1.0, 5.0, 10.0, 20.0, 50.0, 100.0)
DAY = 86400


@dataclass(frozen=True)
class Signer:
    """What the platform signs with, and its name in Wechatpay-Serial."""

    serial: str
    key: RSAPrivateKey

    def unknown_serial(self) -> str:
        """A name of the same kind that nobody has."""
        if self.serial.startswith("PUB_KEY_ID_"):
            return f"PUB_KEY_ID_09{random_digits(26)}"
        return f"5{secrets.token_hex(20)[1:]}".upper()


@dataclass(frozen=True)
class Setting:
    """The mode of a merchant; `serial` names the certificate that signs, where it is not the newest."""

    mode: str
    since: float = 0.0
    percent: float | None = None
    serial: str | None = None


DEFAULTS: Mapping[str, Setting] = {
    "gulou": Setting(MIXED, percent=50.0),
    "xiehe": Setting(CERTIFICATE),
}


def setting_of(sandbox: Sandbox, merchant: Merchant) -> Setting:
    """How the platform signs for this merchant."""
    row = sandbox.store.one("select * from wechat_pay_modes where mchid = ?", (merchant.mchid,))
    if row is None:
        return DEFAULTS.get(merchant.name, Setting(PUBLIC_KEY))
    return Setting(row["mode"], row["since"], row["percent"], row["serial"])


def set_setting(sandbox: Sandbox, merchant: Merchant, setting: Setting) -> None:
    """Change it; a merchant that needs a certificate and has none is given one."""
    if setting.mode != PUBLIC_KEY and not certificates_of(sandbox, merchant):
        issue(sandbox, merchant)
    with sandbox.store.transaction() as tx:
        tx.execute(
            "insert or replace into wechat_pay_modes (mchid, mode, since, percent, serial) values (?, ?, ?, ?, ?)",
            (merchant.mchid, setting.mode, setting.since, setting.percent, setting.serial),
        )


def issue(sandbox: Sandbox, merchant: Merchant, begins: datetime | None = None, lasts: timedelta = LIFE) -> Certificate:
    """Another certificate beside those that there are."""
    made = sandbox.certificates.issue(begins, lasts)
    with sandbox.store.transaction() as tx:
        tx.execute(
            "insert into wechat_pay_certificates (mchid, key_pem, pem) values (?, ?, ?)",
            (merchant.mchid, made.key_pem, made.pem),
        )
    return made


def certificates_of(sandbox: Sandbox, merchant: Merchant) -> list[Certificate]:
    """Every certificate that the merchant was ever given, oldest first."""
    rows = sandbox.store.all("select * from wechat_pay_certificates where mchid = ? order by id", (merchant.mchid,))
    first = sandbox.certificates.first.get(merchant.name)
    return [*([] if first is None else [first]), *map(_certificate, rows)]


def valid_certificates(sandbox: Sandbox, merchant: Merchant) -> list[Certificate]:
    """Those in their time, if the merchant is not past them."""
    if setting_of(sandbox, merchant).mode == PUBLIC_KEY:
        return []
    return [one for one in certificates_of(sandbox, merchant) if one.is_valid]


def answer_signer(sandbox: Sandbox, merchant: Merchant, asked: str | None) -> Signer:
    """Who signs an answer; `asked` is the request's Wechatpay-Serial. Raises: PayError for one that nobody knows."""
    setting, valid = setting_of(sandbox, merchant), valid_certificates(sandbox, merchant)
    if asked not in {None, merchant.public_key_id, *(one.serial for one in valid)}:
        raise bad_parameter("Wechatpay-Serial", asked, "平台证书序列号或公钥ID错误", location="header")
    if setting.mode == PUBLIC_KEY or (setting.mode == MIXED and asked == merchant.public_key_id):
        return _public_key(merchant)
    named = next((Signer(one.serial, one.key) for one in valid if one.serial == asked), None)
    if named is None or setting.serial is not None:
        return _certificate_signer(sandbox, merchant, setting)
    return named


def notice_signer(sandbox: Sandbox, merchant: Merchant, event_id: str) -> Signer:
    """Who signs an event. During a switch-over its number decides, so every copy of it has the same kind of key."""
    setting = setting_of(sandbox, merchant)
    if setting.mode == PUBLIC_KEY:
        return _public_key(merchant)
    if setting.mode == MIXED and _place(event_id) < share(setting, sandbox.clock.now()):
        return _public_key(merchant)
    return _certificate_signer(sandbox, merchant, setting)


def named_signer(sandbox: Sandbox, merchant: Merchant, name: str | None) -> Signer | None:
    """The signer of this kind or serial, whatever the mode; without a name, the one the mode prefers."""
    setting = setting_of(sandbox, merchant)
    if name == PUBLIC_KEY or (name is None and setting.mode != CERTIFICATE):
        return _public_key(merchant)
    found = certificates_of(sandbox, merchant)
    if name in (None, CERTIFICATE):
        return Signer(found[-1].serial, found[-1].key) if found else None
    return next((Signer(one.serial, one.key) for one in found if one.serial == name), None)


def share(setting: Setting, now: float) -> float:
    """The percentage of events that the public key signs."""
    if setting.percent is not None:
        return setting.percent
    return SCHEDULE[max(0, min(int((now - setting.since) // DAY), len(SCHEDULE) - 1))]


def sealed_certificates(sandbox: Sandbox, merchant: Merchant) -> dict[str, Any]:
    """What `/v3/certificates` answers. Raises: PayError where there is none."""
    found = valid_certificates(sandbox, merchant)
    if not found:
        raise PayError(404, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请使用微信支付公钥")
    return {"data": [_sealed(merchant, one) for one in found]}


def _sealed(merchant: Merchant, one: Certificate) -> dict[str, Any]:
    nonce = random_letters(12)
    effective, expires = one.times
    return {
        "serial_no": one.serial,
        "effective_time": effective,
        "expire_time": expires,
        "encrypt_certificate": {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": nonce,
            "associated_data": "certificate",
            "ciphertext": seal(merchant.apiv3_key.encode(), nonce, "certificate", one.pem.encode()),
        },
    }


def _certificate_signer(sandbox: Sandbox, merchant: Merchant, setting: Setting) -> Signer:
    """The chosen certificate, be its time over or not; else the newest in its time."""
    found = certificates_of(sandbox, merchant)
    newest = next((one for one in reversed(found) if one.is_valid), found[-1])
    chosen = next((one for one in found if one.serial == setting.serial), newest)
    return Signer(chosen.serial, chosen.key)


def _public_key(merchant: Merchant) -> Signer:
    return Signer(merchant.public_key_id, merchant.platform_key)


def _place(event_id: str) -> float:
    """A number from 0 to 100 that an event always has."""
    return int.from_bytes(hashlib.sha256(event_id.encode()).digest()[:4]) / 2**32 * 100


def _certificate(row: Row) -> Certificate:
    return Certificate(row["key_pem"], row["pem"])


def credentials(sandbox: Sandbox, root: str) -> list[dict[str, Any]]:
    """Everything a client needs to speak as each merchant number."""
    return [_credentials_of(sandbox, merchant, root) for merchant in sandbox.keys.merchants]


def _credentials_of(sandbox: Sandbox, merchant: Merchant, root: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "merchant": merchant.name,
        "mchid": merchant.mchid,
        "appid": merchant.appid,
        "serial_no": merchant.serial_no,
        "private_key": merchant.private_key_pem,
        "apiv3_key": merchant.apiv3_key,
        "base_url": f"{root}/wechat-pay",
        "bound_appids": list(sandbox.keys.bound_appids(merchant)),
    }
    if merchant.name in H5_MERCHANTS:
        row["h5"] = True
    if merchant.is_sub:
        row |= {"sub_mchid": merchant.sub_mchid, "sub_appids": list(sandbox.keys.sub_appids(merchant))}
    mode = setting_of(sandbox, merchant).mode
    if mode != CERTIFICATE:
        row |= {"public_key_id": merchant.public_key_id, "public_key": merchant.platform_public_pem}
    if mode != PUBLIC_KEY:
        row["platform_certificates"] = [one.pem for one in valid_certificates(sandbox, merchant)]
    return row
