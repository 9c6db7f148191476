"""What followers send is proven, opened and read, and answered in the form it came in."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from official_side import (
    ACCOUNT,
    FOLLOWER,
    NOW,
    STAMP,
    WeChatSide,
    event,
    fields_of,
    official_account,
    text_message,
    xml_of,
)
from wechatpy.crypto import WeChatCrypto
from wechatpy.parser import parse_message

from core.ports import Answer, Incoming, IncomingKind, Link
from integrations.wechat import PushMode, WeChatConversation

CONFIG = official_account(push_mode=PushMode.BOTH)
SIDE = WeChatSide.of(CONFIG)
CONVERSATION = WeChatConversation(CONFIG, clock=lambda: NOW)
FORMS = ("xml", "json")
SEALS = (True, False)


def written(fields: dict[str, Any], form: str) -> str:
    return json.dumps(fields, ensure_ascii=False) if form == "json" else xml_of(fields)


def heard(fields: dict[str, Any] | str, *, form: str = "xml", is_sealed: bool = True) -> Incoming:
    message = fields if isinstance(fields, str) else written(fields, form)
    push = SIDE.secure(message, form=form) if is_sealed else SIDE.plain(message)
    return CONVERSATION.check(push.query, push.body, now=NOW)


def answered(incoming: Incoming, answer: Answer) -> dict[str, Any]:
    """What the follower's phone is told."""
    reply = CONVERSATION.reply(incoming, answer)
    assert reply.status == 200
    is_json = incoming.return_to["form"] == "json"
    assert reply.content_type == ("application/json" if is_json else "text/xml") + "; charset=utf-8"
    return SIDE.read_reply(reply.body) if incoming.return_to["sealed"] == "yes" else fields_of(reply.body)


