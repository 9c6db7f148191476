"""The morning after, when both platforms' bills of the day are held against the books (对账)."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Any

from journey_client import ZONE, Teller, check, control, operator, operator_says

_WHOSE = ("wechat_pay", "demo")
_SAFE_TO_SAY = "looked at with the platform"


@dataclass
class Morning:
    """`numbers`: payments by WeChat of that day, of which some are made wrong in its bill."""

    tell: Teller
    day: date
    numbers: Sequence[str]
    at: datetime = field(init=False)

    def __post_init__(self) -> None:
        """Both platforms have their bills ready by ten."""
        self.at = datetime.combine(self.day + timedelta(days=1), clock_time(10, 30), ZONE)

    def walk(self) -> None:
        control("POST", "/clock", {"now": self.at.isoformat()})
        self.close_what_agrees()
        planted = self.plant()
        found = self.find(planted)
        self.look_again(found)
        self.end_one(found[0])
        self.print_sheets()

    def close_what_agrees(self) -> None:
        found = operator("reconcile-day", "alipay", "demo", str(self.day), "--operator", "clerk-3", at=self.at)
        check(found == [], f"Alipay's bill and the books differ: {found}")
        self.tell("Alipay's bill of the day", "every line agrees with the books")

    def plant(self) -> Mapping[tuple[str, str], str]:
        """What was done to the bill, by the kind of difference it must be found as and the number."""
        first, second, third, fourth = self.numbers[:4]
        made = {
            ("ours_only", first): "missing_line",
            ("amount_differs", second): "wrong_amount",
            ("duplicate", third): "duplicate_line",
            ("state_differs", fourth): "wrong_state",
        }
        for (_, number), kind in made.items():
            match = {"out_trade_no": number, "bill_date": str(self.day)}
            control("POST", "/faults", {"target": "bill.trade", "kind": kind, "match": match})
        match = {"merchant": "demo", "bill_date": str(self.day)}
        control("POST", "/faults", {"target": "bill.trade", "kind": "extra_line", "match": match})
        self.tell("five lines of WeChat's bill are made wrong", ", ".join([*made.values(), "extra_line"]))
        return made

    def find(self, planted: Mapping[tuple[str, str], str]) -> list[Any]:
        said = self.reconcile()
        lines = [one for one in said if one["entry"] != "movements"]
        ours = {(one["kind"], one["number"]) for one in lines if one["kind"] != "theirs_only"}
        strange = [one["number"] for one in lines if one["kind"] == "theirs_only"]
        check(ours == set(planted), f"planted {sorted(planted)}, found {sorted(ours)}")
        check(len(strange) == 1 and len(lines) == 5, f"of a payment that nobody made: {strange}, of {lines}")
        for one in lines:
            self.tell(f"found: {one['kind']}", f"{one['number']}, {one['facts']}")
        sums = [one["number"].split("/")[1] for one in said if one["entry"] == "movements"]
        check(sums == ["payments", "fees"], f"beside what moved in the account, these sums of the bill differ: {sums}")
        self.tell("and so its sums beside the fund flow", ", ".join(sums))
        return lines

    def reconcile(self) -> list[Any]:
        return operator("reconcile-day", *_WHOSE, str(self.day), "--operator", "clerk-3", exits=1, at=self.at)

    def look_again(self, found: Sequence[Mapping[str, Any]]) -> None:
        again = [one["id"] for one in self.reconcile() if one["entry"] != "movements"]
        check(again == [one["id"] for one in found], "a second look at the same bill found something else")
        self.tell("the same bill once more", "the same five, nothing new")

    def end_one(self, difference: Mapping[str, Any]) -> None:
        word = ("end-difference", difference["id"], "--why", _SAFE_TO_SAY, "--operator")
        operator(*word, "clerk-3", exits=2, at=self.at)
        operator(*word, "clerk-4", at=self.at)
        left = operator("list-differences", at=self.at)
        check(difference["id"] not in [one["id"] for one in left], "what two people have ended is still listed")
        self.tell("clerk-3 and clerk-4 ended one", f"{difference['kind']} {difference['number']}")

    def print_sheets(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for suffix in ("csv", "xlsx"):
                to = Path(folder) / f"sheet.{suffix}"
                operator_says("closing-sheet", *_WHOSE, str(self.day), "--to", str(to), at=self.at)
                check(to.stat().st_size > 0, f"the sheet as {suffix} is empty")
            with (Path(folder) / "sheet.csv").open(encoding="utf-8-sig", newline="") as text:
                rows = [row for row in csv.reader(text) if row]
        for row in rows[: rows.index(["差异"])]:
            print("     " + "\t".join(row))
        self.tell("the closing sheet", f"{len(rows)} rows, as CSV and as XLSX")
