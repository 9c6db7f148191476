"""Node.js with the packages that the programs beside this file need.

Where there is no Node, or nothing to install its packages from, these tests skip and say so; in CI they must run.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest
from node.sdk import HERE

OLDEST = 18


def ready_node() -> str:
    """The program, with the packages of package-lock.json where the scripts find them. Skips or fails without it."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        _go_without("there is no Node.js with npm on this machine")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST:
        _go_without(f"Node.js {version.strip()} is older than {OLDEST}")
    # Workers of one run come here at the same time; the folder is theirs together.
    with Path(os.environ["YUEZHEN_TEST_RUN"]).with_suffix(".npm").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(npm)
    return found


def _install(npm: str) -> None:
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    stamp = HERE / "node_modules" / ".made-from"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    made = subprocess.run([npm, "ci"], cwd=HERE, capture_output=True, text=True, check=False, timeout=300)
    if made.returncode:
        _go_without(f"npm ci failed: {made.stderr[-500:]}")
    stamp.write_text(wanted)


def _go_without(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; in CI these tests must run", pytrace=False)
    pytest.skip(reason)
