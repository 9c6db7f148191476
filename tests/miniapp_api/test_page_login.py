"""Login of a web page by an official account: out, back once in the browser that began, and in by a handoff (A-34)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fakes import FakeAdapters, ManualClock
from harness import race
from official_http import OAUTH, Office, handoff_of, open_office, state_of
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from core.identity.page_login import forget_page_logins
from core.ports import ProviderRefused, ProviderUnavailable, StandInUser
from miniapp_api.app import create_app
from miniapp_api.config import Config
from models.account import Account, PlatformIdentity, Provider
from models.base import Base
from models.page_login import Handoff, PageLoginAttempt

BASE = "http://127.0.0.1:8000"


@pytest.fixture
def office(config: Config, clock: ManualClock) -> Iterator[Office]:
    with open_office(config, clock) as opened:
        yield opened


def count(office: Office, record: type[Base]) -> int:
    with office.workbench.transactions.database.read() as session:
        return session.scalar(select(func.count()).select_from(record)) or 0


def retry_link(answer: TestResponse) -> str:
    """Where the page's button leads."""
    (address,) = re.findall(r'<a class="button" href="([^"]+)"', answer.get_data(as_text=True))
    return str(address)


# --- out -------------------------------------------------------------------------------------------------------------


def test_the_browser_is_sent_to_the_platform_with_a_state_and_keeps_a_cookie(office: Office) -> None:
    answer = office.app.test_client().get(OAUTH, query_string={"to": "/h5/?view=appointments"})
    assert (answer.status_code, answer.data) == (302, b"")
    sent = urlsplit(answer.headers["Location"])
    assert parse_qs(sent.query)["redirect_uri"] == [BASE + OAUTH]
    assert re.fullmatch("[0-9a-zA-Z]{32,128}", state_of(answer))
    cookie = dict(part.strip().partition("=")[::2] for part in answer.headers["Set-Cookie"].split(";"))
    assert {"HttpOnly", "Path", "Max-Age", "SameSite"} <= cookie.keys()
    assert (cookie["Path"], cookie["Max-Age"], cookie["SameSite"]) == (OAUTH, "600", "Lax")
    assert cookie["page_login"] not in answer.headers["Location"]


def test_states_and_cookies_never_repeat(office: Office) -> None:
    browsers = [office.browser() for _ in range(20)]
    states = {browser.begin() for browser in browsers}
    cookies = {browser.client.get_cookie("page_login", path=OAUTH).value for browser in browsers}  # type: ignore[union-attr]
    assert (len(states), len(cookies)) == (20, 20)


HOSTILE_STARTS = [
    "?to=//evil.example", "?to=%2F%2Fevil.example", "?to=%5C%5Cevil.example", "?to=/%5Cevil.example",
    "?to=https:evil.example", "?to=https://evil.example/h5/", "?to=%252f%252fevil.example", "?to=/h5/%2f%2fevil",
    "?to=/h5/%250d%250aSet-Cookie:x=y", "?to=/h5/%0d%0aSet-Cookie:x=y", "?to=/h5/..%2fapi", "?to=/h5/%ff", "?to=",
    "?to=/h5/&to=//evil.example", "?to=/h5/&to=/h5/", "?to=/h5/%23handoff=x", "?to=/api/v1/account", "?to=/h5%00/",
    "?to=http://127.0.0.1:8000/h5/", "?to=/h5.evil.example/", "?to=/h5/%E2%80%AE",
]  # fmt: skip


@pytest.mark.parametrize("query", HOSTILE_STARTS)
def test_a_34_no_other_place_can_be_asked_for(office: Office, query: str) -> None:
    answer = office.app.test_client().get(OAUTH + query)
    assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (400, [])
    assert count(office, PageLoginAttempt) == 0
    assert retry_link(answer) == f"{BASE}{OAUTH}?to=%2Fh5%2F"
    assert "evil" not in answer.get_data(as_text=True)


def test_a_34_the_host_of_a_request_decides_nothing(office: Office) -> None:
    client = office.app.test_client()
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    state = state_of(begun := client.get(OAUTH, headers=forged))
    cookie = begun.headers["Set-Cookie"].partition(";")[0]
    answer = client.get(OAUTH, query_string={"state": state, "code": "code-of-an"}, headers=forged | {"Cookie": cookie})
    assert "evil" not in begun.headers["Location"] + answer.headers["Location"]
    assert handoff_of(answer)[0] == f"{BASE}/h5/"


