"""What followers send, over HTTP: proven first, noted once without a word of it, answered each time alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from fakes import FakeAdapters, ManualClock
from fakes_official import CLINIC, OFFICIAL, follower
from flask.testing import FlaskClient
from harness import make_runner, race
from official_http import Office, open_office
from sqlalchemy import select
from werkzeug.test import TestResponse

from core.conversation.receive import KEPT_FOR
from core.ports import Incoming, IncomingKind
from miniapp_api.app import create_app
from miniapp_api.config import Config
from models.platform import EventState, PlatformEvent, RefusedEvent

PATH = f"/callbacks/wechat-official/{CLINIC}"
SAID = "我的身份证 330102199001019973"


@pytest.fixture
def office(config: Config, clock: ManualClock) -> Iterator[Office]:
    with open_office(config, clock) as opened:
        yield opened


@pytest.fixture
def client(office: Office) -> FlaskClient:
    return office.app.test_client()


def sent(office: Office, dedup: str = "message:1", *, text: str = "帮助", **facts: Any) -> bytes:
    """A body that the platform vouches for."""
    body = f"<xml>{dedup}{text}{len(office.conversation.known)}</xml>".encode()
    at: datetime = office.clock.now()
    told = {"app": CLINIC, "kind": IncomingKind.TEXT, "follower": follower("an"), "sent_at": at} | facts
    office.conversation.known[body] = Incoming(dedup=dedup, text=text, **told)
    return body


def post(client: FlaskClient, body: bytes, **more: Any) -> TestResponse:
    return client.post(f"{PATH}?signature=s&timestamp=1&nonce=n", data=body, content_type="text/xml", **more)


def events(office: Office) -> list[PlatformEvent]:
    with office.workbench.transactions.database.read() as session:
        return list(session.scalars(select(PlatformEvent)))


def test_the_platforms_check_is_answered_with_its_echo(client: FlaskClient) -> None:
    answer = client.get(PATH, query_string={"signature": "right", "timestamp": "1", "nonce": "n", "echostr": "42"})
    assert (answer.status_code, answer.data, answer.mimetype) == (200, b"42", "text/plain")


@pytest.mark.parametrize("query", [{}, {"signature": "wrong", "echostr": "42"}, {"echostr": "<script>"}])
def test_a_check_that_nothing_proves_echoes_nothing(client: FlaskClient, query: dict[str, str]) -> None:
    answer = client.get(PATH, query_string=query)
    assert (answer.status_code, answer.data) == (403, b"")


def test_a_message_is_answered_and_noted_without_a_word_of_it(client: FlaskClient, office: Office) -> None:
    answer = post(client, sent(office, f"event:{follower('an')}", text=SAID))
    assert (answer.status_code, answer.mimetype) == (200, "application/xml")
    assert "没有找到" in answer.get_data(as_text=True)
    (event,) = events(office)
    assert (event.provider, event.merchant, event.kind) == (OFFICIAL, CLINIC, "text")
    assert (event.state, event.copies, event.headers, event.body) == (EventState.APPLIED, 1, {}, b"")
    assert follower("an") not in event.event_id


def test_a_message_sent_again_is_answered_alike_and_counted_once(client: FlaskClient, office: Office) -> None:
    answers = {post(client, sent(office)).data for _ in range(3)}
    assert len(answers) == 1
    assert [one.copies for one in events(office)] == [3]


def test_who_writes_too_much_is_answered_with_silence_and_nobody_else(config: Config, clock: ManualClock) -> None:
    adapters = FakeAdapters(clock)
    app = create_app(replace(config, follower_limit="2/minute"), adapters=adapters, clock=clock)
    office, client = Office(app, clock, adapters), app.test_client()

    def told(name: str) -> bool:
        answer = post(client, sent(office, f"event:{name}", text="心内科", follower=follower(name)))
        assert answer.status_code == 200
        return "没有找到" in answer.get_data(as_text=True)

    assert [told("an") for _ in range(3)] == [True, True, False]
    assert told("bo")
    assert [one.copies for one in events(office)] == [3, 1]
    office.workbench.transactions.database.close()


def test_twins_at_once_are_one_row(office: Office) -> None:
    bodies = [sent(office) for _ in range(6)]
    answers = race(*[lambda body=body: post(office.app.test_client(), body).status_code for body in bodies])  # type: ignore[misc]
    assert answers == [200] * 6
    assert [one.copies for one in events(office)] == [6]


def test_the_same_message_at_another_account_is_another(client: FlaskClient, office: Office) -> None:
    office.adapters.conversations["other"] = office.conversation
    post(client, sent(office))
    body = sent(office, app="other")
    assert client.post(PATH.replace(CLINIC, "other"), data=body).status_code == 200
    assert [one.copies for one in events(office)] == [1, 1]


def test_what_nothing_proves_is_refused_and_kept_apart_without_its_words(client: FlaskClient, office: Office) -> None:
    answer = post(client, f"<xml>{SAID}</xml>".encode(), headers={"X-Secret": SAID.encode().hex()})
    assert (answer.status_code, answer.data) == (403, b"")
    assert events(office) == []
    with office.workbench.transactions.database.read() as session:
        (kept,) = session.scalars(select(RefusedEvent))
    assert (kept.provider, kept.merchant, kept.reason) == (OFFICIAL, CLINIC, "signature")
    assert (kept.headers, kept.body) == ({}, b"")


def test_too_much_is_refused_before_it_is_looked_at(client: FlaskClient, office: Office) -> None:
    body = sent(office, text="x" * 70_000)
    answer = post(client, body)
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (413, "payload_too_large")
    assert (events(office), office.conversation.answered) == ([], [])


def test_an_account_that_is_not_configured_is_not_there(client: FlaskClient) -> None:
    for method in ("GET", "POST"):
        answer = client.open(PATH.replace(CLINIC, "nobody"), method=method, data=b"x")
        assert (answer.status_code, answer.get_json(force=True)["code"]) == (404, "not_found")


def test_the_answer_leads_to_the_route_that_logs_in(client: FlaskClient, office: Office) -> None:
    post(client, sent(office, kind=IncomingKind.TAPPED, key="MINE", text=""))
    (answer,) = office.conversation.answered
    assert answer.link is not None
    assert answer.link.url == f"http://127.0.0.1:8000{PATH}/oauth?to=%2Fh5%2F%3Fview%3Dappointments"


def test_a_follower_who_logged_in_by_a_page_is_known_in_the_chat(client: FlaskClient, office: Office) -> None:
    office.follower("an")
    post(client, sent(office, kind=IncomingKind.TAPPED, key="MINE", text=""))
    (answer,) = office.conversation.answered
    assert answer.link is not None
    assert answer.link.description.startswith("没有待就诊的预约")


def test_notes_of_messages_are_forgotten_after_a_day(client: FlaskClient, office: Office) -> None:
    post(client, sent(office))
    office.clock.advance(KEPT_FOR + timedelta(seconds=1))
    runner = make_runner(office.workbench)
    while runner.run_due():
        pass
    assert events(office) == []


def test_nothing_of_a_chat_is_logged(
    client: FlaskClient, office: Office, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    post(client, sent(office, text=SAID))
    post(client, SAID.encode())
    logged = caplog.text + "".join(capfd.readouterr())
    assert "message_refused" in logged
    assert not [one for one in (SAID, SAID[-18:], follower("an"), "signature=s") if one in logged]
