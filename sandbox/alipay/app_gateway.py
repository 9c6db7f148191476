"""The application gateway of a mini-program: the first message that is sent to it, and its answer (section 11.4).

Here the signature covers `sign_type`, the charset is GBK unless the message says otherwise, and the answer is XML.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sandbox.alipay.console import signer_of
from sandbox.alipay.delivery import form_headers
from sandbox.alipay.keys import Account, public_pem
from sandbox.alipay.wire import CHARSETS, text_to_sign
from sandbox.clock import real_now
from sandbox.context import Sandbox
from sandbox.crypto import rsa_sign, rsa_verify
from sandbox.knocking import knock

ANSWER = re.compile(rb"<alipay>\s*<response>(.*)</response>\s*<sign>([^<]*)</sign>\s*<sign_type>RSA2</sign_type>", re.S)
MOST_BYTES = 65536


@dataclass(frozen=True)
class Check:
    """A check as it is to be sent; `signed_by` is `platform` or `stranger`."""

    charset: str = "GBK"
    action_param: str = ""
    signed_by: str = "platform"
    extra: Mapping[str, str] | None = None


def service_check(account: Account, check: Check) -> dict[str, str]:
    """The parameters of `alipay.service.check`, without the signature."""
    cells = {"FromUserId": "", "CreateTime": str(real_now() * 1000), "MsgType": "event", "EventType": "verifygw"}
    cells |= {"ActionParam": check.action_param, "AgreementId": "", "AccountNo": ""}
    inner = "".join(
        f"<{name}>{value}</{name}>" if value.isdigit() else f"<{name}><![CDATA[{value}]]></{name}>"
        for name, value in cells.items()
    )
    return {
        "service": "alipay.service.check",
        "sign_type": "RSA2",
        "charset": check.charset,
        "biz_content": f"<XML><AppId><![CDATA[{account.app_id}]]></AppId>{inner}</XML>",
        **(check.extra or {}),
    }


def build_check(sandbox: Sandbox, account: Account, check: Check) -> tuple[dict[str, str], bytes]:
    """Headers and body of the check as it travels."""
    params, codec = service_check(account, check), CHARSETS[check.charset.lower()]
    key = sandbox.keys.stranger if check.signed_by == "stranger" else signer_of(sandbox, account).key
    params["sign"] = rsa_sign(key, text_to_sign(params).encode(codec))
    return form_headers(check.charset), urlencode(params, encoding=codec).encode()


def send_check(account: Account, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Send the check and judge the answer as the console does, before it accepts an address."""
    reply = knock("POST", url, dict(headers), body, longest=MOST_BYTES)
    if reply.error is not None or reply.status is None:
        return {"accepted": False, "status": None, "answer": None, "problem": reply.error}
    status, answer = reply.status, reply.body
    problem = judge(account, status, answer)
    shown = answer.decode("gb18030" if b"GBK" in answer[:64] else "utf-8", "replace")
    return {"accepted": problem is None, "status": status, "answer": shown, "problem": problem}


def judge(account: Account, status: int, answer: bytes) -> str | None:
    """What is wrong with an answer: `malformed`, `signature`, `declined`, `public_key`; None where nothing is."""
    found = ANSWER.search(answer)
    if status != 200 or found is None:
        return "malformed"
    if not rsa_verify(account.public_key, found[1], found[2].decode("latin-1")):
        return "signature"
    if b"<success>true</success>" not in found[1]:
        return "declined"
    if account.app_cert is None and f"<biz_content>{bare_public_key(account)}</biz_content>".encode() not in found[1]:
        return "public_key"
    return None


def bare_public_key(account: Account) -> str:
    """The app's public key as the console shows it: base64 without the lines around it."""
    return "".join(public_pem(account.public_key).split("\n")[1:-2])