@pytest.mark.parametrize(
    ("fields", "kind", "key"),
    [
        (event("subscribe", EventKey=""), IncomingKind.FOLLOWED, ""),
        (event("subscribe"), IncomingKind.FOLLOWED, ""),
        (event("subscribe", EventKey="qrscene_doctor:1", Ticket="gQH"), IncomingKind.FOLLOWED, "doctor:1"),
        (event("subscribe", EventKey="last_trade_no_4200001234"), IncomingKind.FOLLOWED, ""),
        (event("unsubscribe", EventKey="anything"), IncomingKind.UNFOLLOWED, ""),
        (event("SCAN", EventKey="doctor:1", Ticket="gQH"), IncomingKind.SCANNED, "doctor:1"),
        (event("SCAN", EventKey="qrscene_1"), IncomingKind.SCANNED, "qrscene_1"),
        (event("SCAN", EventKey=123), IncomingKind.SCANNED, "123"),
        (event("CLICK", EventKey="CLOSED"), IncomingKind.TAPPED, "CLOSED"),
        (event("VIEW", EventKey="https://h.example/?a=1&b=2", MenuId="1"), IncomingKind.OPENED, "https://h.example/?a=1&b=2"),
        (event("view_miniprogram", EventKey="pages/index/index", MenuId=1), IncomingKind.OPENED, "pages/index/index"),
        (event("LOCATION", Latitude="23.1", EventKey="x"), IncomingKind.OTHER, ""),
        (event("TEMPLATESENDJOBFINISH", MsgID=200163836, Status="success"), IncomingKind.OTHER, ""),
        (event("user_info_modified", OpenID="o1", AppID="wx1", RevokeInfo="1"), IncomingKind.OTHER, ""),
        (event("some_event_of_next_year"), IncomingKind.OTHER, ""),
        (text_message("心内科"), IncomingKind.TEXT, ""),
        (text_message("x", MsgType="image", PicUrl="https://h.example/p"), IncomingKind.OTHER, ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_sealed", SEALS, ids=["sealed", "plain"])
@pytest.mark.parametrize("form", FORMS)
def test_what_a_follower_did_is_told_in_our_words(
    fields: dict[str, Any], kind: IncomingKind, key: str, form: str, is_sealed: bool
) -> None:
    incoming = heard(fields, form=form, is_sealed=is_sealed)
    assert (incoming.kind, incoming.key) == (kind, key)
    assert incoming.text == (fields["Content"] if kind is IncomingKind.TEXT else "")
    assert (incoming.app, incoming.follower, incoming.sent_at) == ("clinic", FOLLOWER, NOW)


SENT = {"TemplateId": "T1", "MsgID": "1700827132819554304", "ErrorCode": "0", "ErrorStatus": "success"}


@pytest.mark.parametrize("entries", [SENT, [SENT], [SENT, SENT], []], ids=["object", "one", "two", "none"])
@pytest.mark.parametrize("name", ["popup", "change", "sent"])
@pytest.mark.parametrize("stamp", [int(STAMP), STAMP], ids=["number", "text"])
def test_a_list_may_be_an_object_or_an_array_and_a_stamp_a_text(entries: Any, name: str, stamp: Any) -> None:
    fields = event(f"subscribe_msg_{name}_event", List=entries) | {"CreateTime": stamp}
    assert heard(fields, form="json").kind is IncomingKind.OTHER


def test_the_same_list_in_xml_is_passed_over() -> None:
    inner = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in SENT.items())
    lists = f"<SubscribeMsgSentEvent><List>{inner}</List><List>{inner}</List></SubscribeMsgSentEvent>"
    message = xml_of(event("subscribe_msg_sent_event")).replace("</xml>", f"{lists}</xml>")
    assert heard(message).kind is IncomingKind.OTHER


def test_entities_of_xml_itself_and_line_breaks_between_elements_are_read() -> None:
    message = (
        '<?xml version="1.0"?>\n<xml>\n <ToUserName>gh_3c884a361561</ToUserName>\n'
        f" <FromUserName><![CDATA[{FOLLOWER}]]></FromUserName>\n <CreateTime>{STAMP}</CreateTime>\n"
        " <MsgType>text</MsgType>\n <Content>a &lt;b&gt; &amp; &#x5FC3;<![CDATA[<c>]]></Content>\n"
        " <MsgId>1</MsgId>\n</xml>\n"
    )
    assert heard(message).text == "a <b> & 心<c>"


# --- copies ----------------------------------------------------------------------------------------------------------


def test_each_copy_of_a_message_has_the_same_dedup_and_another_message_another() -> None:
    stamps = [STAMP, str(int(STAMP) + 5), str(int(STAMP) + 10)]
    for fields in (text_message("1"), event("CLICK", EventKey="A")):
        pushes = [SIDE.secure(xml_of(fields), stamp=stamp) for stamp in stamps]
        assert len({CONVERSATION.check(push.query, push.body, now=NOW).dedup for push in pushes}) == 1
    one = event("CLICK", EventKey="A")
    others = [
        one | {"EventKey": "B"},
        one | {"Event": "VIEW"},
        one | {"CreateTime": int(STAMP) + 1},
        one | {"FromUserName": "oAnother"},
        text_message("1"),
        text_message("1", MsgId=7),
    ]
    assert len({heard(fields).dedup for fields in (one, *others)}) == 7


def test_a_dedup_holds_no_openid_and_is_the_same_in_both_forms() -> None:
    fields = event("SCAN", EventKey="doctor:1")
    dedups = {heard(fields, form=form, is_sealed=is_sealed).dedup for form in FORMS for is_sealed in SEALS}
    assert len(dedups) == 1
    assert FOLLOWER not in dedups.pop()
    assert FOLLOWER not in repr(heard(fields))


# --- the answer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_sealed", SEALS, ids=["sealed", "plain"])
@pytest.mark.parametrize("form", FORMS)
def test_a_text_and_a_card_are_answered_in_the_form_of_the_question(form: str, is_sealed: bool) -> None:
    incoming = heard(text_message("心内科"), form=form, is_sealed=is_sealed)
    told = answered(incoming, Answer(text="明天上午还有 3 个号 😀\n回复 1 预约"))
    assert {name: told[name] for name in ("ToUserName", "FromUserName", "MsgType", "Content")} == {
        "ToUserName": FOLLOWER,
        "FromUserName": ACCOUNT,
        "MsgType": "text",
        "Content": "明天上午还有 3 个号 😀\n回复 1 预约",
    }
    assert str(told["CreateTime"]) == STAMP
    link = Link("李医生 ]]> <b>", "https://h.example/h5/?a=1&b=2", "心内科 & more")
    told = answered(incoming, Answer(link=link))
    assert (told["MsgType"], str(told["ArticleCount"])) == ("news", "1")
    card = {"Title": link.title, "Description": link.description, "PicUrl": "", "Url": link.url}
    assert told["Articles"] == [card]


@pytest.mark.parametrize("answer", [Answer(), Answer(text=" \n"), Answer(text="\x00\x08")])
@pytest.mark.parametrize("is_sealed", SEALS)
def test_silence_is_the_word_success(answer: Answer, is_sealed: bool) -> None:
    reply = CONVERSATION.reply(heard(text_message("1"), is_sealed=is_sealed), answer)
    assert (reply.status, reply.body, reply.content_type) == (200, b"success", "text/plain; charset=utf-8")


def test_a_refusal_tells_nothing() -> None:
    assert (CONVERSATION.refused().status, CONVERSATION.refused().body) == (403, b"")


def test_each_sealed_answer_has_a_stamp_and_a_nonce_of_its_own() -> None:
    incoming = heard(text_message("1"))
    envelopes = [fields_of(CONVERSATION.reply(incoming, Answer(text="x")).body) for _ in range(8)]
    assert len({envelope["Nonce"] for envelope in envelopes}) == 8
    assert len({envelope["Encrypt"] for envelope in envelopes}) == 8
    assert "486452656" not in {envelope["Nonce"] for envelope in envelopes}


def test_a_json_envelope_has_its_stamp_as_a_number() -> None:
    reply = CONVERSATION.reply(heard(text_message("1"), form="json"), Answer(text="x"))
    envelope = json.loads(reply.body)
    assert (sorted(envelope), envelope["TimeStamp"]) == (["Encrypt", "MsgSignature", "Nonce", "TimeStamp"], int(STAMP))


@pytest.mark.parametrize("text", ["号" * 683, "😀" * 513, "a" * 2049])
def test_a_long_text_is_cut_where_wechat_would_refuse_it(text: str) -> None:
    told = answered(heard(text_message("1")), Answer(text=text))["Content"]
    assert 2040 < len(told.encode()) <= 2048
    assert told.endswith("…")
    assert text.startswith(told[:-1])


@pytest.mark.parametrize("text", ["号" * 682 + "ab", "😀" * 512, "a" * 2048])
def test_a_text_of_just_the_length_is_whole(text: str) -> None:
    assert answered(heard(text_message("1")), Answer(text=text))["Content"] == text


HOSTILE = "]]></Content><MsgType><![CDATA[news]]></MsgType><Content><![CDATA["


@pytest.mark.parametrize("text", [HOSTILE, "]]>", "]]]]>>", "]]]]><![CDATA[>", "<![CDATA[", "&amp;&#0;", "</xml>"])
@pytest.mark.parametrize("is_sealed", SEALS)
def test_no_text_becomes_an_element(text: str, is_sealed: bool) -> None:
    told = answered(heard(text_message("1"), is_sealed=is_sealed), Answer(text=text))
    assert (told["MsgType"], told["Content"]) == ("text", text)
    assert set(told) == {"ToUserName", "FromUserName", "CreateTime", "MsgType", "Content"}


def is_legible(char: str) -> bool:
    code = ord(char)
    return char in "\t\n\x85" or 0x20 <= code < 0x7F or (code >= 0xA0 and not 0xD800 <= code < 0xE000 and code not in (0xFFFE, 0xFFFF))  # fmt: skip # noqa: E501


any_text = st.text(st.characters(exclude_categories=()), max_size=200) | st.lists(
    st.sampled_from(["]]>", "]", ">", "<![CDATA[", "\x00", "\ud83d", "\U0001f600", "约", "\r\n", "\ufffe", "&lt;"])
).map("".join)


@given(any_text, st.sampled_from(FORMS), st.booleans())
def test_any_text_comes_back_whole_but_for_what_no_document_can_hold(text: str, form: str, is_sealed: bool) -> None:
    told = answered(heard(text_message("1"), form=form, is_sealed=is_sealed), Answer(text="号" + text))
    assert told["Content"] == "号" + "".join(filter(is_legible, text))


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=300), st.booleans())
def test_any_text_in_json_is_heard_whole_but_for_what_no_document_can_hold(text: str, is_sealed: bool) -> None:
    assert heard(text_message(text), form="json", is_sealed=is_sealed).text == "".join(filter(is_legible, text))


