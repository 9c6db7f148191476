"""One ward on each kind of database, or on one where the database has no part in the rule."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import current_app
from ward import Ward, open_ward, settle_in
from wire import Phone

from miniapp_api.errors import problem_sent
from miniapp_api.openapi import operations
from models.database import Database


@pytest.fixture
def ward(database: Database, tmp_path: Path) -> Iterator[Ward]:
    with open_ward(database.url.render_as_string(hide_password=False), tmp_path) as opened:
        yield opened


@pytest.fixture
def owner(ward: Ward) -> Phone:
    """Has one of everything, named by `ward.ids`."""
    return settle_in(ward)


@pytest.fixture(autouse=True)
def _only_documented_codes() -> Iterator[None]:
    """Whatever an attack provokes, its operation documents."""
    missing: set[str] = set()

    def compare(_sender: object, *, endpoint: str | None, code: str) -> None:
        operation = operations(current_app).get(endpoint or "")
        if operation is not None and code not in operation.codes:
            missing.add(f"{operation.method} {operation.rule} answered {code}")

    with problem_sent.connected_to(compare):
        yield
    assert not missing
