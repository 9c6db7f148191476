"""A call to Tencent Cloud's API 3.0, proven by TC3-HMAC-SHA256 (cloud.tencent.com/document/api/382/52072)."""

import hashlib
import hmac
import json
import re
import uuid
from abc import abstractmethod
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from flask import request

from sandbox.clock import real_now
from sandbox.exchange import Answer, Exchange, Refusal, compact_json
from sandbox.keys import CloudAccount

Account = TypeVar("Account", bound=CloudAccount)
AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=([0-9A-Za-z]{1,64})/([0-9-]{10})/([a-z]{1,32})/tc3_request, "
    r"SignedHeaders=([a-z0-9;-]{1,512}), Signature=([0-9a-f]{64})"
)
OLDEST = 300


class TencentError(Refusal):
    """A refusal of the whole call: HTTP 200, and an Error."""

    def __init__(self, code: str, message: str = "refused") -> None:
        super().__init__(answer({"Error": {"Code": code, "Message": message}}))


class TencentCall(Exchange[Account]):
    """One signed call of one action of one service. Without `regions` none has to be named."""

    service = ""
    action = ""
    version = ""
    regions: frozenset[str] = frozenset()

    @abstractmethod
    def account(self) -> Account:
        """The account that may call."""

    def admit(self) -> Account:
        """Raises: TencentError."""
        told = AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
        if told is None:
            raise TencentError("AuthFailure.InvalidAuthorization")
        secret_id, day, service, names, signature = told.groups()
        account = self.account()
        if secret_id != account.access_key_id:
            raise TencentError("AuthFailure.SecretIdNotFound")
        self.caller_name = account.provider
        stamp = _stamp()
        if day != datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d") or service != self.service:
            raise TencentError("AuthFailure.SignatureFailure", "Credential")
        if not hmac.compare_digest(signature, signature_of(account, service, names.split(";"), stamp)):
            raise TencentError("AuthFailure.SignatureFailure")
        if request.headers.get("X-TC-Action") != self.action:
            raise TencentError("InvalidAction")
        if request.headers.get("X-TC-Version") != self.version:
            raise TencentError("NoSuchVersion")
        if self.regions and request.headers.get("X-TC-Region") not in self.regions:
            raise TencentError("UnsupportedRegion")
        return account


def answer(told: Mapping[str, object]) -> Answer:
    body = compact_json({"Response": {**told, "RequestId": str(uuid.uuid4())}})
    return Answer(200, body, {"Content-Type": "application/json"})


def _stamp() -> int:
    """Raises: TencentError."""
    told = request.headers.get("X-TC-Timestamp", "")
    if re.fullmatch("[1-9][0-9]{0,10}", told) is None:
        raise TencentError("MissingParameter" if not told else "InvalidParameterValue", "X-TC-Timestamp")
    if abs(int(told) - real_now()) > OLDEST:
        raise TencentError("AuthFailure.SignatureExpire")
    return int(told)


def signature_of(account: CloudAccount, service: str, names: list[str], stamp: int) -> str:
    """What the signature must be: over the headers that the caller names, content-type and host among them.

    Raises: TencentError."""
    if names != sorted(set(names)) or not {"content-type", "host"} <= set(names):
        raise TencentError("AuthFailure.SignatureFailure", "SignedHeaders")
    lines = "".join(f"{name}:{request.headers.get(name, '').strip().lower()}\n" for name in names)
    query, digest = request.query_string.decode("latin-1"), hashlib.sha256(request.get_data()).hexdigest()
    canonical = "\n".join([request.method, request.path, query, lines, ";".join(names), digest])
    day = datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d")
    hashed = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    text = f"TC3-HMAC-SHA256\n{stamp}\n{day}/{service}/tc3_request\n{hashed}"
    key = b"TC3" + account.access_key_secret.encode()
    for part in (day, service, "tc3_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def read_body(fields: Mapping[str, type], needed: Collection[str]) -> dict[str, Any]:
    """The JSON object that was asked with; no field that is not known. Raises: TencentError."""
    if request.mimetype != "application/json":
        raise TencentError("InvalidParameter", "Content-Type")
    try:
        body = json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise TencentError("InvalidParameter", "not JSON") from None
    if not isinstance(body, dict):
        raise TencentError("InvalidParameter", "not an object")
    for name, value in body.items():
        if name not in fields:
            raise TencentError("UnknownParameter", name)
        if not isinstance(value, fields[name]) or (isinstance(value, list) and not _are_texts(value)):
            raise TencentError("InvalidParameter", name)
    for name in needed:
        if name not in body:
            raise TencentError("MissingParameter", name)
    return body


def _are_texts(value: list[Any]) -> bool:
    return all(isinstance(each, str) for each in value)
