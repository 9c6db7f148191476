"""An official account's server and people, for the tests of what the sandbox plays to them."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIEnvironment

from wechatpy import parse_message
from wechatpy.client import WeChatClient
from wechatpy.client.api import WeChatJSAPI, WeChatMenu, WeChatQRCode
from wechatpy.crypto import WeChatCrypto
from wechatpy.oauth import WeChatOAuth
from wechatpy.replies import TextReply


@dataclass
class Seen:
    """One request to the account's server."""

    method: str
    query: dict[str, str]
    body: bytes
    content_type: str


@dataclass
class AccountServer:
    """Takes pushes and answers as `respond` says: a text, or a status and a text."""

    base_url: str = ""
    seen: list[Seen] = field(default_factory=list)
    respond: Callable[[Seen], str | tuple[int, str]] = field(default=lambda seen: seen.query.get("echostr", "success"))

    @property
    def url(self) -> str:
        return f"{self.base_url}/callbacks/wechat-official/clinic"

    @property
    def pushes(self) -> list[Seen]:
        return [each for each in self.seen if each.method == "POST"]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"], keep_blank_values=True).items()}
        seen = Seen(environ["REQUEST_METHOD"], query, environ["wsgi.input"].read(), environ["CONTENT_TYPE"])
        self.seen.append(seen)
        answer = self.respond(seen)
        status, text = answer if isinstance(answer, tuple) else (200, answer)
        start_response(f"{status} Answered", [("Content-Type", "text/plain; charset=utf-8")])
        return [text.encode()]


@dataclass
class Clinic:
    """The account, its server, its console and its people."""

    box: Any
    credentials: dict[str, str]
    server: AccountServer

    @property
    def http(self) -> Any:
        return self.box.demo.http

    @property
    def crypto(self) -> WeChatCrypto:
        """wechatpy's, which is not ours."""
        mine = self.credentials
        return WeChatCrypto(mine["token"], mine["encoding_aes_key"], mine["appid"])

    def client(self) -> WeChatClient:
        """wechatpy as this account, without its hard-wired hosts."""
        base = self.credentials["base_url"] + "/cgi-bin/"

        class Client(WeChatClient):  # type: ignore[misc]
            API_BASE_URL = base
            menu, qrcode, jsapi = WeChatMenu(), WeChatQRCode(), WeChatJSAPI()

        return Client(self.credentials["appid"], self.credentials["secret"], self.token(), timeout=15)

    def oauth(self, redirect_uri: str, **rest: str) -> WeChatOAuth:
        """wechatpy's web login, without its hard-wired hosts."""
        found = WeChatOAuth(self.credentials["appid"], self.credentials["secret"], redirect_uri, **rest)
        found.API_BASE_URL = self.credentials["base_url"] + "/"
        found.OAUTH_BASE_URL = self.credentials["open_url"] + "/connect/"
        return found

    def get(self, path: str, **query: str) -> Any:
        return self.http.get(self.credentials["base_url"] + path, params=query, timeout=15).json()

    def post(self, path: str, body: Any, token: str | None = None) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        query = {"access_token": self.token() if token is None else token}
        return self.http.post(self.credentials["base_url"] + path, data=raw, params=query, timeout=15).json()

    def token(self, credentials: dict[str, str] | None = None) -> str:
        mine = credentials or self.credentials
        body = {"grant_type": "client_credential", "appid": mine["appid"], "secret": mine["secret"]}
        answer = self.http.post(mine["base_url"] + "/cgi-bin/stable_token", json=body, timeout=15).json()
        return str(answer["access_token"])

    def save(self, mode: str = "secure", form: str = "xml", url: str | None = None) -> Any:
        return self.box.control.call(
            "POST", "/official/clinic/server", {"url": url or self.server.url, "mode": mode, "format": form}
        )

    def plays(self, open_id: str = "follower", **deed: Any) -> Any:
        """What came of a deed."""
        return self.box.control.post("/official/clinic/events", open_id=open_id, **deed)

    def tries(self, open_id: str = "follower", **deed: Any) -> Any:
        """The whole answer to a deed that may be refused."""
        return self.box.control.call("POST", "/official/clinic/events", {"open_id": open_id, **deed})

    def signed(self, seen: Seen) -> bool:
        """Tell whether a request was signed with the account's token."""
        parts = sorted([self.credentials["token"], seen.query["timestamp"], seen.query["nonce"]])
        return hashlib.sha1("".join(parts).encode()).hexdigest() == seen.query["signature"]

    def opened(self, seen: Seen, form: str = "xml") -> Any:
        """wechatpy's reading of a push."""
        if "msg_signature" not in seen.query:
            raw = seen.body.decode()
        else:
            body = seen.body.decode() if form == "xml" else json.loads(seen.body)
            raw = self.crypto.decrypt_message(
                body, seen.query["msg_signature"], seen.query["timestamp"], seen.query["nonce"]
            )
        return parse_message(raw) if form == "xml" else json.loads(raw)

    def sent_from(self) -> str:
        """The name that the last push called the account by."""
        return str(self.opened(self.server.pushes[-1]).target)

    def answered(self, text: str, open_id: str = "follower") -> str:
        """wechatpy's answer to the last push, plain."""
        reply = TextReply(content=text)
        reply.source, reply.target = self.sent_from(), open_id
        return str(reply.render())
