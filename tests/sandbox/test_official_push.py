"""What an account's server is pushed, in every mode and form, and what becomes of its answers (sections 3.1 to 3.3)."""

import json
from typing import Any

import pytest
import xmltodict
from account_server import Clinic, Seen
from wechatpy.exceptions import InvalidAppIdException

from sandbox.wechat_official.crypto import read_aes_key, unseal

MODES = ("plain", "compatible", "secure")
REGRET = "fault"


# --- the console ------------------------------------------------------------------------------------------------------


def test_the_console_checks_the_server_before_it_saves(clinic: Clinic) -> None:
    control = clinic.box.control
    assert control.call("GET", "/official/clinic/server").status_code == 404
    assert clinic.tries(event="subscribe").json()["code"] == "server_not_set"
    clinic.server.respond = lambda _: "hello"
    assert clinic.save().json()["code"] == "server_check_failed"
    clinic.server.respond = lambda seen: (500, seen.query["echostr"])
    assert clinic.save().status_code == 409
    assert control.call("GET", "/official/clinic/server").status_code == 404
    clinic.server.respond = lambda seen: seen.query["echostr"]
    assert clinic.save("plain", "json").json() == {"url": clinic.server.url, "mode": "plain", "format": "json"}
    assert clinic.signed(clinic.server.seen[-1])
    assert clinic.server.seen[-1].method == "GET"


@pytest.mark.parametrize(
    "bent", [{"mode": "open"}, {"format": "yaml"}, {"url": "ftp://127.0.0.1/"}, {"url": "http://["}, {"url": "/x"}]
)
def test_a_senseless_server_is_refused(clinic: Clinic, bent: dict[str, str]) -> None:
    body = {"url": clinic.server.url, **bent}
    assert clinic.box.control.call("POST", "/official/clinic/server", body).status_code == 422
    assert clinic.box.control.call("POST", "/official/nobody/server", {"url": clinic.server.url}).status_code == 404


def test_an_address_with_a_query_keeps_it(clinic: Clinic) -> None:
    assert clinic.save(url=clinic.server.url + "?tenant=1").status_code == 200
    assert clinic.server.seen[-1].query["tenant"] == "1"


# --- what is pushed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_wechatpy_reads_every_deed_in_every_mode(clinic: Clinic, mode: str) -> None:
    clinic.save(mode)
    for deed, expected in (
        ({"event": "subscribe"}, {"event": "subscribe"}),
        ({"event": "unsubscribe"}, {"event": "unsubscribe"}),
        ({"event": "subscribe", "scene": "doctor:1"}, {"event": "subscribe_scan", "scene_id": "doctor:1"}),
        ({"event": "SCAN", "scene": "7"}, {"event": "scan", "scene_id": "7"}),
        ({"event": "CLICK", "key": "numbers"}, {"event": "click", "key": "numbers"}),
        ({"event": "VIEW", "url": "https://a.example/?b=1"}, {"event": "view", "url": "https://a.example/?b=1"}),
        ({"text": "内科 ]]> <b>"}, {"content": "内科 ]]> <b>"}),
    ):
        clinic.plays(**deed)
        seen = clinic.server.pushes[-1]
        assert clinic.signed(seen)
        assert seen.content_type == "text/xml"
        assert ("msg_signature" in seen.query) is (mode != "plain")
        assert seen.query["openid"] == "follower"
        message = clinic.opened(seen)
        assert (message.source, message.target[:3]) == ("follower", "gh_")
        assert {name: getattr(message, name) for name in expected} == expected
    assert len(clinic.server.pushes) == 7


def test_the_event_of_a_miniapp_page_names_menu_and_page(followed: Clinic) -> None:
    followed.plays(event="view_miniprogram", page="pages/index")
    raw = followed.crypto.decrypt_message(
        (seen := followed.server.pushes[0]).body.decode(),
        seen.query["msg_signature"],
        seen.query["timestamp"],
        seen.query["nonce"],
    )
    fields = xmltodict.parse(raw)["xml"]
    assert (fields["Event"], fields["EventKey"]) == ("view_miniprogram", "pages/index")
    assert fields["MenuId"].isdigit()


@pytest.mark.parametrize("mode", MODES)
def test_json_carries_the_same_fields(clinic: Clinic, mode: str) -> None:
    clinic.save(mode, "json")
    clinic.plays(event="subscribe", scene="s")
    seen = clinic.server.pushes[0]
    assert seen.content_type == "application/json"
    message = clinic.opened(seen, "json")
    assert (message["Event"], message["EventKey"], message["MsgType"]) == ("subscribe", "qrscene_s", "event")
    assert isinstance(message["CreateTime"], int)
    shown = json.loads(seen.body)
    assert ("FromUserName" in shown, "Encrypt" in shown) == (mode != "secure", mode != "plain")


def test_the_ticket_of_a_known_code_goes_with_its_scan(followed: Clinic) -> None:
    made = followed.post(
        "/cgi-bin/qrcode/create", {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "s"}}}
    )
    followed.plays(event="SCAN", scene="s")
    assert followed.opened(followed.server.pushes[0]).ticket == made["ticket"]


