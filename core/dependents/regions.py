"""Administrative area codes, the abolished ones among them (GB/T 2260). Source: data/regions.csv."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

TABLE = Path(__file__).resolve().parents[2] / "data" / "regions.csv"


def is_known_region(code: str) -> bool:
    """Whether the code is, or ever was, an area."""
    return code in _codes()


@cache
def _codes() -> frozenset[str]:
    """Read once, when first needed: the table is part of the product and never changes under a running process."""
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return frozenset(row["code"] for row in csv.DictReader(lines))
