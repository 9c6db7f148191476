"""The OpenAPI document and a page to read it with. The page loads nothing from outside and runs no inline code."""

from __future__ import annotations

import json
from pathlib import Path

from flask import Flask, Response, send_from_directory
from werkzeug.exceptions import NotFound

from miniapp_api.openapi import Api, open_blueprint

_FOLDER = Path(__file__).parent / "static"
_FILES = {
    "init.js": "docs",
    "swagger-ui.css": "vendor/swagger-ui",
    "swagger-ui-bundle.js": "vendor/swagger-ui",
}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_AN_HOUR = 3600


def register(app: Flask, api: Api) -> None:
    """Serve the document as it is now: every blueprint must be registered before."""
    document = json.dumps(api.spec.to_dict(), ensure_ascii=False).encode()
    # Built per app, since it holds the document of that app.
    blueprint = open_blueprint("docs", "")

    def get_openapi() -> Response:
        return Response(document, mimetype="application/json")

    blueprint.add_url_rule("/openapi.json", "get_openapi", get_openapi)
    blueprint.add_url_rule("/docs", "get_docs", _page)
    blueprint.add_url_rule("/docs/<name>", "get_docs_file", _file)
    app.register_blueprint(blueprint)


def _page() -> Response:
    response = send_from_directory(_FOLDER / "docs", "index.html")
    response.headers["Content-Security-Policy"] = _PAGE_POLICY
    return response


def _file(name: str) -> Response:
    if name not in _FILES:
        raise NotFound()
    return send_from_directory(_FOLDER / _FILES[name], name, max_age=_AN_HOUR)
