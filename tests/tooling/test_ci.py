"""What is checked before a merge is what README tells a stranger to run, and nothing hides behind a missing program."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
RUN = (ROOT / ".ci" / "run").read_text()
READMES = ["README.md", "README.zh-CN.md"]


def words(text: str) -> set[str]:
    return set(re.findall(r"^ *make (\w+)", text, re.MULTILINE))


def fenced(name: str) -> str:
    return "\n".join(re.findall(r"```\w*\n(.*?)```", (ROOT / name).read_text(), re.DOTALL))


@pytest.mark.parametrize("name", READMES)
def test_ci_runs_what_the_readme_says(name: str) -> None:
    assert words(RUN) == {"check", "test"}
    assert words(RUN) <= words(fenced(name))


@pytest.mark.parametrize("name", READMES)
def test_every_word_of_the_readme_is_one_of_make(name: str) -> None:
    targets = set(re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert words(fenced(name)) <= targets


def test_ci_brings_each_program_without_which_tests_would_skip() -> None:
    assert "export CI=true\nsh tools/ci_programs.sh\nmake check\nmake test\n" in RUN
    script = (ROOT / "tools" / "ci_programs.sh").read_text()
    assert set(re.findall(r"install (\S+)$", script, re.MULTILINE)) == {
        "chromium",
        "redis-server",
        "nodejs",
        "npm",
        "iproute2",
    }
    for shell in ("tools/ci_programs.sh", "tools/make_venv.sh"):
        subprocess.run(["sh", "-n", str(ROOT / shell)], check=True)
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)
