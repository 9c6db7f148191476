"""What a browser does in the sandbox's cashier of Alipay, where a signed address leads to."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urljoin

import requests

_BACK = re.compile(r'<a id="back" href="([^"]+)"')


def opened(url: str) -> str:
    """The address of the cashier that the platform sends the browser on to; nobody has logged in there yet."""
    answer = requests.get(url, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    return urljoin(url, answer.headers["Location"])


def do(cashier: str, deed: str) -> requests.Response:
    """`log_in` or `pay`."""
    return requests.post(cashier, data={"deed": deed}, timeout=10)


def paid(cashier: str) -> str:
    """Pays; where the browser is sent back to."""
    answer = do(cashier, "pay")
    found = _BACK.search(answer.text)
    assert found is not None, answer.text
    return unescape(found[1])
