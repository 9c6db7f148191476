"""What a login by a page is made of is readable nowhere: not in the database's bytes, not in the logs, not in a URL."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from fakes import ManualClock
from fakes_official import follower
from official_http import OAUTH, Office, handoff_of, open_office, state_of
from traces import bytes_of, traces

from core.ports import Incoming, IncomingKind, ProviderUnavailable, StandInUser
from miniapp_api.config import Config
from models.database import Database

SAID = "我叫测试甲"


@pytest.fixture
def office(config: Config, clock: ManualClock) -> Iterator[Office]:
    with open_office(config, clock) as opened:
        yield opened


def play(office: Office) -> tuple[list[str], list[str]]:
    """A follower talks, logs in, fails to, and looks; returns the secrets, and every address that was visited."""
    browser = office.browser()
    begun = browser.client.get(OAUTH)
    cookie = browser.client.get_cookie("page_login", path=OAUTH)
    assert cookie is not None
    landed = browser.come_back(state=(state := state_of(begun)), code="code-of-canary")
    page, handoff = handoff_of(landed)
    token = browser.log_in(handoff).json["token"]
    browser.client.get("/h5/overview", headers={"Authorization": f"Bearer {token}"})
    for failure in (StandInUser("snapshot"), ProviderUnavailable("down")):
        office.login.failure = failure
        browser.come_back(state=browser.begin(), code="code-of-canary")
    office.conversation.known[b"x"] = Incoming(
        "clinic", f"event:{follower('canary')}", IncomingKind.TEXT, follower("canary"), office.clock.now(), text=SAID
    )
    browser.client.post(OAUTH.removesuffix("/oauth"), data=b"x")
    assert parse_qs(urlsplit(begun.headers["Location"]).query)["state"] == [state]
    secrets = [state, cookie.value, handoff, token, "code-of-canary", follower("canary"), "union-canary", SAID]
    return secrets, [page, landed.headers["Location"].partition("#")[0]]


def test_the_database_gives_nothing_away(office: Office, database: Database) -> None:
    secrets, _ = play(office)
    kept = bytes_of(database)
    assert b"page_login" in kept or not database.is_sqlite
    forms = {secret: traces(secret) for secret in secrets}
    # A digest of 256 random bits gives nothing away, and is how they are found again.
    random = {secret for secret in secrets if len(secret) in (43, 64)}
    assert [
        secret
        for secret, found in forms.items()
        for trace in (found[:4] if secret in random else found)
        if trace in kept
    ] == []


def test_the_logs_give_nothing_away(
    office: Office, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    secrets, _ = play(office)
    logged = (caplog.text + "".join(capfd.readouterr())).encode()
    assert b"/callbacks/wechat-official" in logged
    assert [secret for secret in secrets for trace in traces(secret) if trace in logged] == []


def test_no_address_holds_a_token_and_the_handoff_travels_in_a_fragment_alone(office: Office) -> None:
    secrets, addresses = play(office)
    assert [secret for secret in secrets for address in addresses if secret in address] == []
