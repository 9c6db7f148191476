"""The page of the document loads nothing from outside, and its vendored files are what their makers published."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy.engine import URL

import miniapp_api

STATIC = Path(miniapp_api.__file__).parent / "static"
VENDOR = STATIC / "vendor"


@pytest.fixture
def database_url(sqlite_url: URL) -> str:
    return str(sqlite_url)


def test_vendored_files_are_those_of_the_manifest() -> None:
    listed = dict(line.split(maxsplit=1)[::-1] for line in (VENDOR / "MANIFEST.sha256").read_text().splitlines())
    found = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "MANIFEST.sha256"
    }
    assert found == listed
    assert "swagger-ui/LICENSE" in found


def test_the_page_asks_only_this_server_for_files(client: FlaskClient) -> None:
    with client.get("/docs") as page:
        assert page.mimetype == "text/html"
        asked = re.findall(r'(?:src|href)="([^"]+)"', page.get_data(as_text=True))
    for path in asked:
        assert path.startswith(("/docs/", "/openapi.json", "data:,")), path
        if path.startswith("/"):
            with client.get(path) as reply:
                assert reply.status_code == 200
    assert len(asked) >= 4


def test_no_inline_script_runs(client: FlaskClient) -> None:
    with client.get("/docs") as page:
        text = page.get_data(as_text=True)
    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["connect-src"]) == ("'none'", "'self'", "'self'")
    assert policy["frame-ancestors"] == "'none'"
    assert all(found for found in re.findall(r"<script([^>]*)>", text) if "src=" in found)
    assert not re.search(r"<script>|\son\w+=|javascript:", text)


def test_files_have_their_types_and_may_be_kept(client: FlaskClient) -> None:
    for name, kind in (
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("init.js", "text/javascript"),
    ):
        with client.get(f"/docs/{name}") as reply:
            assert (reply.status_code, reply.mimetype) == (200, kind)
            assert "max-age=3600" in reply.headers["Cache-Control"]
            assert reply.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "name",
    ["..%2fconfig.py", "../config.py", "LICENSE", "index.html", "%00", "MANIFEST.sha256", "vendor", ".", "..", "a%0ab"],
)
def test_nothing_else_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/docs/{name}").status_code == 404


@pytest.mark.parametrize("path", ["/static/docs/init.js", "/console", "/metrics", "/.git/config", "/debug", "/admin"])
def test_a_63_there_is_no_other_door(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_css_loads_nothing_from_outside() -> None:
    css = (VENDOR / "swagger-ui" / "swagger-ui.css").read_text()
    assert not re.search(r"@import|url\((?!['\"]?(data:|#))", css)