def test_only_a_code_that_is_tried_counts_as_a_login_and_too_many_are_told_so_on_a_page(
    config: Config, clock: ManualClock
) -> None:
    adapters = FakeAdapters(clock)
    app = create_app(replace(config, login_limit="2/minute"), adapters=adapters, clock=clock)
    office = Office(app, clock, adapters)
    browser = office.browser()
    for _ in range(5):
        state = browser.begin()
        assert browser.come_back(state="made-up", code="code-of-an").status_code == 400
    answer = browser.come_back(state=state, code="code-of-an")
    assert browser.log_in(handoff_of(answer)[1]).status_code == 201
    browser.handed_over("an")
    answer = browser.come_back(state=browser.begin("/h5/?view=appointments"), code="code-of-an")
    assert (answer.status_code, answer.mimetype) == (429, "text/html")
    assert "操作太频繁" in answer.get_data(as_text=True)
    assert retry_link(answer) == f"{BASE}{OAUTH}?to=%2Fh5%2F%3Fview%3Dappointments"
    assert count(office, Handoff) == 2
    office.workbench.transactions.database.close()


# --- back ------------------------------------------------------------------------------------------------------------


def test_who_comes_back_lands_on_the_page_that_was_asked_for_with_a_handoff(office: Office) -> None:
    browser = office.browser()
    answer = browser.come_back(state=browser.begin("/h5/?view=appointments"), code="code-of-an")
    page, handoff = handoff_of(answer)
    assert page == f"{BASE}/h5/?view=appointments"
    assert (answer.headers["Cache-Control"], answer.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    session = browser.log_in(handoff)
    assert session.status_code == 201
    assert set(session.json) == {"token", "expires_at", "account", "consents_due"}
    assert session.json["token"] not in answer.headers["Location"]


def test_the_platform_may_add_what_it_likes_to_the_address(office: Office) -> None:
    browser = office.browser()
    handoff_of(browser.come_back(state=browser.begin(), code="code-of-an", isappinstalled="0"))


def test_the_account_is_the_one_that_the_mini_program_knows(office: Office) -> None:
    own = office.miniapp_user("an").get("/account").json["id"]
    assert office.follower("an").get("/account").json["id"] == own
    assert office.follower("other").get("/account").json["id"] != own


def test_the_login_is_the_official_accounts(office: Office) -> None:
    office.follower("an")
    with office.workbench.transactions.database.read() as session:
        providers = session.scalars(
            select(PlatformIdentity.provider).join(Handoff, Handoff.platform_identity_id == PlatformIdentity.id)
        ).all()
    assert providers == [Provider.WECHAT_OFFICIAL]


HOSTILE_RETURNS: dict[str, Callable[[Office], TestResponse]] = {}


def hostile(name: str) -> Callable[[Callable[[Office], TestResponse]], Callable[[Office], TestResponse]]:
    def register(come: Callable[[Office], TestResponse]) -> Callable[[Office], TestResponse]:
        HOSTILE_RETURNS[name] = come
        return come

    return register


HOSTILE_RETURNS |= {
    "no state": lambda office: began(office).come_back(code="code-of-an"),
    "an empty state": lambda office: began(office).come_back(state="", code="code-of-an"),
    "a state nobody made": lambda office: began(office).come_back(state="0" * 64, code="code-of-an"),
    "a state of no alphabet": lambda office: began(office).client.get(f"{OAUTH}?state=%00%ff%ed%a0%80&code=code-of-an"),
    "nothing but a code, and never began": lambda office: office.browser().come_back(code="code-of-an"),
}


def began(office: Office) -> Any:
    browser = office.browser()
    browser.begin()
    return browser


@hostile("another browser's state")
def _of_another(office: Office) -> TestResponse:
    state = office.browser().begin()
    return began(office).come_back(state=state, code="code-of-an")


@hostile("one's own state without the cookie")
def _without_cookie(office: Office) -> TestResponse:
    return office.browser().come_back(state=office.browser().begin(), code="code-of-an")


@hostile("a state that was used")
def _used(office: Office) -> TestResponse:
    browser = office.browser()
    state = browser.begin()
    cookie = browser.client.get_cookie("page_login", path=OAUTH)
    assert cookie is not None
    handoff_of(browser.come_back(state=state, code="code-of-an"))
    browser.client.set_cookie("page_login", cookie.value, path=OAUTH)
    return browser.come_back(state=state, code="code-of-an")


@hostile("a state past its ten minutes")
def _old(office: Office) -> TestResponse:
    browser = office.browser()
    state = browser.begin()
    office.clock.advance(timedelta(minutes=10))
    return browser.come_back(state=state, code="code-of-an")


@hostile("a state that another app began")
def _of_another_app(office: Office) -> TestResponse:
    other = type(office.login)(app="other")
    office.adapters.pages["other"] = other
    browser = office.browser()
    state = browser.begin()
    cookie = browser.client.get_cookie("page_login", path=OAUTH)
    assert cookie is not None
    path = OAUTH.replace("clinic", "other")
    browser.client.set_cookie("page_login", cookie.value, path=path)
    return browser.client.get(path, query_string={"state": state, "code": "code-of-an"})


@pytest.mark.parametrize("name", HOSTILE_RETURNS)
def test_a_34_a_return_that_nobody_began_here_is_refused(office: Office, name: str) -> None:
    answered, made = len(office.login.asked), count(office, Handoff)
    answer = HOSTILE_RETURNS[name](office)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert len(office.login.asked) - answered == count(office, Handoff) - made == (name == "a state that was used")
    assert retry_link(answer).startswith(f"{BASE}/callbacks/wechat-official/")


def test_one_moment_before_the_ten_minutes_are_over_a_state_is_good(office: Office) -> None:
    browser = office.browser()
    state = browser.begin()
    office.clock.advance(timedelta(minutes=10) - timedelta(microseconds=1))
    handoff_of(browser.come_back(state=state, code="code-of-an"))


def test_of_two_returns_at_once_one_is_accepted(office: Office) -> None:
    browser = office.browser()
    state = browser.begin()
    cookie = browser.client.get_cookie("page_login", path=OAUTH)
    assert cookie is not None

    def come() -> int:
        client = office.app.test_client()
        client.set_cookie("page_login", cookie.value, path=OAUTH)
        return client.get(OAUTH, query_string={"state": state, "code": "code-of-an"}).status_code

    assert sorted(race(*[come] * 6)) == [302] + [400] * 5  # type: ignore[type-var]
    assert (len(office.login.asked), count(office, Handoff), count(office, Account)) == (1, 1, 1)


def test_the_platform_is_asked_outside_of_any_transaction(office: Office) -> None:
    """On SQLite a transaction would hold the only writer lock."""
    entered: list[bool] = []

    def look() -> None:
        with office.workbench.transactions.database.write() as session:
            used = session.scalars(select(PageLoginAttempt.used_at)).all()
            entered.append(all(used) and len(used) == 1)

    office.login.on_call = look
    browser = office.browser()
    handoff_of(browser.come_back(state=browser.begin(), code="code-of-an"))
    assert entered == [True]


# --- what else may come of it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "status", "said"),
    [
        (StandInUser("snapshot"), 200, "使用完整服务"),
        (None, 400, "微信没有确认"),
        (ProviderUnavailable("down"), 503, "稍后再试"),
        (ProviderRefused("40125", "bad secret"), 503, "稍后再试"),
    ],
)
def test_nothing_is_bound_where_the_platform_does_not_vouch(
    office: Office, failure: Exception | None, status: int, said: str
) -> None:
    office.login.failure = failure
    browser = office.browser()
    answer = browser.come_back(state=browser.begin("/h5/?view=appointments"), code="stolen")
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    assert said in answer.get_data(as_text=True)
    assert retry_link(answer) == f"{BASE}{OAUTH}?to=%2Fh5%2F%3Fview%3Dappointments"
    assert (count(office, Handoff), count(office, Account), count(office, PlatformIdentity)) == (0, 0, 0)
    assert "Location" not in answer.headers


