"""The files of Alipay's bills: taken out of their archive and cut into cells (alipay.md 9).

Neither the archive nor a file is signed; both come from an address that a proven answer told.
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

from core.ports import BillUnreadable
from integrations.alipay._signing import ZONE

CHARSET = "gb18030"
MOST_BYTES = 64 * 1024 * 1024
"""Some three hundred thousand lines, which take half a gigabyte to be read."""
MOST_MEMBERS = 16
NAME = "商品名称"
"""The one column inside a line that others write, and which may therefore hold a comma."""

_UTF_8_NAME = 0x800
_HEAD_LINES = 4
_ACCOUNT = re.compile(r"#账号：\[([0-9]{16,32})\]")
_PERIOD = re.compile(r"#起始日期：\[([0-9]{4})年([0-9]{2})月([0-9]{2})日 00:00:00\].*")
_YUAN = re.compile(r"[-+]?(0|[1-9][0-9]{0,11})\.[0-9]{2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


@dataclass(frozen=True)
class Form:
    """What tells one kind of file from another: `word` stands in its title and in the name of its file."""

    word: str
    times: tuple[str, ...]
    """Columns that hold an instant and stand behind the name without a gap."""

    @property
    def ending(self) -> str:
        """How the name of the file of details ends; the one with the sums ends otherwise, and may come first."""
        return f"_{self.word}明细.csv"


@dataclass(frozen=True)
class Table:
    """The texts of a file by their column, each line with its number, and what stands below the list."""

    details: tuple[tuple[int, Mapping[str, str]], ...]
    trailer: tuple[str, ...]


def unpack(archive: bytes, ending: str) -> bytes:
    """The one file inside the archive whose name ends so. Raises: BillUnreadable."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            members = opened.infolist()
            found = [one for one in members if _name(one).endswith(ending)]
            if len(members) > MOST_MEMBERS or len(found) != 1:
                raise BillUnreadable("not one file of details")
            with opened.open(found[0]) as file:
                content = file.read(MOST_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError, struct.error):
        raise BillUnreadable("not a zip archive") from None
    if len(content) > MOST_BYTES:
        raise BillUnreadable("too large")
    return content


def read_table(content: bytes, form: Form, *, seller_id: str, day: date) -> Table:
    """The file of our own account for one day. Raises: BillUnreadable."""
    lines = _lines(content)
    begins = re.compile(rf"#-+{form.word}明细列表-+")
    if len(lines) < _HEAD_LINES + 2 or lines[0] != f"#支付宝{form.word}明细查询" or not begins.fullmatch(lines[3]):
        raise BillUnreadable("another head")
    _check_head(lines, seller_id=seller_id, day=day)
    ends = [number for number, line in enumerate(lines) if re.fullmatch(rf"#-+{form.word}明细列表结束-+", line)]
    if len(ends) != 1:
        raise BillUnreadable("not one end of the list")
    header = [name.strip() for name in lines[_HEAD_LINES].split(",")]
    body = lines[_HEAD_LINES + 1 : ends[0]]
    details = tuple((at, _cells(header, line, form, at)) for at, line in enumerate(body, _HEAD_LINES + 2))
    return Table(details, tuple(lines[ends[0] + 1 :]))


def told_sum(trailer: Sequence[str], shape: re.Pattern[str]) -> tuple[int, int]:
    """Count and fen that the one fitting line of the trailer tells. Raises: BillUnreadable."""
    told = [found for found in map(shape.fullmatch, trailer) if found]
    if len(told) != 1 or _YUAN.fullmatch(told[0][2]) is None:
        raise BillUnreadable("the trailer does not fit")
    return int(told[0][1]), fen(told[0][2])


def instant(text: str) -> datetime:
    """Raises: ValueError."""
    if _TIME.fullmatch(text) is None:
        raise ValueError("no time")
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def fen(text: str) -> int:
    """Either sign. Raises: ValueError."""
    if _YUAN.fullmatch(text) is None:
        raise ValueError("no amount")
    return int(Decimal(text) * 100)


def present(text: str) -> str:
    """Raises: ValueError."""
    if not text:
        raise ValueError("nothing")
    return text


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


def _cells(header: Sequence[str], line: str, form: Form, number: int) -> dict[str, str]:
    """Commas stand between values and are not marked inside one.

    More values than columns are a name or a last remark with commas: where the name ends is told by the times behind
    it, and where two places could be its end the line is refused.
    """
    values = [value.strip(" \t") for value in line.split(",")]
    surplus = len(values) - len(header)
    if len(set(header)) != len(header) or surplus < 0:
        raise BillUnreadable(f"line {number} does not fit its header")
    if surplus == 0:
        return dict(zip(header, values, strict=True))
    fitting = [cells for taken in range(surplus + 1) if (cells := _joined(header, values, form, taken, surplus))]
    if len(fitting) != 1:
        raise BillUnreadable(f"line {number} does not fit its header")
    return fitting[0]


def _joined(header: Sequence[str], values: Sequence[str], form: Form, taken: int, surplus: int) -> dict[str, str]:
    """The line with `taken` commas inside its name and the rest in its last column; empty where that cannot be."""
    if NAME not in header:
        return {}
    at, last = header.index(NAME), len(header) - 1
    end = last + taken
    joined = [*values[:at], ",".join(values[at : at + taken + 1]), *values[at + taken + 1 : end]]
    cells = dict(zip(header, [*joined, ",".join(values[end:])], strict=True))
    if at == last or not all(_TIME.fullmatch(cells.get(name, "")) for name in form.times):
        return {}
    return cells if taken == surplus or header[-1] == "备注" else {}
