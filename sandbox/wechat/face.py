"""Face verification 2.0 (protocol section 2.1).

`verify_ret` is 0 until something happened on the phone, 10000 once passed; any other value is a failure. The protocol
leaves the errcodes of these calls open; the ones chosen here are listed in README.md.
"""

import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from sandbox.context import Sandbox
from sandbox.crypto import cert_hash, random_letters
from sandbox.keys import App
from sandbox.store import first
from sandbox.wechat.exchange import ApiError
from sandbox.wechat.login import is_user

OUT_SEQ_NO = re.compile(r"[0-9A-Za-z_-]{5,32}")
CERT_NO = re.compile(r"[0-9]{17}[0-9X]")
LIFE = 3600
PENDING = 0
PASSED = 10000
FACE_MISMATCH = 10004


def start(sandbox: Sandbox, app: App, body: Mapping[str, Any]) -> dict[str, Any]:
    """`getverifyid`. Raises: ApiError 40097, 84006, 40003, 84011."""
    out_seq_no, openid = _text(body, "out_seq_no"), _text(body, "openid")
    if OUT_SEQ_NO.fullmatch(out_seq_no) is None:
        raise ApiError(40097, "out_seq_no")
    digest = _digest(body.get("cert_info"))
    verify_id = random_letters(64)
    with sandbox.store.transaction() as tx:
        if not is_user(tx, app.appid, openid):
            raise ApiError(40003)
        try:
            tx.execute(
                "insert into verifications (verify_id, appid, out_seq_no, openid, cert_hash, created_at) "
                "values (?, ?, ?, ?, ?, ?)",
                (verify_id, app.appid, out_seq_no, openid, digest, sandbox.clock.now()),
            )
        except sqlite3.IntegrityError:
            raise ApiError(84011) from None
    return {"errcode": 0, "errmsg": "ok", "verify_id": verify_id, "expires_in": LIFE}


def query(sandbox: Sandbox, app: App, body: Mapping[str, Any]) -> dict[str, Any]:
    """`queryverifyinfo`. Raises: ApiError 40097, 84001, 84012, 84013, 84014."""
    given = {name: _text(body, name) for name in ("verify_id", "out_seq_no", "cert_hash", "openid")}
    row = sandbox.store.one(
        "select * from verifications where verify_id = ? and appid = ?", (given["verify_id"], app.appid)
    )
    if row is None or (row["verify_ret"] == PENDING and sandbox.clock.now() - row["created_at"] >= LIFE):
        raise ApiError(84001)
    for name, errcode in (("out_seq_no", 84012), ("cert_hash", 84013), ("openid", 84014)):
        if row[name] != given[name]:
            raise ApiError(errcode)
    return {"errcode": 0, "errmsg": "ok", "verify_ret": row["verify_ret"]}


def finish(sandbox: Sandbox, verify_id: str, verify_ret: int) -> str:
    """What happens on the phone. Returns `finished`, or why not: `unknown`, `expired`, `already_finished`."""
    with sandbox.store.transaction() as tx:
        row = first(tx, "select * from verifications where verify_id = ?", (verify_id,))
        if row is None:
            return "unknown"
        if row["verify_ret"] != PENDING:
            return "already_finished"
        if sandbox.clock.now() - row["created_at"] >= LIFE:
            return "expired"
        tx.execute("update verifications set verify_ret = ? where verify_id = ?", (verify_ret, verify_id))
    return "finished"


def describe(sandbox: Sandbox, verify_id: str) -> dict[str, Any] | None:
    """A check as the phone shows it: `state` is pending, passed, failed or expired; None where there is none."""
    row = sandbox.store.one("select * from verifications where verify_id = ?", (verify_id,))
    if row is None:
        return None
    if row["verify_ret"] == PENDING:
        state = "expired" if sandbox.clock.now() - row["created_at"] >= LIFE else "pending"
    else:
        state = "passed" if row["verify_ret"] == PASSED else "failed"
    return {"openid": row["openid"], "out_seq_no": row["out_seq_no"], "state": state}


def _digest(info: object) -> str:
    if not isinstance(info, dict) or not info.keys() <= {"cert_type", "cert_name", "cert_no"}:
        raise ApiError(40097, "cert_info")
    cert_type, name, number = (info.get(key, "") for key in ("cert_type", "cert_name", "cert_no"))
    if cert_type != "IDENTITY_CARD":
        raise ApiError(40097, "cert_type")
    if not (isinstance(name, str) and name and isinstance(number, str) and number):
        raise ApiError(84006)
    if CERT_NO.fullmatch(number) is None:
        raise ApiError(40097, "cert_no")
    return cert_hash(cert_type, name, number)


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ApiError(40097, name)
    return value
