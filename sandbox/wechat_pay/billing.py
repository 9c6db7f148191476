"""Bills: asked for by the day, fetched once by a token within five minutes (protocol section 4.9).

The platform makes the bills of a day from nine o'clock of the next one on, and has them at ten.
"""

import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from sandbox.billing import days, files
from sandbox.billing.lines import CLOSING, PAYMENT, REFUND, Line, fee_of, fee_of_refund, flows, total
from sandbox.billing.planting import Planted, plant
from sandbox.context import Sandbox
from sandbox.crypto import random_letters, seal_field, seal_file
from sandbox.faults import FLOW_BILL, TRADE_BILL
from sandbox.keys import Merchant
from sandbox.store import Row, Tx
from sandbox.wechat_pay.bill_rows import ALL, SUCCESS, TYPES, flow_bill, trade_bill
from sandbox.wechat_pay.bills import Bill, write_bill
from sandbox.wechat_pay.errors import PayError, bad_parameter
from sandbox.wechat_pay.trades import type_of

ACCOUNTS = ("BASIC", "OPERATION", "FEES")
ALGORITHMS = ("AEAD_AES_256_GCM",)
BEGUN, READY = 9, 10
KEPT_DAYS = 92
TOKEN_LIFE = 300
FILE_PATH = "/wechat-pay/v3/billdownload/file"


def trades_of_day(sandbox: Sandbox, merchant: Merchant, query: Mapping[str, str], root: str) -> dict[str, str]:
    """Where the trade bill of a day is, and what it hashes to. Raises: PayError."""
    kind = _one_of("bill_type", query.get("bill_type", ALL), TYPES)
    packed, day = _is_packed(query), _day(sandbox, query)
    with sandbox.store.transaction() as tx:
        lines = [one for one in lines_of(tx, merchant.number, day) if one.kind != CLOSING]
        planted = _planted(tx, TRADE_BILL, merchant, day, lines)
        shown = [one for one in planted.lines if kind == ALL or (one.kind == PAYMENT) is (kind == SUCCESS)]
        bill = None
        if shown:
            bill = trade_bill(merchant, shown, kind, off_by_fen=int("wrong_sum" in planted.kinds))
        answer = _laid_down(tx, sandbox, merchant, bill, planted, packed=packed, root=root)
    return _told(answer)


def flow_of_day(sandbox: Sandbox, merchant: Merchant, query: Mapping[str, str], root: str) -> dict[str, str]:
    """The same for the flow of the account; only the basic one ever has any. Raises: PayError."""
    return _told(_flow(sandbox, merchant, query, root))


def sealed_flow_of_day(sandbox: Sandbox, merchant: Merchant, query: Mapping[str, str], root: str) -> dict[str, Any]:
    """The same for a sub-merchant's, sealed with a key that is sealed with the partner's. Raises: PayError."""
    _one_of("algorithm", query.get("algorithm", ""), ALGORITHMS)
    key, nonce = random_letters(32), random_letters(16)
    told = _told(_flow(sandbox, merchant, query, root, seal=lambda file: seal_file(key.encode(), nonce, file)))
    one = {"bill_sequence": 1, **told, "encrypt_key": seal_field(merchant.public_key, key), "nonce": nonce}
    return {"download_bill_count": 1, "download_bill_list": [one]}


def _flow(
    sandbox: Sandbox,
    merchant: Merchant,
    query: Mapping[str, str],
    root: str,
    seal: Callable[[bytes], bytes] = lambda file: file,
) -> dict[str, str] | PayError:
    account = _one_of("account_type", query.get("account_type", ACCOUNTS[0]), ACCOUNTS)
    packed, day = _is_packed(query), _day(sandbox, query)
    with sandbox.store.transaction() as tx:
        lines = lines_of(tx, merchant.number, day)
        planted = _planted(tx, FLOW_BILL, merchant, day, [one for one in lines if one.kind != CLOSING])
        moved = [*planted.lines, *(one for one in lines if one.kind == CLOSING)]
        told = flows(moved, total(lines_before(tx, merchant.number, day))) if account == ACCOUNTS[0] else []
        bill = flow_bill(told, off_by_fen=int("wrong_sum" in planted.kinds)) if told else None
        return _laid_down(tx, sandbox, merchant, bill, planted, packed=packed, root=root, seal=seal)


def fetch(sandbox: Sandbox, merchant: Merchant, token: str) -> dict[str, bytes]:
    """The file of a token: the merchant's own, once, in its time. Raises: PayError."""
    with sandbox.store.transaction() as tx:
        found = files.take(tx, token, sandbox.clock.now())
        # Raised inside: who was refused has not used the token up.
        if found is None or found.was_taken or not 0 <= found.age < TOKEN_LIFE:
            raise PayError(400, "INVALID_REQUEST", "账单下载地址无效或已过期")
        if found.owner != merchant.mchid:
            raise PayError(403, "NO_AUTH", "无权下载该账单")
    return {"file": found.content}


def lines_of(tx: Tx, mchid: str, day: date) -> list[Line]:
    """All that the platform counts to a day, in its order."""
    return _lines(tx, mchid, days.begin(day), days.end(day))


def lines_before(tx: Tx, mchid: str, day: date) -> list[Line]:
    """All that went before a day."""
    return _lines(tx, mchid, 0.0, days.begin(day))


