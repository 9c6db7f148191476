"""Lock files pin by digest and name no place to fetch from: that is for whoever installs to say."""

from __future__ import annotations

import ast
import configparser
import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PYTHON_LOCKS = sorted(ROOT.glob("requirements/*.txt"))
NODE_LOCKS = [ROOT / "tests" / "node" / "package-lock.json"]


@pytest.mark.parametrize("lock", PYTHON_LOCKS, ids=lambda lock: lock.name)
def test_every_python_package_is_pinned_by_digest_and_from_nowhere(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"^--(?!hash)", text, re.MULTILINE)
    rows = text.replace("\\\n", " ").splitlines()
    pinned = [row for row in rows if row and not row.lstrip().startswith("#")]
    assert pinned
    assert [row for row in pinned if "==" not in row or "--hash=sha256:" not in row] == []


@pytest.mark.parametrize("lock", NODE_LOCKS, ids=lambda lock: lock.parent.name)
def test_every_node_package_is_pinned_by_digest_and_from_nowhere(lock: Path) -> None:
    packages = json.loads(lock.read_text())["packages"]
    own = packages.pop("")
    assert {f"node_modules/{name}" for name in own["dependencies"]} <= packages.keys()
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in own["dependencies"].values())
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name


def test_the_locks_hold_what_setup_cfg_asks_for() -> None:
    """`make lock` was run after the last change."""
    asked = _setup()["options"]["install_requires"].split()
    assert {_plain(row): row.partition("==")[2] for row in asked}.items() <= _locked("runtime.txt").items()
    for extra in _setup()["options.extras_require"].values():
        assert {_plain(row): row.partition("==")[2] for row in extra.split()}.items() <= _locked("test.txt").items()


def test_whatever_the_product_imports_is_installed_with_it() -> None:
    """A package that only the tests bring is missing wherever the product runs by itself."""
    packages = [name.rstrip("*") for name in _setup()["options.packages.find"]["include"].split()]
    brought_by, installed = packages_distributions(), _locked("runtime.txt").keys()
    missing = {
        f"{path.relative_to(ROOT)}: {name}"
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        for name in _imported(path)
        if name not in {*sys.stdlib_module_names, *packages}
        and installed.isdisjoint(map(_plain, brought_by.get(name, [])))
    }
    assert missing == set()


def _setup() -> configparser.ConfigParser:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return setup


def _locked(name: str) -> dict[str, str]:
    rows = re.findall(r"^([\w.-]+)==([^ ;]+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE)
    return {_plain(package): version for package, version in rows}


def _plain(requirement: str) -> str:
    """The name alone, in one spelling."""
    return re.split(r"[\[=]", requirement)[0].lower().replace("_", "-")


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]
