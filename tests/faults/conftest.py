"""A sandbox for the worker's whole run, the app beside it with an empty database for each test, and the app as it is
served, with one database for a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crowd import Town
from racing import workers
from running import blank_postgres, gunicorn, local_environ, looking_at, vault_of
from stage import Stage, on_stage, on_stage_with
from wire import in_process, over_http

from migrations import upgrade
from miniapp_api.app import create_app
from miniapp_api.config import Config
from miniapp_api.services import EXTENSION
from models.database import Database
from sandbox.app import Running
from sandbox.testing import running_sandbox


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Its notices are repeated a thousand times faster than WeChat's; what they are stamped with is real."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), settle_delay=0.01) as running:
        yield running


@pytest.fixture
def stage(platform: Running, database: Database, tmp_path: Path) -> Iterator[Stage]:
    """On each kind of database in turn."""
    with on_stage(platform, database.url.render_as_string(hide_password=False), tmp_path) as opened:
        yield opened
        assert opened.town.broken(now=opened.clock.now()) == []


@pytest.fixture
def stage_of_its_own(database: Database, tmp_path: Path) -> Iterator[Stage]:
    """With a platform that has seen nothing else today: a bill has everybody's payments."""
    with (
        running_sandbox(tmp_path / "sandbox", settle_delay=0.01) as platform,
        on_stage(platform, database.url.render_as_string(hide_password=False), tmp_path) as opened,
    ):
        yield opened
        assert opened.town.broken(now=opened.clock.now()) == []


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def _beside_a_hospital(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp(f"hospital-{request.param}")
    with (
        running_sandbox(folder / "sandbox", settle_delay=0.01) as platform,
        on_stage_with(request.param, request, platform, folder) as opened,
    ):
        yield opened


@pytest.fixture
def hospital_stage(_beside_a_hospital: Stage) -> Iterator[Stage]:
    """One for a module. Each test begins at the machine's own time: that is what WeChat stamps its events with."""
    _beside_a_hospital.return_to_the_present()
    yield _beside_a_hospital
    _beside_a_hospital.control("DELETE", "/faults")
    assert _beside_a_hospital.town.broken(now=_beside_a_hospital.clock.now()) == []


@pytest.fixture
def a_worker_runs(stage: Stage) -> Iterator[None]:
    """Beside the test, in a thread."""
    with workers(stage.workbench, count=1):
        yield


@pytest.fixture(scope="module", params=["postgres", "sqlite"])
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The app with its database, served as each kind of database has it served."""
    start = {"postgres": _on_postgres, "sqlite": _on_sqlite}[request.param]
    yield from start(request, tmp_path_factory.mktemp(request.param))


def _on_postgres(request: pytest.FixtureRequest, folder: Path) -> Iterator[Town]:
    with blank_postgres(request.getfixturevalue("postgres_server")) as database_url:
        upgrade(database_url)
        environ = local_environ(folder, database_url)
        vault = vault_of(Config.from_environ(environ))
        with gunicorn(environ, folder / "log") as base_url, looking_at(database_url) as database:
            yield Town(database, vault, over_http(base_url, timeout=60))


def _on_sqlite(_request: pytest.FixtureRequest, folder: Path) -> Iterator[Town]:
    config = Config.from_environ(local_environ(folder, f"sqlite:///{folder / 'yuezhen.db'}"))
    app = create_app(config)
    database = app.extensions[EXTENSION].workbench.transactions.database
    upgrade(config.database_url)
    yield Town(database, vault_of(config), in_process(app))
    database.close()
