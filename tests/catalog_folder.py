"""A small directory in a folder, right in every row until a test says otherwise."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.catalog.directory import Loaded, load_directory
from core.catalog.folder import COLUMNS, read_directory
from core.catalog.pinyin import NO_OVERRIDES
from core.catalog.texts import spell_out
from core.transactions import Transactions

Row = dict[str, str]


def _rows(file: str, *lines: str) -> list[Row]:
    return [dict(zip(COLUMNS[file].split(","), line.split("|"), strict=True)) for line in lines]


def _files() -> dict[str, list[Row]]:
    return {
        "hospitals.csv": _rows(
            "hospitals.csv",
            "H1|南京第一示例医院|一院;示例一院|三级甲等|综合|320106|示例路1号|32.05|118.78|||false",
            "H2|杭州示例儿童医院||三级甲等|儿童|330102|示例路2号|30.25|120.17|shop|请带齐证件。|true",
        ),
        "campuses.csv": _rows("campuses.csv", "H1|H1-A|本部|示例路1号|32.05|118.78", "H2|H2-A|本部|示例路2号||"),
        "departments.csv": _rows(
            "departments.csv",
            "H1|H1-G1||内科||||||true|false",
            "H1|H1-D1|H1-G1|心血管内科|心内科|03.04||||true|false",
            "H1|H1-D2||妇科|||F|14||true|false",
            "H2|H2-D1||儿科||07||0|18|true|false",
        ),
        "doctors.csv": _rows(
            "doctors.csv",
            "H1|DOC1|H1-D1|单晓明|主任医师|M|虚拟|true",
            "H2|DOC2|H2-D1|虚拟乙|主治医师|F|虚拟|true",
        ),
        "rosters.csv": _rows(
            "rosters.csv",
            "H1|H1-D1|DOC1|H1-A|1|morning|08:00|10:00|EXPERT|5000|30|2|true",
            "H1|H1-D1||H1-A|3|afternoon|13:30|16:00|GENERAL|2500|30|3|true",
            "H2|H2-D1|DOC2|H2-A|5|morning|08:00|09:00|EXPERT|0|15|1|true",
        ),
    }


@dataclass
class Folder:
    """`files` are the rows to be written; `raw` is written as it stands."""

    path: Path
    files: dict[str, list[Row]] = field(default_factory=_files)
    policies: Any = None
    raw: dict[str, bytes] = field(default_factory=dict)

    def row(self, file: str, number: int = 0) -> Row:
        return self.files[file][number]

    def write(self) -> Path:
        for file, rows in self.files.items():
            with (self.path / file).open("w", encoding="utf-8", newline="") as out:
                writer = csv.DictWriter(out, COLUMNS[file].split(","))
                writer.writeheader()
                writer.writerows(rows)
        if self.policies is not None:
            (self.path / "policies.json").write_text(json.dumps(self.policies), encoding="utf-8")
        for file, content in self.raw.items():
            (self.path / file).write_bytes(content)
        return self.path

    def load(self, transactions: Transactions) -> Loaded:
        directory = read_directory(self.write())
        texts = spell_out(directory, NO_OVERRIDES)
        return transactions.write(lambda session, now: load_directory(session, directory, texts=texts, now=now))
