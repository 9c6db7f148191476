"""What becomes of a server's answers: opened, proved, read, or regretted (sections 3.1 and 3.2)."""

import base64
import json

import pytest
import xmltodict
from account_server import Clinic, Seen
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wechatpy.replies import ArticlesReply

from sandbox.wechat_official.crypto import read_aes_key, seal, unseal
from sandbox.wechat_official.messages import FORMATS, Unreadable, read, render

REGRET = "fault"


@pytest.mark.parametrize("text", ["success", ""])
def test_silence_is_an_answer(followed: Clinic, text: str) -> None:
    followed.server.respond = lambda _: text
    assert followed.plays(text="x")["reply"]["kind"] == "silence"


def test_an_encrypted_answer_of_wechatpy_is_opened(followed: Clinic) -> None:
    followed.server.respond = lambda _: followed.crypto.encrypt_message(followed.answered("你好 <a>"), "n0nce")
    done = followed.plays(text="x")
    assert (done["reply"]["kind"], done["reply"]["encrypted"]) == ("message", True)
    assert done["reply"]["message"]["Content"] == "你好 <a>"
    assert "<Encrypt>" in done["raw"]
    assert "你好" in done["reply"]["opened"]


def test_a_card_of_wechatpy_is_shown(followed: Clinic) -> None:
    def respond(_: Seen) -> str:
        reply = ArticlesReply()
        reply.source, reply.target = followed.sent_from(), "follower"
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
        pushed = clinic.opened(seen, "json")
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
    clinic.server.respond = lambda _: clinic.answered("好")
    assert clinic.plays(event="subscribe")["reply"]["fault"] == fault


def test_an_encrypted_answer_in_plain_mode_is_none(clinic: Clinic) -> None:
    clinic.save("plain")
    clinic.server.respond = lambda _: clinic.crypto.encrypt_message(clinic.answered("好"), "n")
    assert clinic.plays(event="subscribe")["reply"]["fault"] == "encrypted_in_plain_mode"


def spoilt(clinic: Clinic, name: str, value: str) -> str:
    whole = xmltodict.parse(clinic.crypto.encrypt_message(clinic.answered("好"), "n"))["xml"]
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
    clinic.server.respond = lambda _: clinic.answered("好").replace(old, new)
    assert clinic.plays(event="subscribe")["reply"]["fault"] == fault


def test_another_accounts_ciphertext_is_not_taken(followed: Clinic) -> None:
    mine = followed.credentials
    crypto = type(followed.crypto)(mine["token"], mine["encoding_aes_key"], "wx0000000000000000")
    followed.server.respond = lambda _: crypto.encrypt_message(followed.answered("好"), "n")
    assert followed.plays(text="x")["reply"]["fault"] == "other_appid"


# --- the primitives ---------------------------------------------------------------------------------------------------

KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


@given(st.binary(max_size=200), st.text(max_size=20).filter(lambda text: text.isascii()))
def test_what_is_sealed_is_opened(message: bytes, appid: str) -> None:
    assert unseal(read_aes_key(KEY), seal(read_aes_key(KEY), message, appid)) == (message, appid)


@pytest.mark.parametrize("padding", [b"\x00" * 32, b"\x21" * 33 + b"x" * 31, b"\x01" * 30 + b"\x02\x20", b""])
def test_a_padding_that_is_none_opens_nothing(padding: bytes) -> None:
    key = read_aes_key(KEY)
    framed = b"r" * 16 + (10).to_bytes(4, "big") + b"m" * 10 + b"wx"
    encryptor = Cipher(AES(key), CBC(key[:16])).encryptor()
    padded = framed + padding
    padded += b"\x00" * (-len(padded) % 16)
    assert unseal(key, base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()) is None


def test_a_length_beyond_the_end_opens_nothing() -> None:
    key = read_aes_key(KEY)
    framed = b"r" * 16 + (2**31).to_bytes(4, "big") + b"m" * 10 + b"wx"
    encryptor = Cipher(AES(key), CBC(key[:16])).encryptor()
    assert unseal(key, base64.b64encode(encryptor.update(framed + b"\x20" * 32)).decode()) is None


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
