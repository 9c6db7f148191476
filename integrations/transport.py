"""What every adapter speaks through: one HTTP exchange, bounded in time, size and redirects, whose failure says whether
the request was sent.

Nothing is repeated here. Retries have one layer, the job that asks again with the same numbers.
"""

from __future__ import annotations

import json
import logging
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import structlog
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError

from core.ports import ProviderUnavailable

Timeouts = tuple[float, float]

DEFAULT_TIMEOUTS: Timeouts = (2.0, 8.0)
"""Seconds to connect and to wait for each piece of the answer; their sum is the most for headers and body together."""

MOST_ANSWER_BYTES = 1024 * 1024
USER_AGENT = "yuezhen"
_CHUNK = 64 * 1024
_REDIRECTS = range(300, 400)

log = structlog.get_logger()


@dataclass(frozen=True)
class Answer:
    """What came back, untouched: the raw bytes are what a signature covers."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Transport:
    """One session for each client, shared by its threads.

    With `secret_urls` the query holds an app secret or a token: an error is then never chained, because the text of
    the exceptions of requests holds the whole URL, and a trace in a log would publish it.
    """

    def __init__(
        self, *, timeouts: Timeouts = DEFAULT_TIMEOUTS, secret_urls: bool, most_bytes: int = MOST_ANSWER_BYTES
    ) -> None:
        self._timeouts = timeouts
        self._most_bytes = most_bytes
        self._secret_urls = secret_urls
        self._session = _session()
        for name in ("urllib3.connectionpool", "urllib3.connection"):
            logging.getLogger(name).addFilter(_drop_queries)

    def exchange(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send once and read the whole answer, whatever its status. Raises: ProviderUnavailable."""
        try:
            return self._exchange(method, url, headers=headers, params=params, data=body)
        except (OSError, HTTPError) as error:  # every exception of requests is an OSError
            if _is_of_a_stranger(error):
                log.error("certificate_not_trusted", host=urlsplit(url).hostname, alarm=True)
            failure = ProviderUnavailable(f"no answer: {type(error).__name__}", sent=not _never_sent(error))
            failure.__cause__ = None if self._secret_urls else error
        # Raised out here so that no `__context__` keeps the exception with its URL either.
        raise failure

    def _exchange(self, method: str, url: str, **options: Any) -> Answer:
        deadline = time.monotonic() + sum(self._timeouts)
        with self._session.request(
            method, url, timeout=self._timeouts, allow_redirects=False, stream=True, **options
        ) as response:
            if response.status_code in _REDIRECTS:
                raise ProviderUnavailable(f"answered with a redirect ({response.status_code})")
            return Answer(response.status_code, response.headers, _read(response, deadline, self._most_bytes))


def strict_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object in UTF-8, whatever the Content-Type claims (wechat.md 0: it is not uniform).

    Repeated keys are refused: two readers could each believe another one. Raises: ValueError.
    """
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy and no .netrc from the environment: the wire is what the configuration says
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # An answer that is not compressed has the size it says, and is the one that was signed.
    session.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "identity"})
    # No `max_retries`: the default of requests leaves a read timeout a ReadTimeout, whose outcome is unknown.
    session.mount("https://", HTTPAdapter(pool_maxsize=16))
    session.mount("http://", HTTPAdapter(pool_maxsize=16))
    return session


def _read(response: requests.Response, deadline: float, most_bytes: int) -> bytes:
    """Piece by piece, so that neither too much is kept nor a trickle misses the deadline."""
    body = bytearray()
    while piece := response.raw.read1(_CHUNK, decode_content=False):
        body += piece
        if len(body) > most_bytes:
            raise ProviderUnavailable("answer too large")
        if time.monotonic() > deadline:
            raise ProviderUnavailable("answer too slow")
    return bytes(body)


def _never_sent(error: Exception) -> bool:
    """True only when no connection came about: no route, refused, no name, no time to connect, or nobody to trust."""
    if isinstance(error, requests.ConnectTimeout) or _is_of_a_stranger(error):
        return True
    return isinstance(_reason(error), NewConnectionError | ConnectTimeoutError)


def _is_of_a_stranger(error: Exception) -> bool:
    """Whether the other side's certificate proves nothing: expired, of another name, or vouched for by nobody."""
    reason = _reason(error)
    told = reason.args[0] if isinstance(reason, SSLError) and reason.args else None
    return isinstance(told, ssl.SSLCertVerificationError)


def _reason(error: Exception) -> object:
    cause = error.args[0] if error.args else None
    return getattr(cause, "reason", cause)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("repeated key")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _drop_queries(record: logging.LogRecord) -> bool:
    """urllib3 logs request lines; their queries hold secrets and tokens and must not reach any log level."""
    record.msg, record.args = re.sub(r"\?[^\s\"')]*", "?…", record.getMessage()), ()
    return True
