"""A real app over the test's database, a logged-in account, and a few routes that exist to be attacked."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import factories
import pytest
from canaries import plant
from fakes import ManualClock
from flask import current_app
from flask.testing import FlaskClient
from frame_probes import make_probes
from sqlalchemy.orm import Session
from ward import Ward, open_ward

from core.identity.login import token_digest
from core.invariants import check_invariants
from core.workbench import Workbench
from miniapp_api.app import App, create_app
from miniapp_api.config import Config
from miniapp_api.errors import problem_sent
from miniapp_api.keys import write_keys
from miniapp_api.openapi import operations, register
from miniapp_api.services import EXTENSION
from models.database import Database

Environ = dict[str, str]
Login = Callable[..., dict[str, str]]


@pytest.fixture
def environ(tmp_path: Path) -> Environ:
    """The least that a local start needs; the database comes with `config`."""
    write_keys(tmp_path / "keys.json")
    (tmp_path / "platforms.json").write_text(json.dumps({}))
    return {"MODE": "local", "DATA_DIR": str(tmp_path)}


@pytest.fixture
def database_url(database: Database) -> str:
    """Each kind in turn. A module whose rules have nothing to do with the database overrides this with one kind."""
    return database.url.render_as_string(hide_password=False)


@pytest.fixture
def ward(database: Database, tmp_path: Path) -> Iterator[Ward]:
    """On each kind of database; whatever a test did in it, every invariant holds afterwards."""
    with open_ward(database.url.render_as_string(hide_password=False), tmp_path) as opened:
        yield opened
        with database.read() as session:
            assert check_invariants(session, now=opened.clock.now()) == []


@pytest.fixture
def config(environ: Environ, database_url: str) -> Config:
    return Config.from_environ({**environ, "DATABASE_URL": database_url})


@pytest.fixture
def make_app(clock: ManualClock) -> Iterator[Callable[..., App]]:
    """Apps with probe routes, and with the test's clock unless another is given; closed at the end."""
    made: list[App] = []

    def make(config: Config, **given: Any) -> App:
        app = create_app(config, **{"clock": clock, **given})
        register(app, app.extensions["flask-smorest"]["apis"][""]["ext_obj"], make_probes())
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions[EXTENSION].workbench.transactions.database.close()


@pytest.fixture
def app(make_app: Callable[[Config], App], config: Config) -> App:
    return make_app(config)


@pytest.fixture
def client(app: App) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def workbench(app: App) -> Workbench:
    found: Workbench = app.extensions[EXTENSION].workbench
    return found


@pytest.fixture
def login(workbench: Workbench) -> Login:
    """Log a fresh account in; returns the headers of its requests."""
    return partial(log_in, workbench)


@pytest.fixture
def login_at() -> Callable[[FlaskClient], dict[str, str]]:
    """As `login`, at the app of a client."""
    return lambda client: log_in(client.application.extensions[EXTENSION].workbench)


def log_in(workbench: Workbench, **more: Any) -> dict[str, str]:
    token = secrets.token_urlsafe(32)
    plant(token)

    def step(session: Session, now: datetime) -> None:
        account = factories.make_account(session, now=now)
        identity = factories.make_identity(session, workbench.vault, account, now=now)
        factories.make_login(session, account, identity, token_hash=token_digest(token), now=now, **more)

    workbench.transactions.write(step)
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(autouse=True)
def _only_documented_codes() -> Iterator[None]:
    """Whatever a test provokes, its operation documents."""
    missing: list[str] = []

    def compare(_sender: object, *, endpoint: str | None, code: str) -> None:
        operation = operations(current_app).get(endpoint or "")
        if operation is not None and code not in operation.codes:
            missing.append(f"{operation.method} {operation.rule} answered {code}")

    with problem_sent.connected_to(compare):
        yield
    assert not missing
