"""`/docs` as a person reads it: offline, without an error, under its own policy."""

from __future__ import annotations

import pytest
from browsing import Visit, visiting
from playwright.sync_api import Browser, expect

BOOKING = "#operations-appointments-create_appointment"


def test_docs_shows_every_operation_and_asks_nobody_else(visit: Visit) -> None:
    page = visit.open("/docs")
    expect(page.locator(BOOKING)).to_be_visible()
    document = page.evaluate("fetch('/openapi.json').then((reply) => reply.json())")
    told = sum(name != "parameters" for item in document["paths"].values() for name in item)
    assert page.locator(".opblock").count() == told > 30
    expect(page.locator(".info .title")).to_contain_text("约诊")
    assert visit.faults == []
    assert {url.removeprefix(visit.base_url) for url in visit.asked if not url.startswith("data:")} == {
        "/docs", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/init.js", "/openapi.json",
    }  # fmt: skip


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_an_operation_opens_and_shows_what_travels(chromium: Browser, base_url: str, locale: str) -> None:
    with visiting(chromium, base_url, locale=locale) as visit:
        page = visit.open("/docs")
        page.locator(f"{BOOKING} .opblock-summary-control").click()
        opened = page.locator(f"{BOOKING} .opblock-body")
        expect(opened).to_contain_text("schedule_id")
        expect(opened.locator("tr.response[data-code='201']")).to_contain_text("北京协和医院")
        expect(opened.locator("tr.response[data-code='409']")).to_contain_text("sold_out")
        assert visit.faults == []


def test_an_operation_can_be_tried_from_the_page(visit: Visit) -> None:
    page = visit.open("/docs")
    time = page.locator("#operations-time-get_time")
    time.locator(".opblock-summary-control").click()
    time.get_by_role("button", name="Try it out").click()
    time.get_by_role("button", name="Execute").click()
    expect(time.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    assert visit.base_url + "/api/v1/time" in visit.asked
    assert visit.faults == []


def test_what_the_policy_forbids_does_not_run_and_is_seen(visit: Visit) -> None:
    """Else the absence of faults above would show nothing."""
    page = visit.open("/docs")
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.ran = true";
          document.body.append(script);
          const image = document.createElement("img");
          image.src = "http://elsewhere.invalid/pixel.png";
          document.body.append(image);
        }"""
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.ran") is None
    assert any("script-src" in fault for fault in visit.faults)
    assert any("img-src" in fault for fault in visit.faults)
    with pytest.raises(Exception, match=r"CSP|Refused|Failed to fetch"):
        page.evaluate("fetch('http://elsewhere.invalid/')")