# --- another reading of the same protocol ----------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=80).map(str.strip).filter(bool))
def test_wechatpy_seals_what_we_hear_and_opens_what_we_say(text: str) -> None:
    text = "".join(filter(is_legible, text)).replace("]]>", "") or "x"
    theirs = WeChatCrypto(CONFIG.token, CONFIG.encoding_aes_key, CONFIG.appid)
    envelope = fields_of(theirs.encrypt_message(xml_of(text_message(text)), "n0nce", STAMP).encode())
    query = {
        "timestamp": STAMP,
        "nonce": "n0nce",
        "encrypt_type": "aes",
        "msg_signature": envelope["MsgSignature"],
    }
    body = xml_of({"ToUserName": ACCOUNT, "Encrypt": envelope["Encrypt"]}).encode()
    incoming = CONVERSATION.check(query, body, now=NOW + timedelta(seconds=3))
    assert incoming.text == text
    reply = CONVERSATION.reply(incoming, Answer(text="号 " + text + " 号"))
    envelope = fields_of(reply.body)
    opened = theirs.decrypt_message(
        reply.body.decode(), envelope["MsgSignature"], envelope["TimeStamp"], envelope["Nonce"]
    )
    message = parse_message(opened)
    assert (message.type, message.content, message.target) == ("text", "号 " + text + " 号", FOLLOWER)
