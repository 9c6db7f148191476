"""What an account's server is pushed, in every mode and form, and what becomes of its answers (sections 3.1 to 3.3)."""

import hashlib
import json
from typing import Any

import pytest
import xmltodict
from account_server import Clinic, Seen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wechatpy import parse_message
from wechatpy.exceptions import InvalidAppIdException
from wechatpy.replies import ArticlesReply, TextReply

from sandbox.wechat_official.crypto import read_aes_key, seal, unseal
from sandbox.wechat_official.messages import FORMATS, Unreadable, read, render

MODES = ("plain", "compatible", "secure")
REGRET = "fault"


def signed(clinic: Clinic, seen: Seen) -> bool:
    parts = sorted([clinic.credentials["token"], seen.query["timestamp"], seen.query["nonce"]])
    return hashlib.sha1("".join(parts).encode()).hexdigest() == seen.query["signature"]


def opened(clinic: Clinic, seen: Seen, form: str = "xml") -> Any:
    """wechatpy's reading of a push."""
    if "msg_signature" not in seen.query:
        raw = seen.body.decode()
    else:
        body = seen.body.decode() if form == "xml" else json.loads(seen.body)
        raw = clinic.crypto.decrypt_message(
            body, seen.query["msg_signature"], seen.query["timestamp"], seen.query["nonce"]
        )
    return parse_message(raw) if form == "xml" else json.loads(raw)


def answered(clinic: Clinic, text: str, open_id: str = "follower") -> str:
    """wechatpy's answer, plain."""
    reply = TextReply(content=text)
    reply.source, reply.target = sent_from(clinic), open_id
    return str(reply.render())


def sent_from(clinic: Clinic) -> str:
    return str(opened(clinic, clinic.server.pushes[-1]).target)


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
    assert signed(clinic, clinic.server.seen[-1])
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
        assert signed(clinic, seen)
        assert seen.content_type == "text/xml"
        assert ("msg_signature" in seen.query) is (mode != "plain")
        assert seen.query["openid"] == "follower"
        message = opened(clinic, seen)
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
    message = opened(clinic, seen, "json")
    assert (message["Event"], message["EventKey"], message["MsgType"]) == ("subscribe", "qrscene_s", "event")
    assert isinstance(message["CreateTime"], int)
    shown = json.loads(seen.body)
    assert ("FromUserName" in shown, "Encrypt" in shown) == (mode != "secure", mode != "plain")


def test_the_ticket_of_a_known_code_goes_with_its_scan(followed: Clinic) -> None:
    made = followed.post(
        "/cgi-bin/qrcode/create", {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "s"}}}
    )
    followed.plays(event="SCAN", scene="s")
    assert opened(followed, followed.server.pushes[0]).ticket == made["ticket"]


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
    assert len({opened(followed, seen).id for seen in pushes}) == 1
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
    assert len({opened(followed, seen).id for seen in followed.server.pushes}) == 1


# --- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["success", ""])
def test_silence_is_an_answer(followed: Clinic, text: str) -> None:
    followed.server.respond = lambda _: text
    assert followed.plays(text="x")["reply"]["kind"] == "silence"


def test_an_encrypted_answer_of_wechatpy_is_opened(followed: Clinic) -> None:
    followed.server.respond = lambda _: followed.crypto.encrypt_message(answered(followed, "你好 <a>"), "n0nce")
    done = followed.plays(text="x")
    assert (done["reply"]["kind"], done["reply"]["encrypted"]) == ("message", True)
    assert done["reply"]["message"]["Content"] == "你好 <a>"
    assert "<Encrypt>" in done["raw"]
    assert "你好" in done["reply"]["opened"]


def test_a_card_of_wechatpy_is_shown(followed: Clinic) -> None:
    def respond(_: Seen) -> str:
        reply = ArticlesReply()
        reply.source, reply.target = sent_from(followed), "follower"
        reply.add_article({"title": "张医生", "description": "明日上午", "url": "https://a.example/", "image": ""})
        return str(followed.crypto.encrypt_message(reply.render(), "n"))

    followed.server.respond = respond
    message = followed.plays(text="x")["reply"]["message"]
    assert message["Articles"] == [
        {"Title": "张医生", "Description": "明日上午", "PicUrl": "", "Url": "https://a.example/"}
    ]


def test_an_answer_in_json_is_opened(clinic: Clinic) -> None:
    clinic.save("secure", "json")

    def respond(seen: Seen) -> str:
        if seen.method == "GET":
            return seen.query["echostr"]
        pushed = opened(clinic, seen, "json")
        reply = {
            "ToUserName": pushed["FromUserName"],
            "FromUserName": pushed["ToUserName"],
            "CreateTime": 1,
            "MsgType": "text",
            "Content": "好",
        }
        sealed = xmltodict.parse(clinic.crypto.encrypt_message(json.dumps(reply), "n", "1700000000"))["xml"]
        return json.dumps({**sealed, "TimeStamp": int(sealed["TimeStamp"])})

    clinic.server.respond = respond
    assert clinic.plays(event="subscribe")["reply"]["message"]["Content"] == "好"


@pytest.mark.parametrize(("mode", "fault"), [("plain", ""), ("compatible", ""), ("secure", "not_encrypted")])
def test_a_plain_answer_is_taken_where_messages_are_plain(clinic: Clinic, mode: str, fault: str) -> None:
    clinic.save(mode)
    clinic.server.respond = lambda _: answered(clinic, "好")
    assert clinic.plays(event="subscribe")["reply"]["fault"] == fault


