"""What was sent, and what arrived on each phone: the text of the template with its variables filled in."""

import json
import re
from dataclasses import dataclass
from typing import Any

from sandbox.clock import utc_time
from sandbox.context import Sandbox
from sandbox.keys import SmsAccount
from sandbox.store import Row

MAINLAND = re.compile(r"\+?86|0086")
PHONE = re.compile(r"1[3-9][0-9]{9}")
ABROAD = re.compile(r"(\+|00)[1-9][0-9]{6,14}")


@dataclass(frozen=True)
class Message:
    """One message to one phone; `params` as the caller named them."""

    account: SmsAccount
    template: str
    phone: str
    params: dict[str, str]
    number: str
    text: str


def mainland(number: str) -> str | None:
    """The number in E.164; None where it is no mobile number of the mainland."""
    prefix = MAINLAND.match(number)
    national = number if PHONE.fullmatch(number) else number[prefix.end() :] if prefix else ""
    return f"+86{national}" if PHONE.fullmatch(national) else None


def is_abroad(number: str) -> bool:
    """Whether it is a number of another country, as far as its form tells."""
    return ABROAD.fullmatch(number) is not None and mainland(number) is None


def deliver(sandbox: Sandbox, messages: list[Message]) -> None:
    """The phones ring."""
    with sandbox.store.transaction() as tx:
        for each in messages:
            row = (
                each.account.provider,
                each.phone,
                each.account.sign_name,
                each.template,
                json.dumps(each.params, ensure_ascii=False),
                f"【{each.account.sign_name}】{each.text}",
                each.number,
                sandbox.clock.now(),
            )
            tx.execute(
                "insert into sms_messages (provider, phone, sign_name, template, params, text, number, at) "
                "values (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )


def listed(sandbox: Sandbox, phone: str | None = None) -> list[dict[str, Any]]:
    """In order of arrival; of one phone where it is named."""
    where, params = ("", ()) if phone is None else (" where phone = ?", (phone,))
    return [_described(row) for row in sandbox.store.all(f"select * from sms_messages{where} order by id", params)]


def phones(sandbox: Sandbox) -> list[tuple[str, int]]:
    """Every phone that was sent anything, the latest first, with how many messages it has."""
    rows = sandbox.store.all("select phone, count(*) as many, max(id) as latest from sms_messages group by phone")
    return [(row["phone"], row["many"]) for row in sorted(rows, key=lambda row: row["latest"], reverse=True)]


def forget(sandbox: Sandbox) -> None:
    """Empty all phones."""
    with sandbox.store.transaction() as tx:
        tx.execute("delete from sms_messages")


def _described(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "provider": row["provider"],
        "phone": row["phone"],
        "sign_name": row["sign_name"],
        "template": row["template"],
        "params": json.loads(row["params"]),
        "text": row["text"],
        "number": row["number"],
        "at": utc_time(row["at"]),
    }
