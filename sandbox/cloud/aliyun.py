"""A call to Aliyun's gateway, proven by ACS3-HMAC-SHA256 (help.aliyun.com, "V3版本请求体&签名机制")."""

import hashlib
import hmac
import re
import uuid
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import unquote

from flask import request

from sandbox.clock import real_now
from sandbox.exchange import Answer, Exchange, Refusal, compact_json
from sandbox.keys import CloudAccount
from sandbox.store import first

Account = TypeVar("Account", bound=CloudAccount)
AUTHORIZATION = re.compile(
    r"ACS3-HMAC-SHA256 Credential=([0-9A-Za-z]{1,64}),SignedHeaders=([a-z0-9;-]{1,512}),Signature=([0-9a-f]{64})"
)
STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
NONCE = re.compile(r"[!-~]{1,128}")
OLDEST = 900
JSON_TYPE = "application/json;charset=utf-8"


class AliyunError(Refusal):
    """A refusal; those of the gateway have a status of their own, those of the product come with 200."""

    def __init__(self, code: str, message: str = "refused", status: int = 200) -> None:
        super().__init__(answer(status, {"Code": code, "Message": message}))


class AliyunCall(Exchange[Account]):
    """One signed call of one action; the account is the one whose key signed."""

    action = ""
    version = ""

    @abstractmethod
    def account(self) -> Account:
        """The account that may call."""

    def admit(self) -> Account:
        """Raises: AliyunError."""
        if request.method not in ("GET", "POST"):
            raise AliyunError("UnsupportedHTTPMethod", status=400)
        told = AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
        if told is None:
            raise AliyunError("IncompleteSignature", status=400)
        key_id, names, signature = told.groups()
        account = self.account()
        if key_id != account.access_key_id:
            raise AliyunError("InvalidAccessKeyId.NotFound", status=404)
        self.caller_name = account.provider
        _check_stamp()
        if not hmac.compare_digest(signature, signature_of(account, names.split(";"))):
            raise AliyunError("SignatureDoesNotMatch", status=400)
        self._check_nonce()
        if request.headers.get("x-acs-action") != self.action:
            raise AliyunError("InvalidAction.NotFound", status=404)
        if request.headers.get("x-acs-version") != self.version:
            raise AliyunError("InvalidVersion", status=400)
        return account

    def _check_nonce(self) -> None:
        """Each is good once. Raises: AliyunError."""
        nonce, now = request.headers.get("x-acs-signature-nonce", ""), real_now()
        if NONCE.fullmatch(nonce) is None:
            raise AliyunError("MissingSignatureNonce", status=400)
        with self.sandbox.store.transaction() as tx:
            tx.execute("delete from sms_nonces where seen_at < ?", (now - 2 * OLDEST,))
            if first(tx, "select 1 from sms_nonces where nonce = ?", (nonce,)) is not None:
                raise AliyunError("SignatureNonceUsed", status=400)
            tx.execute("insert into sms_nonces values (?, ?)", (nonce, now))


def answer(status: int, told: Mapping[str, object]) -> Answer:
    body = compact_json({"RequestId": str(uuid.uuid4()).upper(), **told})
    return Answer(status, body, {"Content-Type": JSON_TYPE})


def params() -> dict[str, str]:
    """The query, each name once; a plus is a plus. A form is read where there is one, as the gateway does."""
    parts = [part.partition("=") for part in _raw_query().split("&") if part]
    form = request.form.to_dict() if request.mimetype == "application/x-www-form-urlencoded" else {}
    return form | {unquote(name): unquote(value) for name, _, value in parts}


def _raw_query() -> str:
    return request.query_string.decode("latin-1")


def _check_stamp() -> None:
    """Raises: AliyunError."""
    stamp = request.headers.get("x-acs-date", "")
    if STAMP.fullmatch(stamp) is None:
        raise AliyunError("InvalidTimeStamp.Format", status=400)
    try:
        at = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise AliyunError("InvalidTimeStamp.Format", status=400) from None
    if abs(at.timestamp() - real_now()) > OLDEST:
        raise AliyunError("InvalidTimeStamp.Expired", status=400)


def signature_of(account: CloudAccount, names: list[str]) -> str:
    """What the signature must be. Every header that says what is asked must be among the signed ones.

    Raises: AliyunError."""
    content = hashlib.sha256(request.get_data()).hexdigest()
    if request.headers.get("x-acs-content-sha256") != content:
        raise AliyunError("SignatureDoesNotMatch", "x-acs-content-sha256", status=400)
    asked = {name.lower() for name, _ in request.headers if name.lower().startswith("x-acs-")} | {"host"}
    asked |= {"content-type"} if request.headers.get("Content-Type") else set()
    if names != sorted(set(names)) or not asked <= set(names):
        raise AliyunError("SignatureDoesNotMatch", "SignedHeaders", status=400)
    lines = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in names)
    query = "&".join(sorted(_raw_query().split("&"), key=lambda part: part.partition("=")[0]))
    canonical = "\n".join([request.method, request.path, query, lines, ";".join(names), content])
    text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode('latin-1')).hexdigest()}"
    return hmac.new(account.access_key_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