def test_who_does_not_agree_is_told_so_and_may_try_again(office: Office) -> None:
    browser = office.browser()
    answer = browser.come_back(state=browser.begin())
    assert answer.status_code == 200
    assert "您没有同意登录" in answer.get_data(as_text=True)
    assert office.login.asked == []


@pytest.mark.parametrize("code", ["x" * 513, "中", "a\nb", "\0"])
def test_a_code_that_no_platform_makes_is_not_passed_on(office: Office, code: str) -> None:
    browser = office.browser()
    assert browser.come_back(state=browser.begin(), code=code).status_code == 400
    assert office.login.asked == []


def test_the_pages_speak_english_where_that_is_asked_for(office: Office) -> None:
    answer = office.app.test_client().get(OAUTH, query_string={"state": "x"}, headers={"Accept-Language": "en"})
    assert "This login is no longer valid" in answer.get_data(as_text=True)
    assert answer.headers["Content-Language"] == "en"


def test_an_account_that_is_not_configured_is_not_there(office: Office) -> None:
    answer = office.app.test_client().get(OAUTH.replace("clinic", "nobody"))
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


# --- the handoff -----------------------------------------------------------------------------------------------------


def refused(answer: TestResponse) -> bool:
    return (answer.status_code, answer.get_json(force=True)["code"]) == (401, "login_failed")


