"""How a message travels to an account's server: signed, and sealed where the account asked for it (section 3.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from sandbox.clock import real_now
from sandbox.crypto import random_digits
from sandbox.keys import Official
from sandbox.wechat_official.crypto import read_aes_key, seal, sorted_sha1
from sandbox.wechat_official.messages import CONTENT_TYPES, Fields, render

PLAIN, COMPATIBLE, SECURE = "plain", "compatible", "secure"
MODES = (PLAIN, COMPATIBLE, SECURE)


@dataclass(frozen=True)
class Envelope:
    """One send as it travels."""

    query: str
    body: bytes
    content_type: str


@dataclass(frozen=True)
class Bent:
    """What a forgery changes before anything is signed; what is None stays genuine."""

    token: str | None = None
    appid: str | None = None
    encoding_aes_key: str | None = None
    timestamp: str | None = None
    nonce: str | None = None
    message: bytes | None = None


GENUINE = Bent()


def signed_query(token: str, timestamp: str, nonce: str) -> dict[str, str]:
    """What proves that the platform is speaking."""
    return {"signature": sorted_sha1(token, timestamp, nonce), "timestamp": timestamp, "nonce": nonce}


def wrap(
    official: Official, fields: Fields, mode: str, form: str, bent: Bent = GENUINE
) -> tuple[dict[str, str], bytes]:
    """Query and body of one send, with a fresh stamp, nonce and filling."""
    token = bent.token or official.token
    timestamp, nonce = bent.timestamp or str(real_now()), bent.nonce or random_digits(9)
    query = {**signed_query(token, timestamp, nonce), "openid": str(fields["FromUserName"])}
    message = render(fields, form) if bent.message is None else bent.message
    if mode == PLAIN:
        return query, message
    key = read_aes_key(bent.encoding_aes_key or official.encoding_aes_key)
    sealed = seal(key, message, bent.appid or official.appid)
    query |= {"encrypt_type": "aes", "msg_signature": sorted_sha1(token, timestamp, nonce, sealed)}
    shown: Fields = dict(fields) if mode == COMPATIBLE else {"ToUserName": official.original_id}
    return query, render({**shown, "Encrypt": sealed}, form)


def envelope(query: Mapping[str, str], body: bytes, form: str) -> Envelope:
    """What is sent."""
    return Envelope(urlencode(query), body, CONTENT_TYPES[form])
