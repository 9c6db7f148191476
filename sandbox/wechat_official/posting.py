"""One message to an account's server, and what it made of it (section 3.1)."""

from dataclasses import dataclass

from sandbox.knocking import knock
from sandbox.wechat_official.envelope import Envelope

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
    """Ask for the platform. Never raises: whatever a server does to us, it did not answer."""
    address = f"{url}{'&' if '?' in url else '?'}{envelope.query}"
    headers = {"User-Agent": "Mozilla/4.0", "Accept": "*/*", "Pragma": "no-cache"}
    if method == "POST":
        headers["Content-Type"] = envelope.content_type
    reply = knock(method, address, headers, envelope.body, longest=LONGEST_ANSWER)
    try:
        return Answer(reply.status, reply.body.decode(), reply.error, reply.elapsed_ms)
    except UnicodeDecodeError:
        return Answer(reply.status, "", "NotUtf8", reply.elapsed_ms)