def test_a_handoff_works_once(office: Office) -> None:
    browser = office.browser()
    handoff = browser.handed_over("an")
    assert browser.log_in(handoff).status_code == 201
    assert refused(browser.log_in(handoff))


def test_of_many_who_come_with_one_handoff_one_is_let_in(office: Office) -> None:
    handoff = office.browser().handed_over("an")
    answers = race(*[partial(lambda: office.browser().log_in(handoff).status_code)] * 6)
    assert sorted(answers) == [201] + [401] * 5  # type: ignore[type-var]


def test_a_handoff_lasts_sixty_seconds(office: Office) -> None:
    one, other = office.browser().handed_over("an"), office.browser().handed_over("an")
    office.clock.advance(timedelta(seconds=60) - timedelta(microseconds=1))
    assert office.browser().log_in(one).status_code == 201
    office.clock.advance(timedelta(microseconds=1))
    assert refused(office.browser().log_in(other))


@pytest.mark.parametrize("code", ["x", "0" * 43, "中文", "a b"])
def test_a_handoff_that_nobody_gave_is_refused(office: Office, code: str) -> None:
    office.browser().handed_over("an")
    assert refused(office.browser().log_in(code))


def test_a_handoff_belongs_to_no_app(office: Office) -> None:
    browser = office.browser()
    handoff = browser.handed_over("an")
    answer = browser.log_in(handoff, app="clinic")
    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "not_configured")
    assert browser.log_in(handoff).status_code == 201


def test_a_30_a_handoff_is_no_code_of_a_platform_and_the_other_way_round(office: Office) -> None:
    client = office.app.test_client()
    handoff = office.browser().handed_over("an")
    taken = client.post("/api/v1/sessions", json={"provider": "wechat_official", "app": "clinic", "code": handoff})
    assert refused(taken)
    assert refused(client.post("/api/v1/sessions", json={"provider": "handoff", "code": "code-of-an"}))


def test_a_handoff_into_a_closed_account_is_refused(office: Office) -> None:
    handoff = office.browser().handed_over("an")
    with office.workbench.transactions.database.write() as session:
        session.scalars(select(Account)).one().closed_at = office.clock.now()
    assert refused(office.browser().log_in(handoff))


def test_the_code_itself_logs_in_where_a_page_of_ones_own_received_it(office: Office) -> None:
    own = office.follower("an").get("/account").json["id"]
    answer = office.app.test_client().post(
        "/api/v1/sessions", json={"provider": "wechat_official", "app": "clinic", "code": "code-of-an"}
    )
    assert (answer.status_code, answer.json["account"]["id"]) == (201, own)


def test_a_35_the_page_gets_a_mark_of_its_own_handoff(office: Office) -> None:
    """A link with somebody else's handoff in it would log its reader in as that one: the page looks at the mark."""
    browser = office.browser()
    _, handoff = handoff_of(answer := browser.come_back(state=browser.begin(), code="code-of-an"))
    (mark,) = (one for one in answer.headers.getlist("Set-Cookie") if one.startswith("handoff="))
    assert mark.startswith(f"handoff={handoff[:10]};")
    assert {"Path=/h5/", "Max-Age=60", "SameSite=Lax"} <= {part.strip() for part in mark.split(";")}
    assert browser.client.get_cookie("page_login", path=OAUTH) is None


def test_what_ended_is_forgotten(office: Office) -> None:
    office.browser().handed_over("an")
    assert (count(office, PageLoginAttempt), count(office, Handoff)) == (1, 1)
    office.workbench.transactions.write(lambda session, now: forget_page_logins(session, now=now))
    assert (count(office, PageLoginAttempt), count(office, Handoff)) == (1, 1)
    office.clock.advance(timedelta(minutes=71))
    office.workbench.transactions.write(lambda session, now: forget_page_logins(session, now=now))
    assert (count(office, PageLoginAttempt), count(office, Handoff)) == (0, 0)
