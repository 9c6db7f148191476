"""How events travel: a signed form, the retry ladder, and the one word that ends it (protocol sections 8.1 to 8.3)."""

import json
from urllib.parse import urlencode

from sandbox.alipay.console import signer_of
from sandbox.alipay.wire import CHARSETS, notice_text, stamp
from sandbox.clock import real_now
from sandbox.context import Sandbox
from sandbox.crypto import rsa_sign
from sandbox.faults import ALIPAY_CONTENT_KINDS, Fault
from sandbox.sending import Channel
from sandbox.store import Row

MINUTE, HOUR = 60, 3600
#: The pauses after the first send: 8 sends within 25 hours.
LADDER = (4 * MINUTE, 10 * MINUTE, 10 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, 15 * HOUR)


def message_of(sandbox: Sandbox, notice: Row, fault: Fault | None) -> tuple[dict[str, str], bytes]:
    """One send: the event or the false one of a fault, with the moment of sending, freshly signed."""
    false = fault is not None and fault.kind in ALIPAY_CONTENT_KINDS
    account = sandbox.accounts.by_seller(notice["signer"] if false else notice["mchid"])
    assert account is not None
    params: dict[str, str] = json.loads(notice["fault_body"] if false else notice["body"])
    params["notify_time"] = stamp(real_now())
    codec = CHARSETS.get(params["charset"].lower(), "utf-8")
    kind = None if fault is None else fault.kind
    key = sandbox.keys.stranger if kind == "forged" else signer_of(sandbox, account).key
    text = notice_text(params) + ("&" if kind == "bad_signature" else "")
    if kind != "unsigned":
        params["sign"] = rsa_sign(key, text.encode(codec))
    return form_headers(params["charset"]), urlencode(params, encoding=codec).encode()


def form_headers(charset: str) -> dict[str, str]:
    """The headers of a form in this charset."""
    return {"Content-Type": f"application/x-www-form-urlencoded; charset={charset}", "User-Agent": "Mozilla/4.0"}


def merchant_name(sandbox: Sandbox, seller_id: str) -> str | None:
    """The name of a seller."""
    account = sandbox.accounts.by_seller(seller_id)
    return None if account is None else account.name


#: Exactly these seven bytes with status 200 end the retries.
ALIPAY = Channel(LADDER, lambda status, answer: status == 200 and answer == "success", message_of, merchant_name)
