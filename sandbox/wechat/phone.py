"""The phone number of a person, for the code of its own button: `getuserphonenumber` (protocol section 1.4)."""

import re
from collections.abc import Mapping
from typing import Any

from sandbox.clock import real_now
from sandbox.context import Sandbox
from sandbox.crypto import random_letters
from sandbox.keys import App
from sandbox.phone import NotPossible
from sandbox.store import first
from sandbox.wechat.exchange import ApiError

CODE_LIFE = 300
CHINA = "86"
NATIONAL = re.compile(r"[0-9]{4,14}")


def issue_code(sandbox: Sandbox, app: App, open_id: str, phone: str | None, country_code: str) -> str:
    """What the button gives once the person has agreed; without `phone` the number the person logged in with.

    Raises: NotPossible for a person whom the app has not met, or who has no number.
    """
    code = f"p{random_letters(63)}"
    with sandbox.store.transaction() as tx:
        user = first(tx, "select phone from users where appid = ? and open_id = ?", (app.appid, open_id))
        if user is None:
            raise NotPossible("user_not_found")
        number = str(phone or user["phone"] or "").removeprefix(f"+{country_code}")
        if NATIONAL.fullmatch(number) is None:
            raise NotPossible("no_phone")
        tx.execute(
            "insert into phone_codes (code, appid, open_id, phone, country_code, created_at) values (?, ?, ?, ?, ?, ?)",
            (code, app.appid, open_id, number, country_code, sandbox.clock.now()),
        )
    return code


def read_number(sandbox: Sandbox, app: App, body: Mapping[str, Any]) -> dict[str, Any]:
    """Use up a code. Raises: ApiError 40029, 40013 for another app's, 40003 for another person's, 47001."""
    code, open_id = body.get("code"), body.get("openid")
    if not isinstance(code, str) or not isinstance(open_id, str | None):
        raise ApiError(47001)
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        row = first(tx, "select * from phone_codes where code = ?", (code,))
        if row is None or row["used_at"] is not None or now - row["created_at"] >= CODE_LIFE:
            raise ApiError(40029)
        if row["appid"] != app.appid:
            raise ApiError(40013)
        if open_id not in (None, row["open_id"]):
            raise ApiError(40003)
        tx.execute("update phone_codes set used_at = ? where code = ?", (now, code))
    prefix = "" if row["country_code"] == CHINA else f"+{row['country_code']}"
    return {
        "errcode": 0,
        "errmsg": "ok",
        "phone_info": {
            "phoneNumber": prefix + row["phone"],
            "purePhoneNumber": row["phone"],
            # Documented as a text, printed as a number; both are met.
            "countryCode": row["country_code"] if prefix else int(row["country_code"]),
            "watermark": {"timestamp": real_now(), "appid": app.appid},
        },
    }
