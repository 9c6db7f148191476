"""Lock files pin by digest and name no place to fetch from: that is for whoever installs to say."""

from __future__ import annotations

import json
import re
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
