"""How notices travel: the retry schedule, the signature, and what counts as accepted (protocol section 4.7)."""

from sandbox.context import Sandbox
from sandbox.faults import CONTENT_KINDS, SIGNATURE_KINDS, Fault
from sandbox.sending import Channel
from sandbox.store import Row
from sandbox.wechat_pay.console import Signer, notice_signer
from sandbox.wechat_pay.errors import OK, request_id
from sandbox.wechat_pay.signing import signature_headers

MINUTE, HOUR = 60, 3600
#: The pauses after the first send: 15 retries within 24 h 4 min.
SCHEDULE = (
    15,
    15,
    30,
    3 * MINUTE,
    10 * MINUTE,
    20 * MINUTE,
    30 * MINUTE,
    30 * MINUTE,
    30 * MINUTE,
    60 * MINUTE,
    3 * HOUR,
    3 * HOUR,
    3 * HOUR,
    6 * HOUR,
    6 * HOUR,
)
ACCEPTED = (200, 204)


def notice_headers(sandbox: Sandbox, signer: Signer, body: bytes, fault: Fault | None) -> dict[str, str]:
    """The headers of one send, with a fresh stamp, nonce and signature."""
    spoilt = fault if fault is not None and fault.kind in SIGNATURE_KINDS else None
    return {
        "Content-Type": "application/json",
        "Accept": "*/*",
        "User-Agent": "Mozilla/4.0",
        "Pragma": "no-cache",
        "Request-ID": request_id(OK),
        **signature_headers(sandbox.keys, signer, body, spoilt),
    }


def message_of(sandbox: Sandbox, notice: Row, fault: Fault | None) -> tuple[dict[str, str], bytes]:
    """One send: the sealed body as it is, or the false one of a fault, freshly signed by whoever signs it."""
    false = fault is not None and fault.kind in CONTENT_KINDS
    body: bytes = notice["fault_body"] if false else notice["body"]
    merchant = sandbox.keys.merchant(notice["signer"] if false else notice["mchid"])
    assert merchant is not None
    return notice_headers(sandbox, notice_signer(sandbox, merchant, notice["id"]), body, fault), body


def merchant_name(sandbox: Sandbox, mchid: str) -> str | None:
    """The name of a merchant number."""
    merchant = sandbox.keys.merchant(mchid)
    return None if merchant is None else merchant.name


#: 200 or 204 in time; nothing else stops the retries.
WECHAT_PAY = Channel(SCHEDULE, lambda status, _: status in ACCEPTED, message_of, merchant_name)
