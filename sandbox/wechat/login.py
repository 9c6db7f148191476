"""Users of the apps and their login codes: `jscode2session` (protocol section 1.1)."""

from typing import Any

from sandbox.context import Sandbox
from sandbox.crypto import random_base64, random_letters
from sandbox.keys import App
from sandbox.store import Row, Tx, first
from sandbox.wechat.exchange import ApiError

CODE_LIFE = 300


def issue_code(sandbox: Sandbox, app: App, open_id: str, union_id: str | None, phone: str | None) -> str:
    """What wx.login would return to this person; creates the person at the first time."""
    code = f"0{random_letters(31)}"
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        meet(tx, app, open_id, union_id=union_id, phone=phone, now=now)
        tx.execute(
            "insert into login_codes (code, appid, open_id, created_at) values (?, ?, ?, ?)",
            (code, app.appid, open_id, now),
        )
    return code


def meet(tx: Tx, app: App, open_id: str, *, union_id: str | None, now: float, phone: str | None = None) -> None:
    """Make a person known to an app, or add to what it knows."""
    tx.execute(
        "insert into users (appid, open_id, union_id, phone, created_at) values (?, ?, ?, ?, ?) "
        "on conflict (appid, open_id) do update set union_id = coalesce(excluded.union_id, union_id), "
        "phone = coalesce(excluded.phone, phone)",
        (app.appid, open_id, union_id, phone, now),
    )


def use_up(tx: Tx, table: str, app: App, code: str | None, now: float) -> Row:
    """Use up a code of the table: it is worth something once. Raises: ApiError 41008, 40029, 40163."""
    if not code:
        raise ApiError(41008)
    row = first(tx, f"select * from {table} where code = ? and appid = ?", (code, app.appid))
    if row is None:
        raise ApiError(40029)
    if row["used_at"] is not None:
        raise ApiError(40163)
    if now - row["created_at"] >= CODE_LIFE:
        raise ApiError(40029)
    tx.execute(f"update {table} set used_at = ? where code = ?", (now, code))
    return row


def exchange_code(sandbox: Sandbox, app: App, code: str | None) -> dict[str, Any]:
    """Use up a code. Raises: ApiError 41008, 40029, 40163."""
    with sandbox.store.transaction() as tx:
        row = use_up(tx, "login_codes", app, code, sandbox.clock.now())
        session_key = random_base64(16)
        tx.execute(
            "update users set session_key = ? where appid = ? and open_id = ?", (session_key, app.appid, row["open_id"])
        )
        user = first(tx, "select union_id from users where appid = ? and open_id = ?", (app.appid, row["open_id"]))
    session = {"session_key": session_key, "openid": row["open_id"]}
    return session if user is None or user["union_id"] is None else {**session, "unionid": user["union_id"]}


def is_user(tx: Tx, appid: str, open_id: str) -> bool:
    """Tell whether the app has met this person."""
    return first(tx, "select 1 from users where appid = ? and open_id = ?", (appid, open_id)) is not None
