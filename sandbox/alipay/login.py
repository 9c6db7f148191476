"""People and their codes: `alipay.system.oauth.token`, `alipay.user.info.share` (protocol sections 5.1 to 5.4)."""

import base64
import hashlib
from typing import Any

from sandbox.alipay import console
from sandbox.alipay.call import Call
from sandbox.alipay.errors import INVALID, TOKEN, GatewayError, success
from sandbox.alipay.keys import Account
from sandbox.alipay.wire import stamp
from sandbox.context import Sandbox
from sandbox.crypto import random_digits, random_letters
from sandbox.store import Row, Tx, first

#: The platform says three minutes to a day; who manages with three minutes manages with all.
CODE_LIFE = 180
TOKEN_LIFE = 15 * 86400
REFRESH_LIFE = 30 * 86400


def issue_code(
    sandbox: Sandbox, miniapp: Account, open_id: str, *, user_id: str | None, union_id: str | None, phone: str | None
) -> str:
    """What my.getAuthCode would return to this person, who is created at the first time."""
    code = random_letters(32)
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        tx.execute(
            "insert into alipay_users (app_id, open_id, user_id, union_id, phone, created_at) values (?, ?, ?, ?, ?, ?)"
            " on conflict (app_id, open_id) do update set user_id = coalesce(?, user_id), "
            "union_id = coalesce(excluded.union_id, union_id), phone = coalesce(excluded.phone, phone)",
            (miniapp.app_id, open_id, user_id or f"2088{random_digits(12)}", union_id, phone, now, user_id),
        )
        tx.execute(
            "insert into alipay_codes (code, app_id, open_id, created_at) values (?, ?, ?, ?)",
            (code, miniapp.app_id, open_id, now),
        )
    return code


def token(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """`alipay.system.oauth.token`; its parameters are top level, its success has no `code`. Raises: GatewayError."""
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        match call.request.get("grant_type"):
            case "authorization_code":
                open_id = _use_code(tx, call.account, call.request.get("code"), now)
            case "refresh_token":
                open_id = _use_refresh_token(tx, call.account, call.request.get("refresh_token"), now)
            case _:
                raise _refused("grant-type-invalid", "grant_type参数不正确")
        person = find_person(tx, call.account.app_id, open_id)
        assert person is not None
        issued = {"access_token": f"composeB{random_letters(32)}", "refresh_token": f"composeB{random_letters(32)}"}
        tx.execute(
            "insert into alipay_tokens (access_token, refresh_token, app_id, open_id, created_at) "
            "values (?, ?, ?, ?, ?)",
            (issued["access_token"], issued["refresh_token"], call.account.app_id, open_id, now),
        )
    lives = {"expires_in": TOKEN_LIFE, "re_expires_in": REFRESH_LIFE, "auth_start": stamp(now)}
    return {**issued, **lives, **_identity(sandbox, call.account, person)}


def share(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """`alipay.user.info.share`. Raises: GatewayError 20001."""
    row = sandbox.store.one(
        "select * from alipay_tokens where access_token = ? and app_id = ?",
        (call.request.get("auth_token"), call.account.app_id),
    )
    if row is None:
        raise GatewayError(TOKEN, "aop.invalid-auth-token", "无效的访问令牌")
    if sandbox.clock.now() - row["created_at"] >= TOKEN_LIFE:
        raise GatewayError(TOKEN, "aop.auth-token-time-out", "访问令牌已过期")
    with sandbox.store.transaction() as tx:
        person = find_person(tx, row["app_id"], row["open_id"])
    assert person is not None
    identity = _identity(sandbox, call.account, person)
    identity.pop("alipay_user_id", None)
    return success(**identity, user_type="2", user_status="T", is_certified="T")


def find_person(tx: Tx, app_id: str, open_id: str) -> Row | None:
    """A person by the id that this mini-program knows."""
    return first(tx, "select * from alipay_users where app_id = ? and open_id = ?", (app_id, open_id))


def find_by_user_id(tx: Tx, app_id: str, user_id: str) -> Row | None:
    """A person by the id that is the same everywhere."""
    return first(tx, "select * from alipay_users where app_id = ? and user_id = ?", (app_id, user_id))


def buyer_ids(sandbox: Sandbox, account: Account, trade: Row, old_name: str) -> dict[str, str]:
    """Who paid, as the calling app may know it: an open_id of its own, or `old_name` where it knows user ids.

    An open_id belongs to one app. An app that calls for a mini-program sees another id than the mini-program does.
    """
    if console.id_mode(sandbox, account.op_app_id) == console.USER_ID:
        return {old_name: trade["user_id"]}
    return {"buyer_open_id": trade["open_id"] if account.is_miniapp else other_open_id(account, trade["user_id"])}


def other_open_id(account: Account, user_id: str) -> str:
    """The id of a person at an app that is not the mini-program."""
    digest = hashlib.sha256(f"{account.app_id}:{user_id}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _identity(sandbox: Sandbox, account: Account, person: Row) -> dict[str, str]:
    if console.id_mode(sandbox, account.op_app_id) == console.USER_ID:
        # alipay_user_id is a dead field with an id of another kind; who reads it has taken the wrong one.
        dead = hashlib.sha256(person["user_id"].encode()).hexdigest()[:32]
        ids = {"user_id": person["user_id"], "alipay_user_id": str(int(dead, 16))[:32]}
    else:
        ids = {"open_id": person["open_id"]}
    return ids if person["union_id"] is None else {**ids, "union_id": person["union_id"]}


def _use_code(tx: Tx, account: Account, code: str, now: float) -> str:
    row = first(tx, "select * from alipay_codes where code = ? and app_id = ?", (code, account.app_id))
    if row is None or row["used_at"] is not None or now - row["created_at"] >= CODE_LIFE:
        raise _refused("code-invalid", "授权码code无效")
    tx.execute("update alipay_codes set used_at = ? where code = ?", (now, code))
    open_id: str = row["open_id"]
    return open_id


def _use_refresh_token(tx: Tx, account: Account, refresh_token: str, now: float) -> str:
    row = first(
        tx, "select * from alipay_tokens where refresh_token = ? and app_id = ?", (refresh_token, account.app_id)
    )
    if row is None:
        raise _refused("refresh-token-invalid", "刷新令牌refresh_token无效")
    if row["refreshed_at"] is not None:
        raise _refused("refreshed-token-invalid", "刷新令牌已被使用")
    if now - row["created_at"] >= REFRESH_LIFE:
        raise _refused("refresh-token-time-out", "刷新令牌已过期")
    tx.execute("update alipay_tokens set refreshed_at = ? where refresh_token = ?", (now, refresh_token))
    open_id: str = row["open_id"]
    return open_id


def _refused(name: str, sub_msg: str) -> GatewayError:
    return GatewayError(INVALID, f"isv.{name}", sub_msg, under_error=True)
