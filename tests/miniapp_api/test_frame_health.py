"""Health tells which check failed and nothing about how."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient

import migrations
from core.workbench import Workbench
from miniapp_api.app import App
from miniapp_api.config import Config
from models.sealing import Vault

READY = {"status": "ready", "database": "ok", "migrations": "ok", "keys": "ok"}


@pytest.fixture
def migrated(make_app: Callable[[Config], App], environ: dict[str, str], blank_url: str) -> Iterator[FlaskClient]:
    """An app over a database that was migrated as an operator does it."""
    migrations.upgrade(blank_url)
    app = make_app(Config.from_environ({**environ, "DATABASE_URL": blank_url}))
    yield app.test_client()
    app.extensions["yuezhen"].workbench.transactions.database.close()


def test_a_process_that_answers_is_healthy(client: FlaskClient) -> None:
    reply = client.get("/healthz")
    assert (reply.status_code, reply.json) == (200, {"status": "ok"})


def test_a_migrated_database_and_working_keys_are_ready(migrated: FlaskClient) -> None:
    reply = migrated.get("/readyz")
    assert (reply.status_code, reply.json) == (200, READY)


def test_an_older_schema_is_not_ready(migrated: FlaskClient, blank_url: str) -> None:
    migrations.downgrade(blank_url, "base")
    reply = migrated.get("/readyz")
    assert (reply.status_code, reply.json) == (503, READY | {"status": "not_ready", "migrations": "failed"})


def test_tables_that_no_migration_made_are_not_ready(client: FlaskClient) -> None:
    assert client.get("/readyz").json == READY | {"status": "not_ready", "migrations": "failed"}


@pytest.mark.parametrize("url", ["postgresql://yuezhen:canary@127.0.0.1:1/canary", "sqlite:////nowhere/canary.db"])
def test_a_database_that_is_away_is_told_by_name_only(
    make_app: Callable[[Config], App], environ: dict[str, str], url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    client = make_app(Config.from_environ({**environ, "DATABASE_URL": url})).test_client()
    reply = client.get("/readyz")
    assert reply.status_code == 503
    assert reply.json == {"status": "not_ready", "database": "failed", "migrations": "failed", "keys": "ok"}
    assert client.get("/healthz").status_code == 200
    assert "yuezhen:canary" not in capfd.readouterr().err


@pytest.mark.parametrize("path", ["/api/v1/own-probe", "/api/v1/time"])
def test_without_a_database_a_patient_is_asked_to_come_back(
    make_app: Callable[..., App], environ: dict[str, str], path: str
) -> None:
    config = Config.from_environ({**environ, "DATABASE_URL": "postgresql://yuezhen:x@127.0.0.1:1/x"})
    client = make_app(config, clock=None).test_client()
    reply = client.get(path, headers={"Authorization": f"Bearer {'t' * 43}"})
    assert (reply.status_code, reply.get_json(force=True)["code"]) == (503, "overloaded")


def test_keys_that_do_not_open_are_not_ready(migrated: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Vault, "open_text", lambda *_: "something else")
    assert migrated.get("/readyz").json == READY | {"status": "not_ready", "keys": "failed"}


def test_a_probe_does_not_wait_for_a_writer(migrated: FlaskClient, blank_url: str) -> None:
    workbench: Workbench = migrated.application.extensions["yuezhen"].workbench
    replies: list[int] = []
    workbench.transactions.write(lambda _session, _now: replies.append(migrated.get("/readyz").status_code))
    assert replies == [200]
