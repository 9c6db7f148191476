"""A push as a bubble of the chat: what the person did, what came back, and the bytes between."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.pages.words import saying
from sandbox.wechat_official.messages import render

ANCHOR = re.compile(r"<a\s([^<>]*)>([^<>]*)</a>|(https?://[0-9A-Za-z\-._~:/?#\[\]@!$&'()*+,;=%]+)")
ATTRIBUTE = re.compile(r"""([a-z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
DEEDS: Mapping[str, tuple[str, str]] = {
    "subscribe": ("关注了公众号", "followed the account"),
    "unsubscribe": ("取消了关注", "stopped following"),
    "SCAN": ("扫了二维码", "scanned a code"),
    "CLICK": ("点了菜单", "tapped the menu"),
    "VIEW": ("打开了网页", "opened a page"),
    "view_miniprogram": ("打开了小程序", "opened the mini-program"),
}


@dataclass(frozen=True)
class Segment:
    """A piece of a text: plain, a link, or a page of a mini-program."""

    text: str
    href: str = ""
    page: str = ""


def segments(text: str) -> Iterator[Segment]:
    """Cut a text at its links, as the phone shows them; what is no link stays text."""
    end = 0
    for found in ANCHOR.finditer(text):
        piece = _link(found)
        if piece is not None:
            yield Segment(text[end : found.start()])
            yield piece
            end = found.end()
    yield Segment(text[end:])


def _link(found: re.Match[str]) -> Segment | None:
    if found[3] is not None:
        return Segment(found[3], href=found[3])
    given = {name: double or single for name, double, single in ATTRIBUTE.findall(found[1])}
    if "data-miniprogram-path" in given:
        return Segment(found[2], page=given["data-miniprogram-path"])
    href = given.get("href", "")
    return Segment(found[2], href=href) if href.startswith(("http://", "https://")) else None


def bubble(push: Mapping[str, Any]) -> dict[str, Any]:
    """What the template shows of one push."""
    message, reply = push["message"], push["reply"] or {}
    answered = reply.get("message") or {}
    article = (answered.get("Articles") or [{}])[0]
    href = article.get("Url", "")
    return {
        "id": push["id"],
        "at": push["created_at"],
        "said": message.get("Content"),
        "did": DEEDS.get(push["kind"], ("", "")),
        "word": message.get("EventKey", ""),
        "kind": reply.get("kind"),
        "text": list(segments(answered["Content"])) if answered.get("MsgType") == "text" else None,
        "article": article if href.startswith(("http://", "https://")) else None,
        "other": answered.get("MsgType"),
        "fault": saying(reply["fault"]) if reply.get("fault") else None,
        "wire": _wire(push),
    }


def _wire(push: Mapping[str, Any]) -> dict[str, Any]:
    attempts = push["attempts"]
    last = attempts[-1] if attempts else {}
    reply = push["reply"] or {}
    return {
        "mode": push["mode"],
        "format": push["format"],
        "plain": render(push["message"], push["format"]).decode(),
        "request": f"POST {push['url']}?{last.get('query', '')}",
        "body": last.get("body", ""),
        "status": last.get("status"),
        "error": last.get("error"),
        "tries": len(attempts),
        "elapsed_ms": last.get("elapsed_ms"),
        "answer": last.get("answer", ""),
        "encrypted": reply.get("encrypted", False),
        "opened": reply.get("opened", ""),
    }
