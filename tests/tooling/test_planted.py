"""The deliberate breaks of `make planted` fit the code as it stands, and name tests that there are."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATCHES = sorted((ROOT / "tests" / "faults" / "planted").glob("*.patch"))


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_break_applies_and_its_tests_are_there(patch: Path) -> None:
    checked = subprocess.run(["git", "apply", "--check", patch], cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    head = patch.read_text().partition("\ndiff ")[0]
    named = [line.removeprefix("Test: ") for line in head.splitlines() if line.startswith("Test: ")]
    assert named
    for one in named:
        place, _, name = one.partition("::")
        functions = {
            node.name for node in ast.walk(ast.parse((ROOT / place).read_text())) if isinstance(node, ast.FunctionDef)
        }
        assert name.partition("[")[0] in functions
