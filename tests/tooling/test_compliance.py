"""docs/compliance.md has every row that the law asks for, and names only tests that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "compliance.md").read_text()
LAWS, FACE_ROWS = 30, 13
PEOPLE = ((1, 11), (2, 9), (3, 0), (4, 6), (5, 5))
"""How many rows each part of rules.md section 1 has; documents have one for the whole of their table."""


def test_every_row_stands_there_once() -> None:
    rows = re.findall(r"^\| ([LF]-\d\d) \|", PAGE, re.MULTILINE)
    assert rows == [f"L-{nth:02}" for nth in range(1, LAWS + 1)] + [f"F-{nth:02}" for nth in range(1, FACE_ROWS + 1)]


def test_every_row_about_people_stands_there_once() -> None:
    rows = re.findall(r"^\| (1\.\d(?:\.\d+)?) \|", PAGE, re.MULTILINE)
    assert rows == [
        row for part, most in PEOPLE for row in [f"1.{part}.{nth}" for nth in range(1, most + 1)] or [f"1.{part}"]
    ]


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE))))
def test_what_is_named_is_there(named: str) -> None:
    path, _, function = named.partition("::")
    tree = ast.parse((ROOT / path).read_text())
    assert not function or function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_row_says_something() -> None:
    assert all(len(line.split("|")[3].strip()) > 5 for line in PAGE.splitlines() if re.match(r"\| ([LF]-|1\.)", line))