def _lines(tx: Tx, mchid: str, since: float, until: float) -> list[Line]:
    paid = tx.execute(
        "select * from trades where mchid = ? and success_at >= ? and success_at < ?", (mchid, since, until)
    )
    lines = [_payment(trade) for trade in paid.fetchall()]
    refunds = tx.execute(
        "select r.*, t.amount_fen as paid_fen, t.appid, t.openid, t.params as order_params, t.bank from refunds r "
        "join trades t using (mchid, out_trade_no) where mchid = ? order by r.created_at, r.refund_id",
        (mchid,),
    ).fetchall()
    earlier = defaultdict[str, list[Row]](list)
    for refund in refunds:
        line = _refund(refund, earlier[refund["out_trade_no"]])
        earlier[refund["out_trade_no"]].append(refund)
        closed_at = refund["settled_at"] if refund["state"] == "CLOSED" else None
        if since <= line.at < until:
            lines.append(line)
        if closed_at is not None and since <= closed_at < until:
            lines.append(replace(line, kind=CLOSING, at=closed_at, fee_fen=-line.fee_fen))
    return sorted(lines, key=lambda one: one.at)


def _payment(trade: Row) -> Line:
    params = json.loads(trade["params"])
    return Line(
        kind=PAYMENT,
        at=trade["success_at"],
        out_trade_no=trade["out_trade_no"],
        trade_no=trade["transaction_id"],
        amount_fen=trade["amount_fen"],
        fee_fen=fee_of(trade["amount_fen"]),
        state="SUCCESS",
        name=params["description"],
        payer=trade["openid"],
        created_at=trade["created_at"],
        app=trade["appid"],
        remark=trade["attach"] or "",
        device=params.get("scene_info", {}).get("device_id", ""),
        way=type_of(params),
        bank=trade["bank"] or "",
    )


def _refund(refund: Row, earlier: list[Row]) -> Line:
    """A refund as it stood when the bill of its day was made: what came of it later is not told.

    `earlier` are those of the same order; one that was closed by then has given its money back.
    """
    at, made_at = refund["created_at"], days.end(days.day_of(refund["created_at"])) + BEGUN * 3600
    returned = sum(
        other["amount_fen"] for other in earlier if other["state"] != "CLOSED" or (other["settled_at"] or 0) > at
    )
    ordered = json.loads(refund["order_params"])
    is_settled = refund["state"] != "PROCESSING" and (refund["settled_at"] or at) <= made_at
    return Line(
        kind=REFUND,
        at=at,
        out_trade_no=refund["out_trade_no"],
        trade_no=refund["transaction_id"],
        amount_fen=refund["amount_fen"],
        fee_fen=fee_of_refund(refund["paid_fen"], returned, refund["amount_fen"]),
        state=refund["state"] if is_settled else "PROCESSING",
        name=ordered["description"],
        way=type_of(ordered),
        bank=refund["bank"] or "",
        payer=refund["openid"],
        created_at=at,
        app=refund["appid"],
        remark=json.loads(refund["params"]).get("reason", ""),
        out_refund_no=refund["out_refund_no"],
        refund_no=refund["refund_id"],
        done_at=refund["success_at"] if is_settled else None,
    )


def _day(sandbox: Sandbox, query: Mapping[str, str]) -> date:
    """The day whose bill is there. Raises: PayError."""
    day, now = days.day_named(query.get("bill_date")), sandbox.clock.now()
    today = days.day_of(now)
    if day is None or day > today or day < today - timedelta(days=KEPT_DAYS):
        raise bad_parameter("bill_date", query.get("bill_date"), "账单日期错误", location="query")
    if now < days.end(day) + BEGUN * 3600:
        raise _absent()
    if now < days.end(day) + READY * 3600:
        raise PayError(400, "STATEMENT_CREATING", "账单生成中，请稍后再试")
    return day


def _planted(tx: Tx, target: str, merchant: Merchant, day: date, lines: list[Line]) -> Planted:
    facts = {"merchant": merchant.name, "mchid": merchant.number, "bill_date": day.isoformat()}
    return plant(tx, target, day, facts, lines)


def _laid_down(
    tx: Tx,
    sandbox: Sandbox,
    merchant: Merchant,
    bill: Bill | None,
    planted: Planted,
    *,
    packed: bool,
    root: str,
    seal: Callable[[bytes], bytes] = lambda file: file,
) -> dict[str, str] | PayError:
    """The answer, or the refusal, which is raised after the commit: the scripted turns are used up all the same."""
    if "not_ready" in planted.kinds:
        return PayError(400, "STATEMENT_CREATING", "账单生成中，请稍后再试")
    if bill is None or "empty_day" in planted.kinds:
        return _absent()
    content = write_bill(bill)
    if "cut_short" in planted.kinds:
        content = content[: content.index(b"\r\n", len(content) // 2) + 2]
    told = content + b"x" if "wrong_digest" in planted.kinds else content
    kept = seal(gzip.compress(content) if packed else content)
    token = files.lay_down(tx, merchant.mchid, kept, sandbox.clock.now())
    digest = hashlib.sha1(told, usedforsecurity=False).hexdigest()
    return {"hash_type": "SHA1", "hash_value": digest, "download_url": f"{root}{FILE_PATH}?token={token}"}


def _told(answer: dict[str, str] | PayError) -> dict[str, str]:
    if isinstance(answer, PayError):
        raise answer
    return answer


def _absent() -> PayError:
    return PayError(400, "NO_STATEMENT_EXIST", "账单文件不存在")


def _is_packed(query: Mapping[str, Any]) -> bool:
    tar_type = query.get("tar_type")
    return tar_type is not None and bool(_one_of("tar_type", tar_type, ("GZIP",)))


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise bad_parameter(name, value, "取值不在枚举范围内", location="query")
    return value
