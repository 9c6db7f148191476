"""The programs beside this file, each a platform's SDK for Node that does what it is told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LISTENING = re.compile(r"sandbox: (http://\S+) ")


class Refused(Exception):
    """What the SDK threw; `code` is the platform's word or the SDK's own."""

    def __init__(self, told: dict[str, str]) -> None:
        super().__init__(told["message"])
        self.code = told["code"]


@dataclass(frozen=True)
class Sdk:
    """A platform's SDK as one account uses it."""

    process: subprocess.Popen[str]
    keys: dict[str, Any]

    def __call__(self, deed: str, **given: Any) -> Any:
        """Let it do one thing. Raises: Refused."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"deed": deed, "keys": self.keys, **given}) + "\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        if "refused" in told:
            raise Refused(told["refused"])
        return told["done"]


@contextmanager
def sdk_process(node: str, program: str) -> Iterator[subprocess.Popen[str]]:
    """One of the programs, waiting for tasks."""
    process = subprocess.Popen(
        [node, str(HERE / program)],
        env={"PATH": os.environ["PATH"]},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(15) == 0


@contextmanager
def sandbox_process(folder: Path) -> Iterator[str]:
    """`python -m sandbox`, as an integrator runs it. Gives its address."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")}
    settings = {"SANDBOX_PORT": "0", "SANDBOX_SETTLE_DELAY": "0.02", "DATA_DIR": str(folder)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox"],
            cwd=HERE.parent.parent,
            env=clean | settings,
            text=True,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    try:
        found = LISTENING.match(process.stdout.readline())
        assert found is not None, (folder / "log").read_text()
        yield found[1]
    finally:
        process.terminate()
        process.wait(15)
        process.stdout.close()
