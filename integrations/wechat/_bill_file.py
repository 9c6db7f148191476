"""The file of a bill of WeChat Pay: unpacked, proven by its hash, and cut into cells (wechat.md 4.9).

Source: PAY /docs/merchant/products/bill-download/format-trade and format-fundflow.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.ports import BillUnreadable, InvalidSignature
from integrations.bill_days import ZONE
from integrations.wechat._fields import decrypt_bytes

BOM = b"\xef\xbb\xbf"
MOST_BYTES = 64 * 1024 * 1024
"""Some three hundred thousand lines, which take half a gigabyte to be read."""

_WRITTEN = ("商品名称", "备注")
"""By whoever sells on the same merchant number, in a trade bill and in a flow of money."""
_GZIP = 31  # zlib's word for: gzip, with its header and check sum
_YUAN = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


@dataclass(frozen=True)
class Table:
    """The texts of a file by their column: each detail, and the summary below them. Details begin at line 2."""

    details: tuple[Mapping[str, str], ...]
    summary: Mapping[str, str]


def unseal(body: bytes, key: RSAPrivateKey, *, encrypt_key: str, nonce: str) -> bytes:
    """What a sealed download holds: its own key is sealed with the merchant's. Raises: BillUnreadable."""
    try:
        return AESGCM(decrypt_bytes(key, encrypt_key)).decrypt(nonce.encode(), body, b"")
    except (InvalidSignature, InvalidTag, ValueError):  # ValueError: a key or nonce that no cipher takes
        raise BillUnreadable("its seal does not open") from None


def unpack(body: bytes, *, sha1: str | None) -> bytes:
    """The file inside a download that was asked for as GZIP; `sha1` (hex, as told beforehand) is of the file itself.
    None where a seal has proven it.

    Raises: BillUnreadable.
    """
    unzip = zlib.decompressobj(_GZIP)
    try:
        content = unzip.decompress(body, MOST_BYTES)
    except zlib.error:
        raise BillUnreadable("not gzip") from None
    if not unzip.eof or unzip.unused_data:
        raise BillUnreadable("too large, cut, or not alone")
    if sha1 is not None and hashlib.sha1(content, usedforsecurity=False).hexdigest() != sha1.lower():
        raise BillUnreadable("another hash")
    return content


def read_table(content: bytes) -> Table:
    """Raises: BillUnreadable."""
    lines = _lines(content)
    if len(lines) < 3:
        raise BillUnreadable("too short")
    *details, summary_header, summary = lines
    header = details[0].split(",")
    cells = tuple(_cells(header, line, number) for number, line in enumerate(details[1:], 2))
    return Table(cells, _cells(summary_header.split(","), summary, len(lines)))


def instant(text: str) -> datetime:
    """Raises: ValueError."""
    if _TIME.fullmatch(text) is None:
        raise ValueError("no time")
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def yuan(text: str) -> Decimal:
    """Raises: ValueError."""
    if _YUAN.fullmatch(text) is None:
        raise ValueError("no amount")
    return Decimal(text)


def whole_fen(text: str) -> int:
    """Either sign. Raises: ValueError."""
    fen = yuan(text) * 100
    if fen != fen.to_integral_value():
        raise ValueError("no whole fen")
    return int(fen)


def fen(text: str) -> int:
    """Not below zero. Raises: ValueError."""
    found = whole_fen(text)
    if found < 0:
        raise ValueError("below zero")
    return found


def _lines(content: bytes) -> list[str]:
    if not content.startswith(BOM):
        raise BillUnreadable("no byte order mark")
    try:
        text = content[len(BOM) :].decode()
    except UnicodeDecodeError:
        raise BillUnreadable("not UTF-8") from None
    *lines, end = text.split("\r\n")
    if end or any("\n" in line or "\r" in line for line in lines):
        raise BillUnreadable("lines do not end in CRLF")
    return lines


def _cells(header: list[str], line: str, number: int) -> dict[str, str]:
    """A backquote before every value tells a comma between values from one inside a name. What has both in it is a part
    of the one column that people write: the others stand before and behind it as they are."""
    values = line[1:].split(",`")
    at = next((header.index(name) for name in _WRITTEN if name in header), None)
    if at is not None and len(values) > len(header):
        end = at + len(values) - len(header) + 1
        values[at:end] = [",`".join(values[at:end])]
    if len(set(header)) != len(header) or not line.startswith("`") or len(values) != len(header):
        raise BillUnreadable(f"line {number} does not fit its header")
    return dict(zip(header, values, strict=True))
