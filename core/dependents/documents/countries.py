"""Countries that issue documents: ISO 3166 and the codes that passports print beside it. Source: data/countries.csv."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from core.dependents.documents.numbers import normal_number
from core.dependents.typed import InputFault

TABLE = Path(__file__).resolve().parents[3] / "data" / "countries.csv"
CHINA = "CHN"


def read_country(typed: str) -> str:
    """The alpha-3 code, from that or the alpha-2 code. Raises: InputFault with `empty` or `unknown_country`."""
    code = normal_number(typed)
    if not code:
        raise InputFault("empty")
    try:
        return _codes()[code]
    except KeyError:
        raise InputFault("unknown_country") from None


def is_country(code: str) -> bool:
    """Whether `code` is an alpha-3 code."""
    return _codes().get(code) == code


@cache
def _codes() -> dict[str, str]:
    """Every accepted code and the alpha-3 it stands for. Read once: the table never changes under a running process."""
    with TABLE.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {code: row["code"] for row in rows for code in (row["code"], row["alpha_2"], *row["also"].split()) if code}
