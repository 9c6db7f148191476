"""The product in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Visit, serving, visiting
from playwright.sync_api import Browser
from sqlalchemy.engine import URL

from miniapp_api.app import App, create_app
from miniapp_api.config import Config
from miniapp_api.keys import write_keys
from miniapp_api.services import EXTENSION


@pytest.fixture
def base_url(tmp_path: Path, sqlite_url: URL) -> Iterator[str]:
    """Where the product serves, over an empty database."""
    write_keys(tmp_path / "keys.json")
    (tmp_path / "platforms.json").write_text(json.dumps({}))
    settings = {"MODE": "local", "DATA_DIR": str(tmp_path), "DATABASE_URL": str(sqlite_url)}
    made: list[App] = []

    def make(address: str) -> App:
        made.append(create_app(Config.from_environ(settings | {"PUBLIC_BASE_URL": address})))
        return made[0]

    with serving(make) as address:
        yield address
    made[0].extensions[EXTENSION].workbench.transactions.database.close()


@pytest.fixture
def visit(chromium: Browser, base_url: str) -> Iterator[Visit]:
    with visiting(chromium, base_url) as window:
        yield window
