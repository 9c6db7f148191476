"""The file of a trade bill: backquotes, yuan, a byte order mark, and a summary below (protocol section 4.9)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MARK = "\ufeff"
LINE_END = "\r\n"
BETWEEN = ",`"


@dataclass(frozen=True)
class Bill:
    """The texts of a bill by their column: each row, and the summary."""

    rows: Sequence[Mapping[str, str]]
    summary: Mapping[str, str]


def write_bill(bill: Bill) -> bytes:
    """The file. All rows have the columns of the first. Raises: ValueError without rows or for a text with an end."""
    if not bill.rows or any(row.keys() != bill.rows[0].keys() for row in bill.rows):
        raise ValueError("rows of one shape are needed")
    lines = [_names(bill.rows[0]), *map(_values, bill.rows), _names(bill.summary), _values(bill.summary), ""]
    if any(end in line for line in lines for end in "\r\n"):
        raise ValueError("a line holds an end of line")
    return (MARK + LINE_END.join(lines)).encode()


def read_bill(content: bytes) -> Bill:
    """Read a file back. Raises: ValueError where a line does not fit its header."""
    text = content.decode()
    if not text.startswith(MARK):
        raise ValueError("no byte order mark")
    header, *details, summary_header, summary, end = text.removeprefix(MARK).split(LINE_END)
    if end:
        raise ValueError("the last line has no end")
    return Bill([_row(header, line) for line in details], _row(summary_header, summary))


def _row(header: str, line: str) -> dict[str, str]:
    if not line.startswith("`"):
        raise ValueError("a value has no backquote")
    return dict(zip(header.split(","), line[1:].split(BETWEEN), strict=True))


def _names(row: Mapping[str, str]) -> str:
    return ",".join(row)


def _values(row: Mapping[str, str]) -> str:
    return "`" + BETWEEN.join(row.values())
