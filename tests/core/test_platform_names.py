"""A platform's name picks an adapter in one registry and labels a row; nowhere else does it decide anything.

The source is read, not run: in no condition of these rooms does the name of a platform stand, neither as a word nor as
the member of an enumeration.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ROOMS = ("core", "models", "schemas", "miniapp_api")
REGISTRY = {"miniapp_api/adapters.py", "miniapp_api/platforms.py"}
PLATFORM = re.compile(r"wechat|weixin|alipay|wxpay|aliyun|tencent", re.IGNORECASE)


def conditions(tree: ast.AST) -> Iterator[ast.expr]:
    """Every expression by which the code goes one way or another."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
            yield node.test
        elif isinstance(node, ast.comprehension):
            yield from node.ifs
        elif isinstance(node, ast.Match):
            yield node.subject
            yield from (pattern.value for pattern in ast.walk(node) if isinstance(pattern, ast.MatchValue))
            yield from (case.guard for case in node.cases if case.guard is not None)
        elif isinstance(node, ast.Compare):
            yield node
        elif isinstance(node, ast.BoolOp):
            yield from node.values


def names_in(expression: ast.expr) -> Iterator[str]:
    for node in ast.walk(expression):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Name):
            yield node.id


def deciding(source: str) -> list[str]:
    """Where a platform's name decides, as `line: name`."""
    return sorted(
        {
            f"{condition.lineno}: {name}"
            for condition in conditions(ast.parse(source))
            for name in names_in(condition)
            if PLATFORM.search(name)
        }
    )


def test_no_platform_decides_anything_outside_the_registry() -> None:
    files = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    assert len(files) > 100
    found = {
        str(path.relative_to(ROOT)): where
        for path in files
        if str(path.relative_to(ROOT)) not in REGISTRY and (where := deciding(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "if provider == 'wechat_pay': pass",
        "if payment.channel is Channel.ALIPAY_MINIAPP: pass",
        "x = 1 if is_alipay else 2",
        "while kind in WECHAT_KINDS: pass",
        "y = [a for a in b if a.provider != 'alipay_miniapp']",
        "match channel:\n    case 'wechat_jsapi': pass",
        "match channel:\n    case Channel.ALIPAY_WAP: pass",
        "z = provider.startswith('wechat') and 1",
        "assert channel != Channel.WECHAT_H5",
        "if gateway.provider == 'aliyun': pass",
        "x = 1 if account.provider == TENCENT else 2",
    ],
)
def test_each_way_of_deciding_is_seen(source: str) -> None:
    assert deciding(source)


def test_a_label_is_no_decision() -> None:
    assert deciding("provider = 'wechat_pay'\nlog.info('x', provider=Provider.ALIPAY_MINIAPP)\nif provider: pass") == []
