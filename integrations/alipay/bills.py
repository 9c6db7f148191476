"""Alipay's trade bill of a day: taken out of its archive and read strictly (alipay.md 9).

A bill that does not fit in every row and in its own sums is no bill: reconciliation on half of it would tell lies.
Neither the archive nor the file is signed; both come from an address that a proven answer told.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum

from integrations.alipay._signing import ZONE

CHARSET = "gb18030"
MOST_BYTES = 256 * 1024 * 1024
MOST_MEMBERS = 16
DETAILS = "_业务明细.csv"
"""How the name of the file ends; the one with the sums ends otherwise, and may come first."""

TITLE = "#支付宝业务明细查询"
LIST_BEGINS = re.compile(r"#-+业务明细列表-+")
LIST_ENDS = re.compile(r"#-+业务明细列表结束-+")

_UTF_8_NAME = 0x800
_HEAD_LINES = 4
_ACCOUNT = re.compile(r"#账号：\[([0-9]{16,32})\]")
_PERIOD = re.compile(r"#起始日期：\[([0-9]{4})年([0-9]{2})月([0-9]{2})日 00:00:00\].*")
_YUAN = re.compile(r"-?(0|[1-9][0-9]{0,11})\.[0-9]{2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


class BillUnreadable(Exception):
    """What came is not the bill. The message names the line, and shows no value."""


class BillKind(StrEnum):
    PAYMENT = "交易"
    REFUND = "退款"


_SUMS = {
    BillKind.PAYMENT: re.compile(r"#交易合计：([0-9]{1,9})笔，商家实收共(-?[0-9.]{1,16})元，.*"),
    BillKind.REFUND: re.compile(r"#退款合计：([0-9]{1,9})笔，商家实收退款共(-?[0-9.]{1,16})元，.*"),
}


@dataclass(frozen=True)
class BillRow:
    """One payment or one refund; amounts in fen, those of a refund below zero.

    `at` is when it was done. `amount_fen` is what was ordered, `received_fen` what of it is the merchant's.
    """

    at: datetime
    kind: BillKind
    trade_no: str
    out_trade_no: str
    amount_fen: int
    received_fen: int
    fee_fen: int
    out_request_no: str | None = None


def unpack(archive: bytes) -> bytes:
    """The file of details inside the archive, chosen by its name. Raises: BillUnreadable."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            members = opened.infolist()
            found = [one for one in members if _name(one).endswith(DETAILS)]
            if len(members) > MOST_MEMBERS or len(found) != 1:
                raise BillUnreadable("not one file of details")
            with opened.open(found[0]) as file:
                content = file.read(MOST_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError, struct.error):
        raise BillUnreadable("not a zip archive") from None
    if len(content) > MOST_BYTES:
        raise BillUnreadable("too large")
    return content


def read_trade_bill(content: bytes, *, seller_id: str, day: date) -> tuple[BillRow, ...]:
    """Read the details of our own account for one day; columns by their names. Raises: BillUnreadable."""
    lines = _lines(content)
    if len(lines) < _HEAD_LINES + 2 or lines[0] != TITLE or LIST_BEGINS.fullmatch(lines[3]) is None:
        raise BillUnreadable("another head")
    _check_head(lines, seller_id=seller_id, day=day)
    ends = [number for number, line in enumerate(lines) if LIST_ENDS.fullmatch(line)]
    if len(ends) != 1:
        raise BillUnreadable("not one end of the list")
    header = [name.strip() for name in lines[_HEAD_LINES].split(",")]
    body = lines[_HEAD_LINES + 1 : ends[0]]
    rows = tuple(_row(_cells(header, line, at), at) for at, line in enumerate(body, _HEAD_LINES + 2))
    _check_sums(rows, lines[ends[0] + 1 :])
    return rows


def _name(member: zipfile.ZipInfo) -> str:
    """Names are in GBK and do not say so: they are read as code page 437 then."""
    if member.flag_bits & _UTF_8_NAME:
        return member.filename
    try:
        return member.filename.encode("cp437").decode(CHARSET)
    except ValueError:
        return ""


def _lines(content: bytes) -> list[str]:
    try:
        text = content.decode(CHARSET)
    except ValueError:
        raise BillUnreadable("not in GB18030") from None
    return [line.removesuffix("\r") for line in text.rstrip("\r\n").split("\n")]


def _check_head(lines: Sequence[str], *, seller_id: str, day: date) -> None:
    """The account is the seller's number with four more digits."""
    account, period = _ACCOUNT.fullmatch(lines[1]), _PERIOD.fullmatch(lines[2])
    if account is None or account[1][:-4] != seller_id:
        raise BillUnreadable("another account")
    if period is None or period.groups() != (f"{day:%Y}", f"{day:%m}", f"{day:%d}"):
        raise BillUnreadable("another day")


def _cells(header: Sequence[str], line: str, number: int) -> dict[str, str]:
    values = [value.strip(" \t") for value in line.split(",")]
    if len(set(header)) != len(header) or len(values) != len(header):
        raise BillUnreadable(f"line {number} does not fit its header")
    return dict(zip(header, values, strict=True))


def _row(cells: Mapping[str, str], number: int) -> BillRow:
    try:
        kind = BillKind(cells["业务类型"])
        row = BillRow(
            at=_instant(cells["完成时间"]),
            kind=kind,
            trade_no=_present(cells["支付宝交易号"]),
            out_trade_no=_present(cells["商户订单号"]),
            amount_fen=_fen(cells["订单金额（元）"]),
            received_fen=_fen(cells["商家实收（元）"]),
            fee_fen=_fen(cells["服务费（元）"]),
            out_request_no=cells["退款批次号/请求号"] or None,
        )
    except KeyError as error:
        raise BillUnreadable(f"no column {error.args[0]}") from None
    except ValueError:
        raise BillUnreadable(f"line {number} has a value that does not fit") from None
    if (row.amount_fen < 0) is not (kind is BillKind.REFUND):
        raise BillUnreadable(f"line {number} has another sign than its kind")
    return row


def _check_sums(rows: Sequence[BillRow], trailer: Sequence[str]) -> None:
    for kind, shape in _SUMS.items():
        told = [found for found in map(shape.fullmatch, trailer) if found]
        mine = [row.received_fen for row in rows if row.kind is kind]
        try:
            fits = len(told) == 1 and (int(told[0][1]), _fen(told[0][2])) == (len(mine), sum(mine))
        except ValueError:
            fits = False
        if not fits:
            raise BillUnreadable("the rows do not add up to the trailer")


def _instant(text: str) -> datetime:
    if _TIME.fullmatch(text) is None:
        raise ValueError("no time")
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def _fen(text: str) -> int:
    if _YUAN.fullmatch(text) is None:
        raise ValueError("no amount")
    return int(Decimal(text) * 100)


def _present(text: str) -> str:
    if not text:
        raise ValueError("nothing")
    return text
