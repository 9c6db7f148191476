"""docs/compliance.md has every row that the law asks for, and names only tests that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "compliance.md").read_text()
LAWS, FACE_ROWS = 30, 13


def test_every_row_stands_there_once() -> None:
    rows = re.findall(r"^\| ([LF]-\d\d) \|", PAGE, re.MULTILINE)
    assert rows == [f"L-{nth:02}" for nth in range(1, LAWS + 1)] + [f"F-{nth:02}" for nth in range(1, FACE_ROWS + 1)]


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE))))
def test_what_is_named_is_there(named: str) -> None:
    path, _, function = named.partition("::")
    tree = ast.parse((ROOT / path).read_text())
    assert not function or function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_row_says_something() -> None:
    assert all(len(line.split("|")[3].strip()) > 5 for line in PAGE.splitlines() if re.match(r"\| [LF]-", line))
