"""A real browser that may speak to one server alone, and remembers whatever went wrong on a page.

It is the machine's own Chromium. Where there is none, tests that ask for it skip and say so; in CI they must run.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

# Root has no sandbox to offer, and a browser at rest must look nobody up.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP ${event.effectiveDirective} ${event.blockedURI}`));
"""


@dataclass
class Visit:
    """One person's window. `faults` holds console errors, exceptions, broken policies and requests to elsewhere."""

    page: Page
    base_url: str
    faults: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """The page at the path, once it has loaded."""
        self.page.goto(self.base_url + path, wait_until="load")
        return self.page


def start_browser() -> Iterator[Browser]:
    """For a fixture: the machine's Chromium for as long as it is needed."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        reason = "there is no Chromium on this machine (on Debian: apt install chromium)"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; in CI these tests must run", pytrace=False)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_FLAGS))
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Browser, base_url: str, *, locale: str = "zh-CN", **more: Any) -> Iterator[Visit]:
    """A window of its own, with nothing kept from before. What it asks of others is refused and noted."""
    context = browser.new_context(locale=locale, **more)
    context.set_default_timeout(30_000)  # two cores may be shared by many
    context.add_init_script(_TELL_VIOLATIONS)
    try:
        visit = Visit(context.new_page(), base_url)
        _listen(visit, context)
        yield visit
    finally:
        context.close()


def _listen(visit: Visit, context: BrowserContext) -> None:
    def admit(route: Route) -> None:
        url = route.request.url
        if url.startswith("data:") or urlsplit(url).netloc == urlsplit(visit.base_url).netloc:
            visit.asked.append(url)
            route.continue_()
        else:
            visit.faults.append(f"request to {url}")
            route.abort()

    context.route("**/*", admit)
    visit.page.on("pageerror", lambda error: visit.faults.append(f"exception {error}"))
    visit.page.on(
        "console",
        lambda said: visit.faults.append(f"{said.type} {said.text}") if said.type in {"error", "warning"} else None,
    )


class _Silent(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """The application's own log is enough."""


def _not_yet(*_: Any) -> Any:
    raise AssertionError("asked before there was an application")


@contextmanager
def serving(make_app: Any) -> Iterator[str]:
    """A server on a free port; `make_app` is told its address, which the application may need to know."""
    server = make_server("127.0.0.1", 0, _not_yet, threaded=True, request_handler=_Silent)
    base_url = f"http://127.0.0.1:{server.server_port}"
    server.app = make_app(base_url)
    thread = threading.Thread(target=server.serve_forever, name="pages")
    thread.start()
    try:
        yield base_url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
