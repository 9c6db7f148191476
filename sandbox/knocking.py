"""One request to a server of an app: over a connection of its own, and it has five seconds."""

import time
from dataclasses import dataclass

import requests

LIMIT = 5.0


@dataclass(frozen=True)
class Reply:
    """What came back: a status and the start of the body, or in `error` what kept them from coming in time."""

    status: int | None
    body: bytes
    error: str | None
    elapsed_ms: int


def knock(method: str, url: str, headers: dict[str, str], body: bytes, *, longest: int) -> Reply:
    """Ask, and read at most `longest` bytes of the answer. Never raises: whatever a server does to us, it failed."""
    start = time.monotonic()
    status: int | None = None
    answer = b""
    error: str | None = None
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.request(
                method,
                url,
                data=body or None,
                headers={**headers, "Connection": "close"},
                timeout=LIMIT,
                allow_redirects=False,
                stream=True,
            ) as reply:
                status = reply.status_code
                answer = reply.raw.read(longest, decode_content=True)
    except Exception as problem:  # urllib3's and http.client's own come through too, beside those of requests
        error = type(problem).__name__
    elapsed = time.monotonic() - start
    if error is None and elapsed > LIMIT:
        error = "TooSlow"
    return Reply(status, answer, error, round(elapsed * 1000))
