"""A sandbox for the worker's whole run, and the app beside it with an empty database for each test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from stage import Stage, on_stage

from miniapp_api.callbacks import events
from miniapp_api.callbacks.throttle import Throttle
from models.database import Database
from sandbox.app import Running
from sandbox.testing import running_sandbox


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Its notices are repeated a thousand times faster than WeChat's; what they are stamped with is real."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), settle_delay=0.01) as running:
        yield running


@pytest.fixture
def stage(platform: Running, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """On each kind of database in turn. What is kept of forgeries in a second is counted anew for each test: the
    throttle lives as long as its process, and a test before this one may have used the second up."""
    monkeypatch.setattr(events, "_kept", Throttle(events._KEPT_PER_SECOND))
    with on_stage(platform, database.url.render_as_string(hide_password=False), tmp_path) as opened:
        yield opened
        assert opened.town.broken(now=opened.clock.now()) == []


@pytest.fixture
def a_worker_runs(stage: Stage) -> Iterator[None]:
    """Beside the test, in a thread."""
    over = threading.Event()
    thread = threading.Thread(target=lambda: stage.runner().run_until(over, idle_seconds=0.01))
    thread.start()
    yield
    over.set()
    thread.join()
