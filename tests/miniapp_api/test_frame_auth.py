"""A route asks for what its blueprint declares; a login that ended is none, at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import factories
import pytest
from fakes import ManualClock
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core.identity.login import token_digest
from core.workbench import Workbench
from miniapp_api.app import App
from miniapp_api.auth import Auth, current_caller
from miniapp_api.openapi import Blueprint
from models.account import Account, LoginSession

LogIn = Callable[..., dict[str, str]]
PATH = "/api/v1/own-probe"
TOKEN = "t" * 43


def code_of(reply: TestResponse) -> str:
    return str(reply.get_json(force=True)["code"])


def test_every_route_stands_on_a_blueprint_that_declares_its_auth(app: App) -> None:
    for rule in app.url_map.iter_rules():
        name = rule.endpoint.rpartition(".")[0]
        assert name, f"{rule} belongs to no blueprint"
        blueprint = app.blueprints[name]
        assert isinstance(blueprint, Blueprint), rule
        assert isinstance(blueprint.auth, Auth), rule


def test_what_stands_open_is_listed(app: App) -> None:
    """A blueprint that asks for nobody is a decision: whoever adds one adds it here."""
    opened = {
        name for name, found in app.blueprints.items() if isinstance(found, Blueprint) and found.auth is Auth.NONE
    }
    meant = {"probe", "docs", "health", "time", "sessions", "consent_texts", "catalog", "hospitals", "departments",
             "doctors", "schedules", "search", "alipay_pages", "page_login", "h5", "h5_files"}  # fmt: skip
    assert opened <= meant


def test_every_patient_route_refuses_a_stranger(app: App, client: FlaskClient) -> None:
    for rule in app.url_map.iter_rules():
        blueprint = app.blueprints[rule.endpoint.rpartition(".")[0]]
        if not isinstance(blueprint, Blueprint) or blueprint.auth is not Auth.LOGIN:
            continue
        path = rule.build(dict.fromkeys(rule.arguments, "01a205da-7a95-7518-9ed1-d1aeee8126c5"))[1]
        for method in (rule.methods or set()) - {"HEAD"}:
            reply = client.open(path, method=method)
            assert (reply.status_code, code_of(reply)) == (401, "unauthenticated"), (method, path)
            assert reply.headers["WWW-Authenticate"] == "Bearer"


def test_a_login_is_known_by_its_token(client: FlaskClient, login: LogIn) -> None:
    reply = client.get(PATH, headers=login())
    assert reply.status_code == 200
    assert (reply.json["seen"]["provider"], reply.json["seen"]["app"]) == ("wechat_miniapp", factories.APP)
    assert client.get(PATH, headers=login()).json["seen"]["account"] != reply.json["seen"]["account"]


@pytest.mark.parametrize(
    "header",
    [
        "", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}", f"Bearer {TOKEN} x", f"Bearer\t{TOKEN}",
        f"Bearer {TOKEN}, Bearer {TOKEN}", "Bearer " + "x" * 4000, "Bearer ' OR 1=1 --aaaaaaaaaaaaaaaaaaaaaaaa",
        "Bearer \u00e4" + TOKEN,
    ],
)  # fmt: skip
def test_what_is_no_live_token_is_refused(client: FlaskClient, header: str) -> None:
    reply = client.get(PATH, headers={"Authorization": header.encode().decode("latin-1")})
    assert (reply.status_code, code_of(reply)) == (401, "unauthenticated")


def test_a_token_in_a_query_or_a_cookie_is_none(client: FlaskClient, login: LogIn) -> None:
    token = login()["Authorization"].removeprefix("Bearer ")
    assert client.get(f"{PATH}?token={token}").status_code == 401
    client.set_cookie("token", token)
    assert client.get(PATH).status_code == 401


def test_the_scheme_is_read_in_any_case(client: FlaskClient, login: LogIn) -> None:
    token = login()["Authorization"].removeprefix("Bearer ")
    assert client.get(PATH, headers={"Authorization": f"bearer {token}"}).status_code == 200


def test_a_login_ends_at_its_end(client: FlaskClient, login: LogIn, clock: ManualClock) -> None:
    headers = login(lasts=timedelta(hours=1))
    clock.advance(timedelta(hours=1) - timedelta(seconds=1))
    assert client.get(PATH, headers=headers).status_code == 200
    clock.advance(timedelta(seconds=1))
    assert client.get(PATH, headers=headers).status_code == 401


def test_a_revoked_login_is_dead_at_once(client: FlaskClient, login: LogIn, workbench: Workbench) -> None:
    headers = login()

    def revoke(session: Session, now: datetime) -> None:
        _session_of(session, headers).revoked_at = now

    assert client.get(PATH, headers=headers).status_code == 200
    workbench.transactions.write(revoke)
    assert client.get(PATH, headers=headers).status_code == 401


def test_a_closed_account_has_no_login(client: FlaskClient, login: LogIn, workbench: Workbench) -> None:
    headers = login()

    def close(session: Session, now: datetime) -> None:
        session.get_one(Account, _session_of(session, headers).account_id).closed_at = now

    workbench.transactions.write(close)
    assert client.get(PATH, headers=headers).status_code == 401


def _session_of(session: Session, headers: dict[str, str]) -> LoginSession:
    digest = token_digest(headers["Authorization"].removeprefix("Bearer "))
    found: LoginSession = session.scalars(select(LoginSession).where(LoginSession.token_hash == digest)).one()
    return found


def test_a_login_whose_identity_is_anothers_is_none(client: FlaskClient, login: LogIn, workbench: Workbench) -> None:
    mine, other = login(), login()

    def mix_up(session: Session, now: datetime) -> None:
        _session_of(session, mine).platform_identity_id = _session_of(session, other).platform_identity_id

    workbench.transactions.write(mix_up)
    assert client.get(PATH, headers=mine).status_code == 401


def test_asking_for_a_caller_where_nobody_logs_in_is_a_bug(app: App) -> None:
    with app.test_request_context("/api/v1/time"), pytest.raises(LookupError):
        current_caller()


def test_auth_comes_before_the_payload(client: FlaskClient) -> None:
    for body in (b"{", b'{"x": 1}', b" " * 70_000):
        assert client.post(PATH, data=body, content_type="application/json").status_code == 401


def test_a_keyed_command_asks_for_its_key(client: FlaskClient, login: LogIn) -> None:
    headers = login()
    for key in (None, "", "short", "x" * 129, "with a space in it", "ключ-ключ-ключ-ключ", "a" * 15 + "\x7f"):
        sent = headers if key is None else {**headers, "Idempotency-Key": key.encode().decode("latin-1")}
        reply = client.post(PATH, json={"name": "a"}, headers=sent)
        assert (reply.status_code, code_of(reply)) == (400, "idempotency_key_required"), key


def test_a_keyed_command_replays_its_first_success(client: FlaskClient, login: LogIn) -> None:
    headers = {**login(), "Idempotency-Key": "k" * 16}
    refused = client.post(PATH, json={"name": "sold out"}, headers=headers)
    assert (refused.status_code, code_of(refused), refused.headers["Retry-After"]) == (409, "sold_out", "60")
    assert refused.get_json(force=True)["facts"] == {"remaining": 0}
    first = client.post(PATH, json={"name": "张三"}, headers=headers)
    again = client.post(PATH, data='{ "name" : "\\u5f20\\u4e09" }', content_type="application/json", headers=headers)
    assert (first.status_code, first.data) == (201, '{"name":"张三"}'.encode())
    assert (again.status_code, again.data) == (201, first.data)
    other = client.post(PATH, json={"name": "李四"}, headers=headers)
    assert (other.status_code, code_of(other)) == (422, "idempotency_key_reused")
    assert client.post(PATH, json={"name": "李四"}, headers={**headers, **login()}).status_code == 201