def test_an_encrypted_answer_in_plain_mode_is_none(clinic: Clinic) -> None:
    clinic.save("plain")
    clinic.server.respond = lambda _: clinic.crypto.encrypt_message(answered(clinic, "好"), "n")
    assert clinic.plays(event="subscribe")["reply"]["fault"] == "encrypted_in_plain_mode"


def spoilt(clinic: Clinic, name: str, value: str) -> str:
    whole = xmltodict.parse(clinic.crypto.encrypt_message(answered(clinic, "好"), "n"))["xml"]
    fields = {field: value if field == name else text for field, text in whole.items()}
    return "<xml>" + "".join(f"<{field}>{text}</{field}>" for field, text in fields.items() if text) + "</xml>"


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("MsgSignature", "0" * 40, "wrong_signature"),
        ("TimeStamp", "1", "wrong_signature"),
        ("Nonce", "m", "wrong_signature"),
        ("Encrypt", "QUFB", "wrong_signature"),
        ("MsgSignature", "", "envelope_incomplete"),
        ("TimeStamp", "now", "envelope_incomplete"),
        ("Nonce", "", "envelope_incomplete"),
    ],
)
def test_a_spoilt_envelope_is_not_opened(followed: Clinic, name: str, value: str, fault: str) -> None:
    followed.server.respond = lambda _: spoilt(followed, name, value)
    reply = followed.plays(text="x")["reply"]
    assert (reply["kind"], reply["fault"], reply["opened"]) == (REGRET, fault, "")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("follower", "other", "other_recipient"),
        ("[gh_", "[gx_", "other_sender"),
        ("[text]", "[poem]", "unknown_type"),
        ("好", "", "empty_text"),
        ("好", "字" * 683, "text_too_long"),
        ("<CreateTime>", "<CreateTime>x", "wrong_time"),
        ("</Content>", "</Content><Content>2</Content>", "doubled_field"),
        ("<xml>", "<!DOCTYPE xml [<!ENTITY a 'b'>]><xml>", "document_type"),
        ("<xml>", "<xml", "not_xml"),
        ("xml>", "html>", "not_xml"),
    ],
)
def test_an_answer_with_a_mistake_is_the_platforms_regret(clinic: Clinic, old: str, new: str, fault: str) -> None:
    clinic.save("plain")
    clinic.server.respond = lambda _: answered(clinic, "好").replace(old, new)
    assert clinic.plays(event="subscribe")["reply"]["fault"] == fault


def test_another_accounts_ciphertext_is_not_taken(followed: Clinic) -> None:
    mine = followed.credentials
    crypto = type(followed.crypto)(mine["token"], mine["encoding_aes_key"], "wx0000000000000000")
    followed.server.respond = lambda _: crypto.encrypt_message(answered(followed, "好"), "n")
    assert followed.plays(text="x")["reply"]["fault"] == "other_appid"


# --- forging ----------------------------------------------------------------------------------------------------------


def test_forgeries_are_what_they_say(followed: Clinic) -> None:
    xxe = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml>&e;</xml>'

    def forged(**forge: Any) -> Seen:
        followed.plays(text="x", forge=forge)
        return followed.server.pushes[-1]

    assert opened(followed, forged()).content == "x"
    assert not signed(followed, forged(token="other"))
    with pytest.raises(InvalidAppIdException):
        opened(followed, forged(appid="wx1234567890abcdef"))
    assert forged(body=xxe).body.decode() == xxe
    seen = forged(message=xxe)
    assert unseal(read_aes_key(followed.credentials["encoding_aes_key"]), xmltodict.parse(seen.body)["xml"]["Encrypt"])
    assert "signature" not in forged(query={"signature": None, "nonce": "n"}).query
    assert followed.server.pushes[-1].query["nonce"] == "n"
    assert forged(timestamp="1").query["timestamp"] == "1"
    assert signed(followed, followed.server.pushes[-1])
    assert not signed(followed, forged(tamper={"signature": 3}))
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


# --- the primitives ---------------------------------------------------------------------------------------------------

KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


@given(st.binary(max_size=200), st.text(max_size=20).filter(lambda text: text.isascii()))
def test_what_is_sealed_is_opened(message: bytes, appid: str) -> None:
    assert unseal(read_aes_key(KEY), seal(read_aes_key(KEY), message, appid)) == (message, appid)


@given(st.text(max_size=120))
@settings(suppress_health_check=[HealthCheck.filter_too_much])
def test_no_text_seals_itself_open_or_fails_otherwise(text: str) -> None:
    found = unseal(read_aes_key(KEY), text)
    assert found is None or isinstance(found, tuple)


XML_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), max_size=60
)


@pytest.mark.parametrize("form", FORMATS)
@given(
    content=st.one_of(XML_TEXT, st.lists(st.sampled_from(["]]>", "<![CDATA[", "]]", ">", "&amp;", "<a>"])).map("".join))
)
def test_no_text_leaves_its_field(form: str, content: str) -> None:
    fields = {"ToUserName": "gh_x", "Content": content, "MsgId": 1}
    found = read(render(fields, form).decode(), form)
    assert (found.keys(), found["Content"]) == (fields.keys(), content)


@pytest.mark.parametrize("form", FORMATS)
@given(raw=st.one_of(st.text(max_size=80), st.binary(max_size=80).map(lambda raw: raw.decode("utf-8", "replace"))))
def test_reading_anything_gives_fields_or_one_refusal(form: str, raw: str) -> None:
    try:
        assert isinstance(read(raw, form), dict)
    except Unreadable:
        return
