"""A follower end to end: follows, asks, taps the menu, lands logged in, and is the mini-program's own account.

The real app with its real adapters against the real sandbox: what travels is signed and encrypted.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
import requests
from stage import Stage
from wire import Phone, over_http

from core.conversation.scenes import Scene, SceneKind, write_scene
from models.schedule import Schedule

APP, FOLLOWER, UNION = "clinic", "oa-follower", "union-follower"
PATH = f"/callbacks/wechat-official/{APP}"


@pytest.fixture
def account(stage: Stage) -> Stage:
    """Whose server the platform knows, in secure mode: it checked the address by our answer."""
    address = stage.base_url + PATH
    stage.control("POST", f"/official/{APP}/server", {"url": address, "mode": "secure"})
    return stage


def does(stage: Stage, **deed: Any) -> dict[str, Any]:
    """What the platform made of our answer."""
    told = stage.control("POST", f"/official/{APP}/events", {"open_id": FOLLOWER, "union_id": UNION} | deed)
    return dict(told["reply"])


def department_of(stage: Stage, schedule_id: UUID) -> UUID:
    with stage.town.database.read() as session:
        return session.get_one(Schedule, schedule_id).department_id


def test_a_follower_is_welcomed_answered_and_counted_once(account: Stage) -> None:
    department_id = department_of(account, account.town.schedule(now=account.clock.now(), numbers=5))
    welcome = does(account, event="subscribe")
    assert (welcome["kind"], welcome["encrypted"]) == ("message", True)
    assert "欢迎关注" in welcome["message"]["Content"]
    scanned = does(account, event="SCAN", scene=write_scene(Scene(SceneKind.DEPARTMENT, department_id)))
    card = scanned["message"]
    assert "余5" in str(card)
    assert f"%2Fh5%2Fdepartments%2F{department_id}" in str(card)
    assert "发送科室、医生或医院的名字" in does(account, text="?")["message"]["Content"]
    assert does(account, event="VIEW", url="https://own.example/h5/")["kind"] == "silence"
    told = account.control("POST", f"/official/{APP}/events", {"open_id": FOLLOWER, "text": "help", "copies": 3})
    assert {one["status"] for one in told["attempts"]} == {200}
    assert sorted(copies for _, _, copies in account.inbox()) == [1, 1, 1, 1, 3]


@pytest.mark.parametrize("forge", [{"token": "x" * 8}, {"tamper": {"body": 90}}, {"appid": "wx0000000000000bad"}])
def test_a_forged_message_is_refused_and_kept_apart(account: Stage, forge: dict[str, Any]) -> None:
    does(account, event="subscribe")
    before = account.inbox()
    told = account.control("POST", f"/official/{APP}/events", {"open_id": FOLLOWER, "text": "help", "forge": forge})
    assert 200 not in {one["status"] for one in told["attempts"]}
    assert account.inbox() == before
    assert account.refused()


class Visitor:
    """A browser inside WeChat: keeps cookies, and agrees to log in."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.http = stage, requests.Session()

    def goes(self, address: str) -> requests.Response:
        return self.http.get(address, allow_redirects=False, timeout=10)

    def agrees(self, address: str, **how: Any) -> str:
        """Where the platform sends the browser back to."""
        wanted = {"open_id": FOLLOWER, "union_id": UNION, "url": address} | how
        return str(self.stage.control("POST", "/oauth-authorizations", wanted)["redirect"])

    def taps(self, target: str, **how: Any) -> requests.Response:
        begun = self.goes(f"{self.stage.base_url}{PATH}/oauth?to={target}")
        assert begun.status_code == 302, begun.text
        return self.goes(self.agrees(begun.headers["Location"], **how))


def test_who_taps_the_menu_lands_logged_in_as_the_mini_programs_account(account: Stage) -> None:
    visitor = Visitor(account)
    landed = visitor.taps("/h5/%3Fview=appointments")
    found = re.fullmatch(r"(.*)#handoff=([\w-]{43})", landed.headers["Location"])
    assert found is not None
    assert found[1] == f"{account.base_url}/h5/?view=appointments"
    assert visitor.goes(found[1]).status_code == 200
    session = visitor.http.post(
        f"{account.base_url}/api/v1/sessions", json={"provider": "handoff", "code": found[2]}, timeout=10
    )
    assert session.status_code == 201
    again = requests.post(
        f"{account.base_url}/api/v1/sessions", json={"provider": "handoff", "code": found[2]}, timeout=10
    )
    assert again.status_code == 401
    code = account.control(
        "POST", "/login-codes", {"provider": "wechat_miniapp", "open_id": "mini-follower", "union_id": UNION}
    )["code"]
    inside = over_http(account.base_url)(
        "POST", "/api/v1/sessions", {"provider": "wechat_miniapp", "app": "patient", "code": code}, {}
    )
    assert inside.json["account"]["id"] == session.json()["account"]["id"]
    phone = Phone(over_http(account.base_url), session.json()["token"])
    page = f"{account.base_url}/h5/?view=appointments"
    signed = phone.get(f"/page-signature?url={page}")["client_params"]
    told = account.control("POST", f"/official/{APP}/page-signatures", {"url": page, **_without(signed, "appId")})
    assert told["ok"] is True


def _without(params: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in params.items() if key != name}


def test_a_snapshot_of_somebody_is_told_how_to_go_on_and_bound_to_nothing(account: Stage) -> None:
    answer = Visitor(account).taps("/h5/", snapshot=True)
    assert answer.status_code == 200
    assert "使用完整服务" in answer.text


def test_a_return_is_good_once(account: Stage) -> None:
    visitor = Visitor(account)
    begun = visitor.goes(f"{account.base_url}{PATH}/oauth")
    back = visitor.agrees(begun.headers["Location"])
    cookies = dict(visitor.http.cookies)
    assert visitor.goes(back).status_code == 302
    visitor.http.cookies.update(cookies)
    assert visitor.goes(back).status_code == 400


def test_a_link_into_the_mini_program_is_the_platforms_own(account: Stage) -> None:
    answer = Visitor(account).goes(f"{account.base_url}/h5/miniapp?scene=doctor:019abf4d-c000-7000-8000-000000000001")
    assert answer.status_code == 302
    assert urlsplit(answer.headers["Location"]).scheme in {"http", "https"}
