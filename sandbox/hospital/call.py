"""One call of a hospital's system: a key, a stamp, a nonce of one use and HMAC-SHA256, on both ways."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import request

from sandbox.clock import real_now
from sandbox.context import Sandbox
from sandbox.exchange import Answer, Exchange, Refusal, Result, compact_json, read_object
from sandbox.faults import HOSPITAL_KINDS, Fault
from sandbox.hospital import ledger
from sandbox.keys import HospitalKey
from sandbox.store import first

OLDEST = 300
STAMP = re.compile(r"[0-9]{10}")
NONCE = re.compile(r"[0-9A-Za-z]{16,64}")
JSON_TYPE = "application/json"


class HospitalError(Refusal):
    """409: the hospital's no, with its reason; any other status: the request was not looked into."""

    def __init__(self, reason: str, code: str, status: int = 409) -> None:
        super().__init__(_json(status, {"reason": reason, "code": code, "message": "不予受理"}))
        self.reason = reason


class HospitalCall(Exchange[HospitalKey]):
    """A call that changes or reads the hospital's book. `number` is the claim, where it is about one."""

    kinds = HOSPITAL_KINDS

    def __init__(self, sandbox: Sandbox, verb: str, claim: str | None = None) -> None:
        super().__init__(sandbox, f"hospital.{verb}", claim, {"claim": claim})
        self.verb, self.claim = verb, claim

    @property
    def asked(self) -> dict[str, Any]:
        """The body."""
        return read_object(request.get_data())

    def admit(self) -> HospitalKey:
        """Raises: HospitalError."""
        key = self.sandbox.keys.hospital
        told = {name: request.headers.get(f"X-Yz-{name}", "") for name in ("Key", "Timestamp", "Nonce", "Signature")}
        if told["Key"] != key.key_id:
            raise HospitalError("key", "unknown_key", 401)
        self.caller_name = key.system
        if STAMP.fullmatch(told["Timestamp"]) is None or abs(int(told["Timestamp"]) - real_now()) > OLDEST:
            raise HospitalError("stamp", "old_stamp", 401)
        if NONCE.fullmatch(told["Nonce"]) is None:
            raise HospitalError("nonce", "bad_nonce", 401)
        lines = ["YZ1-REQUEST", request.method, _target(), told["Timestamp"], told["Nonce"], _sha(request.get_data())]
        if not hmac.compare_digest(_hmac(key, lines), told["Signature"]):
            raise HospitalError("signature", "wrong_signature", 401)
        with self.sandbox.store.transaction() as tx:
            tx.execute("delete from hospital_nonces where seen_at < ?", (real_now() - 2 * OLDEST,))
            if first(tx, "select 1 from hospital_nonces where nonce = ?", (told["Nonce"],)) is not None:
                raise HospitalError("nonce", "used_nonce", 401)
            tx.execute("insert into hospital_nonces values (?, ?)", (told["Nonce"], real_now()))
        return key

    def before(self, fault: Fault | None) -> None:
        """`refuse` says no with `reason`, and keeps it in the book."""
        if fault is not None and fault.kind == "refuse":
            reason = str(fault.params.get("reason", "other"))
            if self.claim is not None and self.verb in ("hold", "confirm"):
                ledger.refuse(self.sandbox, self.claim, self.asked, reason)
            raise HospitalError(reason, f"HIS_{reason.upper()}")
        super().before(fault)

    def success(self, result: Result) -> Answer:
        """200."""
        return _json(200, result or {})

    def failure(self, fault: Fault) -> Answer:
        """503, which says that nothing was done, 500 after the deed, 429; or the status that the script names."""
        usual = {"rate_limited": 429, "error_after": 500}.get(fault.kind, 503)
        told = {"reason": "busy", "code": str(fault.params.get("code", "HIS"))}
        return _json(int(fault.params.get("status", usual)), told)

    def sign(self, answer: Answer, fault: Fault | None) -> Answer:
        """Over the status, the nonce of the request, the stamp and the body."""
        kind = None if fault is None else fault.kind
        if kind == "unsigned":
            return answer
        stamp = str(real_now() - (2 * OLDEST if kind == "stale" else 0))
        nonce = "0" * 32 if kind == "other_nonce" else request.headers.get("X-Yz-Nonce", "")
        lines = ["YZ1-ANSWER", str(answer.status), nonce, stamp, _sha(answer.body)]
        signature = _hmac(self.sandbox.keys.hospital, lines)
        if kind == "bad_signature":
            signature = signature[::-1]
        return replace(answer, headers={**answer.headers, "X-Yz-Timestamp": stamp, "X-Yz-Signature": signature})


def _target() -> str:
    query = request.query_string.decode("latin-1")
    return f"{request.path}?{query}" if query else request.path


def _json(status: int, told: Mapping[str, Any]) -> Answer:
    return Answer(status, compact_json(told), {"Content-Type": JSON_TYPE})


def _sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _hmac(key: HospitalKey, lines: list[str]) -> str:
    text = "".join(f"{line}\n" for line in lines)
    return hmac.new(key.secret.encode(), text.encode("latin-1"), hashlib.sha256).hexdigest()
