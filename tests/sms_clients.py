"""Clients of both platforms for text messages that share no line with the sandbox nor with our adapters."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import requests

PHONE = "+8613800000001"


@dataclass
class Aliyun:
    """A client that shares no line with the sandbox; every part of a call can be bent after it was signed."""

    http: requests.Session
    account: dict[str, str]

    def params(self, **changes: str) -> dict[str, str]:
        return {
            "PhoneNumbers": PHONE,
            "SignName": self.account["sign_name"],
            "TemplateCode": self.account["template_id"],
            "TemplateParam": '{"code":"123456"}',
        } | changes

    def signed(self, query: str, headers: Mapping[str, str]) -> dict[str, str]:
        url = urlsplit(self.account["base_url"])
        every = {
            "host": url.netloc,
            "x-acs-action": "SendSms",
            "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
            "x-acs-date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": hashlib.sha256(str(time.monotonic_ns()).encode()).hexdigest()[:32],
            "x-acs-version": "2017-05-25",
        } | dict(headers)
        names = ";".join(sorted(every))
        lines = "".join(f"{name}:{every[name]}\n" for name in sorted(every))
        text = "\n".join(["POST", f"{url.path}/", query, lines, names, every["x-acs-content-sha256"]])
        text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(text.encode()).hexdigest()}"
        proof = hmac.new(self.account["access_key_secret"].encode(), text.encode(), hashlib.sha256).hexdigest()
        key = self.account["access_key_id"]
        return every | {"Authorization": f"ACS3-HMAC-SHA256 Credential={key},SignedHeaders={names},Signature={proof}"}

    def query(self, **changes: str) -> str:
        params = self.params(**changes)
        return "&".join(f"{name}={quote(params[name], safe='-_.~')}" for name in sorted(params))

    def send(self, *, headers: Mapping[str, str] | None = None, **changes: str) -> requests.Response:
        query = self.query(**changes)
        return self.post(query, self.signed(query, headers or {}))

    def post(self, query: str, headers: Mapping[str, str]) -> requests.Response:
        return self.http.post(f"{self.account['base_url']}/?{query}", headers=headers, timeout=15)


@dataclass
class Tencent:
    http: requests.Session
    account: dict[str, str]

    def body(self, **changes: Any) -> bytes:
        wanted = {
            "PhoneNumberSet": [PHONE],
            "SmsSdkAppId": self.account["sdk_app_id"],
            "SignName": self.account["sign_name"],
            "TemplateId": self.account["template_id"],
            "TemplateParamSet": ["123456"],
        } | changes
        return json.dumps({name: value for name, value in wanted.items() if value is not None}).encode()

    def signed(self, body: bytes, *, stamp: int | None = None, **changes: str) -> dict[str, str]:
        """Content-type, host and action are signed, as in the platform's own example."""
        url, stamp = urlsplit(self.account["base_url"]), int(time.time()) if stamp is None else stamp
        day = datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d")
        lines = f"content-type:application/json\nhost:{url.netloc}\nx-tc-action:sendsms\n"
        names = "content-type;host;x-tc-action"
        text = "\n".join(["POST", f"{url.path}/", "", lines, names, hashlib.sha256(body).hexdigest()])
        text = f"TC3-HMAC-SHA256\n{stamp}\n{day}/sms/tc3_request\n{hashlib.sha256(text.encode()).hexdigest()}"
        key = f"TC3{self.account['access_key_secret']}".encode()
        for part in (day, "sms", "tc3_request", text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        scope = f"{self.account['access_key_id']}/{day}/sms/tc3_request"
        return {
            "Authorization": f"TC3-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={key.hex()}",
            "Content-Type": "application/json",
            "Host": url.netloc,
            "X-TC-Action": "SendSms",
            "X-TC-Version": "2021-01-11",
            "X-TC-Timestamp": str(stamp),
            "X-TC-Region": "ap-guangzhou",
        } | changes

    def send(self, **changes: Any) -> requests.Response:
        body = self.body(**changes)
        return self.post(body, self.signed(body))

    def post(self, body: bytes, headers: Mapping[str, str]) -> requests.Response:
        return self.http.post(f"{self.account['base_url']}/", data=body, headers=headers, timeout=15)