def test_only_followers_do_things(followed: Clinic) -> None:
    assert followed.tries("stranger", text="x").json()["code"] == "not_following"
    followed.plays(event="unsubscribe")
    assert followed.tries(event="CLICK", key="x").json()["code"] == "not_following"


def test_deeds_of_one_person_never_share_a_second(followed: Clinic) -> None:
    stamps = [followed.plays(event="CLICK", key="x")["message"]["CreateTime"] for _ in range(4)]
    assert len(set(stamps)) == 4
    numbers = {followed.plays(text="x")["message"]["MsgId"] for _ in range(4)}
    assert len(numbers) == 4


@pytest.mark.parametrize(
    "deed",
    [
        {},
        {"text": "x", "event": "CLICK"},
        {"event": "LOCATION"},
        {"event": "CLICK"},
        {"event": "SCAN", "scene": ""},
        {"event": "CLICK", "key": "x", "url": "http://x"},
        {"event": "unsubscribe", "scene": "x"},
        {"text": ""},
        {"text": "\x00"},
        {"text": "字" * 700},
        {"text": "x", "copies": 0},
        {"text": "x", "forge": {"surprise": "x"}},
        {"text": "x", "forge": {"token": 1}},
        {"text": "x", "forge": {"mode": "x"}},
        {"text": "x", "forge": {"encoding_aes_key": "short"}},
        {"text": "x", "forge": {"tamper": {"body": 10**6}}},
    ],
)
def test_a_senseless_deed_is_refused_and_nothing_is_sent(followed: Clinic, deed: dict[str, Any]) -> None:
    assert followed.tries(**deed).status_code == 422
    assert followed.server.seen == []
    assert followed.tries("张三", text="x").status_code == 422


# --- tries ------------------------------------------------------------------------------------------------------------


def test_an_answer_that_fails_is_asked_for_three_times_with_the_same_message(followed: Clinic) -> None:
    followed.server.respond = lambda _: (500, "")
    done = followed.plays(text="x")
    assert [attempt["status"] for attempt in done["attempts"]] == [500, 500, 500]
    assert (done["reply"]["kind"], done["reply"]["fault"]) == (REGRET, "no_answer")
    pushes = followed.server.pushes
    assert len({followed.opened(seen).id for seen in pushes}) == 1
    assert len({seen.query["nonce"] for seen in pushes}) == len({seen.body for seen in pushes}) == 3


def test_the_second_try_may_succeed(followed: Clinic) -> None:
    followed.server.respond = lambda _: (500, "") if len(followed.server.pushes) == 1 else "success"
    done = followed.plays(text="x")
    assert ([attempt["status"] for attempt in done["attempts"]], done["reply"]["kind"]) == ([500, 200], "silence")


def test_nobody_listening_is_no_answer(followed: Clinic) -> None:
    with followed.box.running.sandbox.store.transaction() as tx:
        tx.execute("update push_servers set url = 'http://127.0.0.1:9/'")
    done = followed.plays(text="x")
    assert [attempt["error"] for attempt in done["attempts"]] == ["ConnectionError"] * 3


@pytest.mark.parametrize("concurrently", [False, True])
def test_copies_are_one_message(followed: Clinic, concurrently: bool) -> None:
    done = followed.plays(text="x", copies=5, concurrently=concurrently)
    assert len(done["attempts"]) == 5
    assert len({followed.opened(seen).id for seen in followed.server.pushes}) == 1


# --- forging ----------------------------------------------------------------------------------------------------------


def test_forgeries_are_what_they_say(followed: Clinic) -> None:
    xxe = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml>&e;</xml>'

    def forged(**forge: Any) -> Seen:
        followed.plays(text="x", forge=forge)
        return followed.server.pushes[-1]

    assert followed.opened(forged()).content == "x"
    assert not followed.signed(forged(token="other"))
    with pytest.raises(InvalidAppIdException):
        followed.opened(forged(appid="wx1234567890abcdef"))
    assert forged(body=xxe).body.decode() == xxe
    seen = forged(message=xxe)
    assert unseal(read_aes_key(followed.credentials["encoding_aes_key"]), xmltodict.parse(seen.body)["xml"]["Encrypt"])
    assert "signature" not in forged(query={"signature": None, "nonce": "n"}).query
    assert followed.server.pushes[-1].query["nonce"] == "n"
    assert forged(timestamp="1").query["timestamp"] == "1"
    assert followed.signed(followed.server.pushes[-1])
    assert not followed.signed(forged(tamper={"signature": 3}))
    assert forged(mode="plain", format="json").content_type == "application/json"
    genuine = followed.plays(text="x")["attempts"][0]["body"]
    assert len(forged(tamper={"body": 5}).body) == len(genuine)
    assert forged(tamper={"body": 5}).body[:6] != genuine[:6].encode()


def test_messages_lists_pushes_and_answers(followed: Clinic) -> None:
    followed.plays("second", event="subscribe")
    items = followed.box.control.items("/messages", open_id="second")
    assert [(item["app"], item["kind"], item["reply"]["kind"]) for item in items] == [
        ("clinic", "subscribe", "silence")
    ]
    assert len(followed.box.control.items("/messages")) == 2
    assert followed.box.control.items("/messages", app="nobody") == []
