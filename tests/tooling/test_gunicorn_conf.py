"""gunicorn.conf.py: every name in it is one that gunicorn knows, and what it sets suits the machine."""

from __future__ import annotations

import os
import re
import runpy
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from gunicorn.config import KNOWN_SETTINGS
from running import blank_postgres, gunicorn, local_environ
from sqlalchemy.engine import URL
from tooling.test_compose import SERVICES

from migrations import upgrade

ROOT = Path(__file__).parent.parent.parent


def conf(monkeypatch: pytest.MonkeyPatch, **environ: str) -> dict[str, Any]:
    """Its settings in this environment."""
    for name in ("MODE", "DATABASE_URL", "WEB_PROCESSES", "BIND", "API_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    read = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    ours = re.findall(r"^([a-z]\w*) = |^def ([a-z]\w*)\(", (ROOT / "gunicorn.conf.py").read_text(), re.MULTILINE)
    return {name: read[name] for name in ("".join(pair) for pair in ours)}


def test_gunicorn_knows_every_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those it does not know it passes over without a word."""
    known = {setting.name for setting in KNOWN_SETTINGS}
    assert (
        {"workers", "control_socket_disable", "when_ready", "limit_request_line"} <= conf(monkeypatch).keys() <= known
    )


def test_there_is_a_process_for_each_core_and_one_alone_on_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    postgres = {"DATABASE_URL": "postgresql://db/yuezhen"}
    assert conf(monkeypatch, **postgres)["workers"] == 6
    assert conf(monkeypatch, **postgres, WEB_PROCESSES="3")["workers"] == 3
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert conf(monkeypatch, **postgres)["workers"] == 2
    assert conf(monkeypatch, DATABASE_URL="sqlite:////data/yuezhen.db", WEB_PROCESSES="3")["workers"] == 1
    assert conf(monkeypatch)["worker_class"] == "gthread"


def test_it_ends_before_whoever_stops_it_loses_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    assert conf(monkeypatch)["graceful_timeout"] < int(SERVICES["api"]["stop_grace_period"].rstrip("s"))
    local = int(SERVICES["local-api"]["stop_grace_period"].rstrip("s"))
    assert conf(monkeypatch, MODE="local")["graceful_timeout"] < local


@pytest.fixture
def served(tmp_path: Path, postgres_server: URL) -> Iterator[str]:
    with blank_postgres(postgres_server) as url:
        upgrade(url)
        with gunicorn(local_environ(tmp_path, url), tmp_path / "log") as base_url:
            yield base_url


def test_what_is_longer_than_any_client_of_ours_is_refused_and_serving_goes_on(served: str) -> None:
    asked = b"GET /healthz HTTP/1.1\r\nHost: here\r\n"
    for sent in (
        b"GET /healthz?" + b"a" * 4094 + b" HTTP/1.1\r\nHost: here\r\n\r\n",
        asked + b"A: a\r\n" * 70 + b"\r\n",
        asked + b"A: " + b"a" * 8200 + b"\r\n\r\n",
    ):
        assert re.match(rb"HTTP/1\.1 4\d\d ", _answer(served, sent)), sent[:40]
        assert requests.get(f"{served}/healthz", timeout=15).status_code == 200
    assert _answer(served, asked + b"A: a\r\n" * 60 + b"\r\n").startswith(b"HTTP/1.1 200 ")


def _answer(url: str, sent: bytes) -> bytes:
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=15) as connection:
        connection.sendall(sent)
        return connection.recv(200)


def test_it_is_read_as_it_stands_by_gunicorn_itself(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--check-config", "--config", "gunicorn.conf.py", "wsgi:app"],
        env=os.environ | local_environ(tmp_path, f"sqlite:///{tmp_path}/yuezhen.db"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
