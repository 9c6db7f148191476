"""What an account's server answers: opened, proved, and read as the platform reads it (sections 3.1 and 3.2)."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from sandbox.keys import Official
from sandbox.wechat_official.crypto import read_aes_key, sorted_sha1, unseal
from sandbox.wechat_official.envelope import PLAIN, SECURE
from sandbox.wechat_official.messages import XML, Unreadable, read

SILENCE, MESSAGE, FAULT = "silence", "message", "fault"
LONGEST_TEXT = 2048
OTHER_KINDS = frozenset({"image", "voice", "video", "music", "transfer_customer_service"})


@dataclass(frozen=True)
class Reply:
    """An answer as a person sees it: nothing, a message, or the platform's regret (`fault` says over what).

    `opened` is the answer as it was read, decrypted where it came encrypted.
    """

    kind: str
    encrypted: bool = False
    opened: str = ""
    message: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def read_reply(official: Official, open_id: str, mode: str, form: str, answer: str) -> Reply:
    """Make of an answer what the platform would."""
    if answer in ("", "success"):
        return Reply(SILENCE)
    encrypted, opened = False, answer
    try:
        fields = read(answer, form)
        if "Encrypt" in fields:
            if mode == PLAIN:
                raise Unreadable("encrypted_in_plain_mode")
            encrypted, opened = True, ""
            opened = _open(official, fields)
            fields = read(opened, form)
        elif mode == SECURE:
            raise Unreadable("not_encrypted")
        return Reply(MESSAGE, encrypted, opened, _checked(official, open_id, fields, form))
    except Unreadable as wrong:
        return Reply(FAULT, encrypted, opened, {}, str(wrong))


def _open(official: Official, fields: Mapping[str, Any]) -> str:
    """Raises: Unreadable."""
    sealed, signature, stamp, nonce = (fields.get(name) for name in ("Encrypt", "MsgSignature", "TimeStamp", "Nonce"))
    stamp = str(stamp) if isinstance(stamp, int) else stamp
    if not (isinstance(sealed, str) and isinstance(signature, str) and isinstance(stamp, str) and stamp.isdigit()):
        raise Unreadable("envelope_incomplete")
    if not isinstance(nonce, str) or not nonce:
        raise Unreadable("envelope_incomplete")
    if not secrets.compare_digest(sorted_sha1(official.token, stamp, nonce, sealed).encode(), signature.encode()):
        raise Unreadable("wrong_signature")
    found = unseal(read_aes_key(official.encoding_aes_key), sealed)
    if found is None:
        raise Unreadable("not_opened")
    message, appid = found
    if appid != official.appid:
        raise Unreadable("other_appid")
    try:
        return message.decode()
    except UnicodeDecodeError:
        raise Unreadable("not_utf8") from None


def _checked(official: Official, open_id: str, fields: dict[str, Any], form: str) -> dict[str, Any]:
    """Raises: Unreadable."""
    if fields.get("ToUserName") != open_id:
        raise Unreadable("other_recipient")
    if fields.get("FromUserName") != official.original_id:
        raise Unreadable("other_sender")
    if not str(fields.get("CreateTime", "")).isdigit():
        raise Unreadable("wrong_time")
    kind = fields.get("MsgType")
    if kind == "text":
        _check_text(fields.get("Content"))
    elif kind == "news":
        return {**fields, "Articles": _articles(fields, form)}
    elif kind not in OTHER_KINDS:
        raise Unreadable("unknown_type")
    return fields


def _check_text(content: Any) -> None:
    if not isinstance(content, str) or not content:
        raise Unreadable("empty_text")
    if len(content.encode()) > LONGEST_TEXT:
        raise Unreadable("text_too_long")


def _articles(fields: Mapping[str, Any], form: str) -> list[dict[str, str]]:
    articles = fields.get("Articles")
    if form != XML and isinstance(articles, dict):
        articles = articles.get("item")
        articles = articles if isinstance(articles, list) else [articles]
    # One card in answer to anything a person does; more were taken until 2018.
    if not isinstance(articles, list) or len(articles) != 1 or str(fields.get("ArticleCount")) != "1":
        raise Unreadable("wrong_article_count")
    article = articles[0]
    if not isinstance(article, dict) or not all(isinstance(value, str) for value in article.values()):
        raise Unreadable("article_incomplete")
    if not article.get("Title") or urlsplit(article.get("Url", "")).scheme not in ("http", "https"):
        raise Unreadable("article_incomplete")
    return [article]
