"""Bills of a day: `alipay.data.dataservice.bill.downloadurl.query`, and the address it gives (protocol section 9)."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from sandbox.alipay import bill_files
from sandbox.alipay.bill_files import ACCOUNT, TRADE, Sheet
from sandbox.alipay.call import Call
from sandbox.alipay.errors import BUSINESS, GatewayError, success
from sandbox.alipay.refunds import DONE
from sandbox.billing import days, files
from sandbox.billing.lines import PAYMENT, REFUND, Line, fee_of, fee_of_refund, flows, total
from sandbox.billing.planting import Planted, plant
from sandbox.context import Sandbox
from sandbox.exchange import Answer, Exchange, Refusal, Result
from sandbox.faults import ALIPAY_BILL_FILE, ALIPAY_BILLS, TRANSPORT_KINDS, Fault
from sandbox.store import Tx

READY = 9
KEPT_DAYS = 6 * 366
URL_LIFE = 30
EMPTY = "EMPTY_DATA_WITH_BILL_FILE"
PREFIX = "/alipay-bills"
PATH = "/downloadBillFile.resource"


def ask(sandbox: Sandbox, call: Call) -> dict[str, Any]:
    """Where the bill of a day is. Raises: GatewayError."""
    kind, seller_id = call.text("bill_type"), call.account.seller_id
    if kind is None or kind not in ALIPAY_BILLS:
        raise _refused("TYPE_NOT_SUPPORTED", "账单类型不支持")
    day = _day(sandbox, call)
    facts = {"merchant": call.account.name, "mchid": seller_id, "bill_date": day.isoformat()}
    with sandbox.store.transaction() as tx:
        now, lines = sandbox.clock.now(), lines_of(tx, seller_id, days.begin(day), days.end(day))
        planted = plant(tx, ALIPAY_BILLS[kind], day, facts, lines)
        shown = [] if "empty_day" in planted.kinds else planted.lines
        opening = total(lines_of(tx, seller_id, 0.0, days.begin(day)))
        archive = _archive(kind, Sheet(seller_id, day, now), shown, planted, opening_fen=opening)
        token = files.lay_down(tx, seller_id, archive, now)
    # Raised after the commit: the scripted turn is used up.
    if "not_ready" in planted.kinds:
        raise _refused("NO_BILL_DATA", "账单数据不存在")
    told = success(bill_download_url=_url(kind, seller_id, day, token, now))
    return told if shown else {**told, "bill_file_code": EMPTY}


def lines_of(tx: Tx, seller_id: str, since: float, until: float) -> list[Line]:
    """All trades that were paid and all refunds that were done between two instants, in their order."""
    paid = tx.execute(
        "select * from alipay_trades where seller_id = ? and paid_at >= ? and paid_at < ?", (seller_id, since, until)
    )
    lines = [
        Line(
            kind=PAYMENT,
            at=trade["paid_at"],
            amount_fen=trade["amount_fen"],
            fee_fen=fee_of(trade["amount_fen"]),
            state=trade["state"],
            **_common(trade),
        )
        for trade in paid.fetchall()
    ]
    done = tx.execute(
        "select t.*, r.out_request_no, r.amount_fen as back_fen, r.refunded_at from alipay_refunds r "
        "join alipay_trades t using (trade_no) where seller_id = ? and r.state = ? and refunded_at < ? "
        "order by refunded_at, r.rowid",
        (seller_id, DONE, until),
    )
    returned: dict[str, int] = {}
    for refund in done.fetchall():
        before = returned.get(refund["trade_no"], 0)
        returned[refund["trade_no"]] = before + refund["back_fen"]
        if refund["refunded_at"] >= since:
            fee = fee_of_refund(refund["amount_fen"], before, refund["back_fen"])
            numbered = {"out_refund_no": refund["out_request_no"], **_common(refund)}
            line = Line(
                REFUND, refund["refunded_at"], amount_fen=refund["back_fen"], fee_fen=fee, state=DONE, **numbered
            )
            lines.append(line)
    return sorted(lines, key=lambda one: one.at)


class BillFile(Exchange[str]):
    """A plain GET of an archive. Who has the address needs nothing else."""

    kinds = TRANSPORT_KINDS

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox, ALIPAY_BILL_FILE, None, {})

    def admit(self) -> str:
        """Only the address counts, and it is looked at later."""
        return request.args.get("token", "")

    def success(self, result: Result) -> Answer:
        """The archive."""
        return Answer(200, (result or {})["file"], {"Content-Type": "application/zip"})

    def failure(self, fault: Fault) -> Answer:
        """A page of an error."""
        return _page(int(fault.params.get("status", 429 if fault.kind == "rate_limited" else 500)))

    def run(self) -> Response:
        """Run the call and build the HTTP answer."""
        return self.serve(lambda token: fetch(self.sandbox, token))


def fetch(sandbox: Sandbox, token: str) -> dict[str, bytes]:
    """The archive of an address that is not older than half a minute. Raises: Refusal."""
    with sandbox.store.transaction() as tx:
        found = files.take(tx, token, sandbox.clock.now())
    if found is None or not 0 <= found.age < URL_LIFE:
        raise Refusal(_page(403))
    return {"file": found.content}


def _archive(kind: str, sheet: Sheet, lines: Sequence[Line], planted: Planted, *, opening_fen: int) -> bytes:
    off = int("wrong_sum" in planted.kinds)
    if kind == "trade":
        word, details = TRADE, bill_files.trade_details(sheet, lines, off_by_fen=off)
        sums = bill_files.trade_sums(sheet, lines)
    else:
        moved = flows(lines, opening_fen)
        word, details = ACCOUNT, bill_files.account_details(sheet, moved, off_by_fen=off)
        sums = bill_files.account_sums(sheet, moved)
    if "cut_short" in planted.kinds:
        details = details[: details.index("\n", len(details) // 2) + 1]
    return bill_files.pack(sheet, word, details=details, sums=sums)


def _common(trade: Any) -> dict[str, Any]:
    return {
        "out_trade_no": trade["out_trade_no"],
        "trade_no": trade["trade_no"],
        "name": trade["subject"],
        "payer": trade["open_id"],
        "created_at": trade["created_at"],
        "app": trade["app_id"],
        "remark": trade["body"] or "",
    }


def _day(sandbox: Sandbox, call: Call) -> date:
    """The day whose bill is there; months are not kept. Raises: GatewayError."""
    day, now = days.day_named(call.content.get("bill_date")), sandbox.clock.now()
    today = days.day_of(now)
    if day is None:
        raise _refused("INVAILID_ARGUMENTS", "账单日期格式错误")
    if day < today - timedelta(days=KEPT_DAYS):
        raise _refused("BILL_DATE_BEFORE_REGISTRATION", "账单日期早于签约日期")
    if day >= today:
        raise _refused("BILL_NOT_EXIST", "账单不存在")
    if now < days.end(day) + READY * 3600:
        raise _refused("NO_BILL_DATA", "账单数据不存在")
    return day


def _url(kind: str, seller_id: str, day: date, token: str, now: float) -> str:
    account = bill_files.account_number(seller_id)
    query = {
        "bizType": kind,
        "userId": account,
        "fileType": "csv.zip",
        "bizDates": f"{day:%Y%m%d}",
        "downloadFileName": f"{account}_{day:%Y%m%d}.csv.zip",
        "fileId": f"/{kind}/{account}/{day:%Y%m%d}.csv.zip",
        "timestamp": str(int(now * 1000)),
        "token": token,
    }
    return f"{request.host_url.rstrip('/')}{PREFIX}{PATH}?{urlencode(query)}"


def _refused(sub_code: str, sub_msg: str) -> GatewayError:
    return GatewayError(BUSINESS, sub_code, sub_msg)


def _page(status: int) -> Answer:
    return Answer(status, b"<html><body>error</body></html>", {"Content-Type": "text/html;charset=utf-8"})
