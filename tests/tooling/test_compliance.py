"""The pages that tell demands by rows have every row, and name only tests that there are."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LAW, MONEY = ((ROOT / "docs" / name).read_text() for name in ("compliance.md", "reliability-of-money.md"))
LAWS, FACE_ROWS = 30, 13
PEOPLE = ((1, 11), (2, 9), (3, 0), (4, 6), (5, 5))
"""How many rows each part of rules.md section 1 has; documents have one for the whole of their table."""
FAULTS, ATTACKS, LOADS = [28, *range(30, 38), *range(40, 59)], range(20, 30), (10, 12)
"""The numbers of the rows about money; faults have none from 38 to 39, and of those before 30 one is of bills."""
_NAMED = re.compile(r"`(tests/[^`]+)`")
_ROW = re.compile(r"^\| ([AFL]-\d\d|1\.[\d.]+) \|.*$", re.MULTILINE)


def rows(page: str, ids: str) -> list[str]:
    return re.findall(rf"^\| ({ids}) \|", page, re.MULTILINE)


def numbered(letter: str, numbers: range | list[int] | tuple[int, ...]) -> list[str]:
    return [f"{letter}-{nth:02}" for nth in numbers]


def test_every_row_stands_there_once() -> None:
    expected = numbered("L", range(1, LAWS + 1)) + numbered("F", range(1, FACE_ROWS + 1))
    assert rows(LAW, r"[LF]-\d\d") == expected


def test_every_row_about_people_stands_there_once() -> None:
    assert rows(LAW, r"1\.\d(?:\.\d+)?") == [
        row for part, most in PEOPLE for row in [f"1.{part}.{nth}" for nth in range(1, most + 1)] or [f"1.{part}"]
    ]


def test_every_row_about_money_stands_there_once() -> None:
    expected = numbered("F", FAULTS) + numbered("A", ATTACKS) + numbered("L", LOADS)
    assert rows(MONEY, r"[AFL]-\d\d") == expected


@cache
def functions(path: str) -> dict[str, str]:
    """The functions of a file, each with its docstring."""
    tree = ast.parse((ROOT / path).read_text())
    return {node.name: ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("named", sorted(set(_NAMED.findall(LAW + MONEY))))
def test_what_is_named_is_there(named: str) -> None:
    path, _, function = named.partition("::")
    assert not function or function in functions(path)


@pytest.mark.parametrize("page", [LAW, MONEY], ids=["law", "money"])
def test_every_row_says_something(page: str) -> None:
    assert all(len(row.group().split("|")[3].strip()) > 5 for row in _ROW.finditer(page))


@pytest.mark.parametrize("row", list(_ROW.finditer(MONEY)), ids=lambda row: row.group(1))
def test_a_row_about_money_has_a_test_that_bears_its_id(row: re.Match[str]) -> None:
    """In its name; unless the row says that nothing of it is built, or that it is not ours."""
    told, of = row.group(), row.group(1)
    if re.search(r"not built|not software", told) and not _NAMED.search(told):
        return
    words = {of.lower().replace("-", "_"), of.lower().replace("-", "")}
    assert any(word in named.partition("::")[2] for named in _NAMED.findall(told) for word in words)
