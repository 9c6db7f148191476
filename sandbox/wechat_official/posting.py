"""One request to an account's server; it has five seconds (section 3.1)."""

import time
from dataclasses import dataclass

import requests

from sandbox.wechat_official.envelope import Envelope

LIMIT = 5.0
LONGEST_ANSWER = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """What came back; `error` where nothing did in time."""

    status: int | None
    text: str
    error: str | None
    elapsed_ms: int

    @property
    def taken(self) -> bool:
        """200 in time: the platform does not ask again."""
        return self.error is None and self.status == 200


def send(method: str, url: str, envelope: Envelope) -> Answer:
    """Ask over a connection of its own. Never raises: whatever a server does to us, it did not answer."""
    address = f"{url}{'&' if '?' in url else '?'}{envelope.query}"
    headers = {"User-Agent": "Mozilla/4.0", "Accept": "*/*", "Pragma": "no-cache", "Connection": "close"}
    if method == "POST":
        headers["Content-Type"] = envelope.content_type
    start, status, text, error = time.monotonic(), None, "", None
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.request(
                method,
                address,
                data=envelope.body or None,
                headers=headers,
                timeout=LIMIT,
                allow_redirects=False,
                stream=True,
            ) as reply:
                status = reply.status_code
                text = reply.raw.read(LONGEST_ANSWER, decode_content=True).decode()
    except UnicodeDecodeError:
        error = "NotUtf8"
    except Exception as problem:
        error = type(problem).__name__
    elapsed = time.monotonic() - start
    if error is None and elapsed > LIMIT:
        error = "TooSlow"
    return Answer(status, text, error, round(elapsed * 1000))
