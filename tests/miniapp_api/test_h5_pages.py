"""The pages below /h5/: honest to everybody, one's own to a bearer only, and nothing inline, framed or from outside."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from factories import make_department, make_doctor, make_hospital, make_schedule
from fakes import ManualClock
from flask.testing import FlaskClient
from official_http import Office, open_office
from people_http import SELF, Patient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core.conversation.scenes import Scene, SceneKind, write_scene
from core.ports import ProviderRefused, ProviderUnavailable
from miniapp_api.config import Config
from models.base import new_id

EASY = {"min_identity_level": 0}
SCRIPT = '<script>alert("x")</script>'


@pytest.fixture
def office(config: Config, clock: ManualClock) -> Iterator[Office]:
    with open_office(config, clock) as opened:
        yield opened


@pytest.fixture
def client(office: Office) -> FlaskClient:
    return office.app.test_client()


def text_of(answer: TestResponse, status: int = 200) -> str:
    assert (answer.status_code, answer.mimetype) == (status, "text/html"), answer.text
    return str(answer.get_data(as_text=True))


def clinic(office: Office, *, name: str = "心内科", doctor: str = "虚拟王", **schedule: Any) -> dict[str, UUID]:
    def step(session: Session, now: datetime) -> dict[str, UUID]:
        department = make_department(session, make_hospital(session), name=name)
        made = make_doctor(session, department, name=doctor)
        half_day = make_schedule(session, department, doctor=made, now=now, **{"terms": EASY} | schedule)
        return {"department": department.id, "doctor": made.id, "schedule": half_day.id}

    return office.workbench.transactions.write(step)


def booked(patient: Patient, schedule_id: UUID, pay: str = "on_site") -> str:
    patient.agree("service")
    patient.agree("sensitive_identity")
    wish = {"schedule_id": str(schedule_id), "dependent_id": patient.add(SELF), "pay": pay}
    answer = patient.post("/appointments", wish)
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def overview(patient: Patient, **query: str) -> TestResponse:
    headers = {"Authorization": f"Bearer {patient.token}"}
    return patient.client.get("/h5/overview", query_string=query, headers=headers)


# --- for everybody ---------------------------------------------------------------------------------------------------


def test_the_home_page_says_what_it_is_and_leads_on(client: FlaskClient) -> None:
    said = text_of(client.get("/h5/?view=appointments"))
    assert "<h1>预约挂号</h1>" in said
    login = "http://127.0.0.1:8000/callbacks/wechat-official/clinic/oauth?to=%2Fh5%2F%3Fview%3Dappointments"
    assert f'href="{login}"' in said
    assert 'href="/h5/miniapp?account=clinic"' in said


@pytest.mark.parametrize(
    ("query", "accepted", "said"),
    [
        ("", None, "zh-CN"), ("", "en-GB,en;q=0.9", "en"), ("?lang=en", None, "en"), ("?lang=zh-CN", "en", "zh-CN"),
        ("?lang=xx", "en", "en"), ("?lang=%22%3E", None, "zh-CN"),
    ],
)  # fmt: skip
def test_pages_speak_the_language_asked_for(client: FlaskClient, query: str, accepted: str | None, said: str) -> None:
    answer = client.get(f"/h5/{query}", headers={"Accept-Language": accepted} if accepted else {})
    assert answer.headers["Content-Language"] == said
    assert f'<html lang="{said}">' in text_of(answer)
    assert ("Hospital appointments" in text_of(answer)) is (said == "en")


def test_a_doctors_page_names_them_and_the_open_numbers(office: Office, client: FlaskClient) -> None:
    ids = clinic(office, fee_fen=1500, numbers=7)
    said = text_of(client.get(f"/h5/doctors/{ids['doctor']}"))
    assert "<h1>虚拟王 <small>主治医师</small></h1>" in said
    assert re.search(r"<li>11月25日 周三 上午 <span>¥15\.00</span> <span>余 7</span></li>", said)
    scene = write_scene(Scene(SceneKind.DOCTOR, ids["doctor"])).replace(":", "%3A")
    assert f'href="/h5/miniapp?account=clinic&amp;scene={scene}"' in said


def test_a_departments_page_names_it_and_its_doctors(office: Office, client: FlaskClient) -> None:
    ids = clinic(office)
    said = text_of(client.get(f"/h5/departments/{ids['department']}"))
    assert "<h1>心内科</h1>" in said
    assert "虚拟王" in said
    english = text_of(client.get(f"/h5/departments/{ids['department']}?lang=en"))
    assert "Wed 25 Nov morning" in english


@pytest.mark.parametrize("path", ["/h5/doctors/{}", "/h5/departments/{}"])
def test_what_is_gone_is_not_found(client: FlaskClient, path: str) -> None:
    assert client.get(path.format(new_id())).status_code == 404


def test_where_no_account_is_configured_no_login_is_offered(office: Office, client: FlaskClient) -> None:
    office.adapters.officials.clear()
    said = text_of(client.get("/h5/"))
    assert "这里暂未开通登录" in said
    assert "/oauth" not in said
    assert text_of(client.get("/h5/miniapp"), 503)


def test_a_link_may_name_the_account_it_came_from(office: Office, client: FlaskClient) -> None:
    other = type(office.account)(app="other")
    office.adapters.officials["other"] = other
    assert "/wechat-official/other/oauth" in text_of(client.get("/h5/?account=other"))
    assert "/wechat-official/clinic/oauth" in text_of(client.get("/h5/?account=nobody"))


@pytest.mark.parametrize("query", ["?to=//evil.example", "?a=%0d%0ax", "?x=<script>", "?%00", "?lang=en&a=%23handoff"])
def test_a_34_a_pages_own_query_never_leads_its_login_astray(client: FlaskClient, query: str) -> None:
    said = text_of(client.get(f"/h5/{query}"))
    (login,) = re.findall(r'href="(http[^"]+/oauth[^"]*)"', said)
    assert login == "http://127.0.0.1:8000/callbacks/wechat-official/clinic/oauth?to=%2Fh5%2F"
    assert "<script>" not in said.replace('<script src="', "")


# --- on into the mini-program ----------------------------------------------------------------------------------------


def test_the_mini_program_opens_at_what_the_scene_names(office: Office, client: FlaskClient) -> None:
    ids = clinic(office)
    scenes = [f"doctor:{ids['doctor']}", f"department:{ids['department']}", f"appointment:{new_id()}"]
    made_up = [f"doctor:{new_id()}", f"department:{new_id()}", "//evil.example"]
    for query in ({}, *({"scene": scene} for scene in scenes + made_up)):
        answer = client.get("/h5/miniapp", query_string=query)
        assert (answer.status_code, answer.data) == (302, b"")
        assert answer.headers["Location"].startswith("https://wxaurl.example/")
    assert [(at, query) for at, query, _ in office.links.opened] == [
        ("pages/index/index", {}),
        ("pages/doctor/index", {"id": str(ids["doctor"])}),
        ("pages/department/index", {"id": str(ids["department"])}),
        ("pages/appointment/index", {}),
        *[("pages/index/index", {})] * 3,
    ]


@pytest.mark.parametrize("failure", [ProviderUnavailable("down"), ProviderRefused("45009", "quota")])
def test_where_the_platform_gives_no_link_the_page_is_kind(
    office: Office, client: FlaskClient, failure: Exception
) -> None:
    office.links.failure = failure
    said = text_of(client.get("/h5/miniapp"), 503)
    assert "暂时打不开小程序" in said
    assert 'href="/h5/"' in said


# --- one's own -------------------------------------------------------------------------------------------------------


def test_the_overview_tells_who_is_logged_in_and_what_comes_next(office: Office) -> None:
    patient = office.follower("an")
    appointment_id = booked(patient, clinic(office)["schedule"])
    said = text_of(overview(patient))
    assert "微信用户" in said
    assert "11月25日 周三 上午 08:00–" in said
    assert "测试医院 · 心内科 · 虚拟王" in said
    assert "预约成功" in said
    assert f"appointment%3A{appointment_id}" in said
    assert "<html" not in said
    assert not [one for one in (SELF["name"], SELF["id_number"], SELF["phone"], patient.token) if one in said]


def test_an_unpaid_number_says_until_when(office: Office) -> None:
    patient = office.follower("an")
    booked(patient, clinic(office)["schedule"], pay="online")
    said = text_of(overview(patient, lang="en"))
    assert re.search(r"not yet confirmed · pay in the mini-program until \d\d:\d\d", said)


def test_booked_in_the_mini_program_is_seen_on_the_page(office: Office) -> None:
    booked(office.miniapp_user("an"), clinic(office)["schedule"])
    assert "心内科" in text_of(overview(office.follower("an")))


def test_anothers_appointments_are_not_shown(office: Office) -> None:
    booked(office.follower("an"), clinic(office)["schedule"])
    said = text_of(overview(office.follower("other")))
    assert "没有待就诊的预约" in said
    assert "心内科" not in said


def test_without_a_live_token_nothing_is_shown(office: Office, client: FlaskClient) -> None:
    patient = office.follower("an")
    assert client.get("/h5/overview").status_code == 401
    assert patient.send("DELETE", "/sessions/current").status_code == 204
    assert overview(patient).status_code == 401


def test_a_07_names_are_text_and_never_markup(office: Office, client: FlaskClient) -> None:
    patient = office.follower("an")
    ids = clinic(office, name=SCRIPT, doctor=f'"><img src=x onerror=alert(1)>{SCRIPT}')
    booked(patient, ids["schedule"])
    pages = [overview(patient), *(client.get(f"/h5/{kind}s/{ids[kind]}") for kind in ("doctor", "department"))]
    for answer in pages:
        said = text_of(answer)
        assert "&lt;script&gt;alert" in said
        assert not re.search(r"<script>|<img", said)


# --- under lock ------------------------------------------------------------------------------------------------------


@pytest.fixture
def every_page(office: Office, client: FlaskClient) -> list[TestResponse]:
    ids, patient = clinic(office), office.follower("an")
    office.links.failure = ProviderUnavailable("down")
    paths = ["/h5/", f"/h5/doctors/{ids['doctor']}", f"/h5/departments/{ids['department']}", "/h5/miniapp"]
    paths += ["/callbacks/wechat-official/clinic/oauth?state=x", "/callbacks/wechat-official/clinic/oauth?to=//evil"]
    return [overview(patient), *map(client.get, paths)]


def test_a_35_no_page_runs_inline_code_is_framed_or_loads_from_outside(every_page: list[TestResponse]) -> None:
    for answer in every_page:
        policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy.pop("default-src") == policy.pop("frame-ancestors") == policy.pop("form-action") == "'none'"
        assert policy.pop("base-uri") == "'none'"
        assert set(policy.values()) == {"'self'"}
        said = answer.get_data(as_text=True)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|<iframe|<form", said)
        assert all('src="/h5/static/' in one for one in re.findall(r"<script[^>]*>", said))
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_35_no_answer_invites_another_origin(every_page: list[TestResponse], client: FlaskClient) -> None:
    foreign = {"Origin": "https://evil.example"}
    asked = [client.get("/h5/", headers=foreign), client.options("/h5/overview", headers=foreign)]
    asked.append(client.post("/api/v1/sessions", json={"provider": "handoff", "code": "x"}, headers=foreign))
    for answer in (*every_page, *asked):
        assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_35_a_foreign_form_logs_nobody_in(office: Office, kind: str) -> None:
    """What a form of another site can send without asking is no JSON."""
    browser = office.browser()
    handoff = browser.handed_over("an")
    body = f'{{"provider": "handoff", "code": "{handoff}"}}'
    answer = browser.client.post(
        "/api/v1/sessions", data=body, content_type=kind, headers={"Origin": "https://evil.example"}
    )
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (415, "unsupported_media_type")
    assert browser.log_in(handoff).status_code == 201


def test_a_35_no_cookie_stands_for_a_login(office: Office) -> None:
    patient = office.follower("an")
    assert patient.client.get("/api/v1/account").status_code == 401
    assert patient.client.get("/h5/overview").status_code == 401


@pytest.mark.parametrize("name", ["h5.js", "h5.css", "icon.svg"])
def test_files_are_served_with_their_types(client: FlaskClient, name: str) -> None:
    with client.get(f"/h5/static/{name}") as answer:
        assert answer.status_code == 200
        assert answer.mimetype in {"text/javascript", "text/css", "image/svg+xml"}
        assert "max-age=3600" in answer.headers["Cache-Control"]
    assert client.get("/h5/static/..%2fh5.py").status_code == 404
    assert client.get("/h5/static/nothing").status_code == 404


def test_below_a_folder_of_a_proxy_every_link_still_leads_to_us(make_app: Callable[..., Any], config: Config) -> None:
    app = make_app(replace(config, public_base_url="https://hospital.example/yuezhen"))
    said = text_of(app.test_client().get("/h5/"))
    assert {
        link for link in re.findall(r'(?:src|href)="(/[^"]*)"', said) if not link.startswith("/yuezhen/h5/")
    } == set()
