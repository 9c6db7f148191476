"""One app for each module and kind of database: an attack that works leaves traces, and the next one sees them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from attacks.generated.world import World, open_world
from flask import current_app
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL

from miniapp_api.errors import problem_sent
from miniapp_api.openapi import operations


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """On each kind of database in turn."""
    folder = tmp_path_factory.mktemp("attacks")
    if request.param == "sqlite":
        with open_world(f"sqlite:///{folder}/attacks.db", folder) as opened:
            yield opened
        return
    server: URL = request.getfixturevalue("postgres_server")
    name = f"attacks_{secrets.token_hex(6)}"
    administrator = create_engine(server, isolation_level="AUTOCOMMIT")
    with administrator.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = server.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    with open_world(url, folder) as opened:
        yield opened
    with administrator.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    administrator.dispose()


@pytest.fixture(autouse=True)
def only_documented_codes() -> Iterator[set[tuple[str, str]]]:
    """Whatever an attack provokes, its operation documents; holds what was seen, as (operation, code)."""
    seen: set[tuple[str, str]] = set()
    undocumented: set[tuple[str, str]] = set()

    def compare(_sender: object, *, endpoint: str | None, code: str) -> None:
        operation = operations(current_app).get(endpoint or "")
        if operation is not None:
            seen.add((operation.name, code))
            if code not in operation.codes:
                undocumented.add((operation.name, code))

    with problem_sent.connected_to(compare):
        yield seen
    assert undocumented == set()
