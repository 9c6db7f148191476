"""What `make` says and does before anything runs: every word is there, and what is missing is named."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
WORDS = {"help", "run", "journey", "test", "check", "bench", "planted", "migrate", "secrets", "lock", "clean"}


def _run(tmp_path: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    settings = {"DATA_DIR": str(tmp_path / "data"), "DATABASE_URL": "", "API_PORT": "", "SANDBOX_PORT": ""} | environ
    command = [sys.executable, str(ROOT / "tools" / "run.py")]
    return subprocess.run(
        command, env=os.environ | settings, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.parametrize("name", ["API_PORT", "SANDBOX_PORT"])
def test_a_port_in_use_is_named_with_its_variable(tmp_path: Path, name: str) -> None:
    ports = {"API_PORT": _free_port(), "SANDBOX_PORT": _free_port()}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports[name] = str(taken.getsockname()[1])
        refused = _run(tmp_path, **ports)
    assert refused.returncode == 1
    assert f"Port {ports[name]} is not free" in refused.stdout
    assert f"make run {name}=" in refused.stdout
    assert refused.stderr == ""


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"API_PORT": "eighty"}, "API_PORT must be a port number"),
        ({"SANDBOX_PORT": "70000"}, "SANDBOX_PORT must be a port number"),
        ({"API_PORT": "8100"}, "API_PORT and SANDBOX_PORT must differ"),
        ({"DATA_DIR": "/dev/null/data"}, "/dev/null/data (DATA_DIR) cannot be written"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(tmp_path: Path, environ: dict[str, str], said: str) -> None:
    refused = _run(tmp_path, **environ)
    assert (refused.returncode, refused.stderr) == (1, "")
    assert said in refused.stdout
    assert len(refused.stdout.splitlines()) == 1


def test_a_data_folder_belongs_to_one_run(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = _run(tmp_path)
    assert refused.returncode == 1
    assert "in use by another run" in refused.stdout


def test_help_lists_every_word() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {*re.findall(r"make (\w+)", listed)} >= WORDS


def test_without_a_fit_python_make_says_so(tmp_path: Path) -> None:
    script = str(ROOT / "tools" / "make_venv.sh")
    refused = subprocess.run(
        ["/bin/sh", script, str(tmp_path / "venv")], env={"PATH": str(tmp_path)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert refused.returncode == 1
    assert "Python 3.11 or newer is needed" in refused.stderr
    assert not (tmp_path / "venv").exists()


def test_locks_hold_every_pin_with_hashes_and_no_address() -> None:
    for name in ("build.txt", "runtime.txt", "test.txt"):
        text = (ROOT / "requirements" / name).read_text()
        assert not re.search(r"https?://|--index-url|--extra-index-url|--find-links", text)
        entries = re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE)
        assert len(entries) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE))
        assert text.count("--hash=sha256:") >= len(entries)
    pins = set(re.findall(r"^ {4}([a-z-]+)(?:\[\w+\])?==(\S+)$", (ROOT / "setup.cfg").read_text(), re.MULTILINE))
    assert pins <= set(entries)


def test_an_operators_command_names_the_setting_that_finds_no_run(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "flask_here.py"), "invariants"]
    settings = {"DATA_DIR": str(tmp_path / "elsewhere")}
    told = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 1
    assert told.stderr == f"No `make run` has kept anything in {tmp_path / 'elsewhere'}: say its DATA_DIR here too.\n"
