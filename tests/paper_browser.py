"""A browser without scripts: it opens pages, and posts the forms that stand on them."""

import html
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests

FORM = re.compile(r"<form\b([^>]*)>(.*?)</form>", re.DOTALL)
FIELD = re.compile(r"<(input|button|select|textarea)\b([^>]*)>")
ATTRIBUTE = re.compile(r'([a-z-]+)(?:="([^"]*)")?')


@dataclass
class Browser:
    """Posts the forms that stand on a page, and nothing else."""

    base_url: str
    http: requests.Session = field(default_factory=requests.Session)
    seen: requests.Response | None = None

    def __post_init__(self) -> None:
        self.http.trust_env = False

    @property
    def page(self) -> requests.Response:
        assert self.seen is not None
        return self.seen

    @property
    def text(self) -> str:
        return html.unescape(self.page.text)

    def open(self, path: str, **rest: Any) -> "Browser":
        url = path if path.startswith("http") else self.base_url + path
        self.seen = self.http.get(url, timeout=15, **rest)
        return self

    def post(self, path: str, **fields: str) -> "Browser":
        headers = {"Origin": self.base_url}
        self.seen = self.http.post(self.base_url + path, data=fields, headers=headers, timeout=15)
        return self

    def submit(self, containing: str, **fields: str) -> "Browser":
        """Send the form that holds this text: its hidden fields, its first button, and what is filled in."""
        for attributes, inside in FORM.findall(self.page.text):
            if containing in html.unescape(inside):
                given = dict(ATTRIBUTE.findall(attributes))
                whole = {**_given_by(inside), **fields}
                path = html.unescape(given.get("action") or urlsplit(self.page.url).path)
                if given.get("method") == "post":
                    return self.post(path, **whole)
                return self.open(path, params=whole)
        raise AssertionError(f"no form with {containing!r}")


def _given_by(inside: str) -> dict[str, str]:
    found = [(kind, dict(ATTRIBUTE.findall(attributes))) for kind, attributes in FIELD.findall(inside)]
    hidden = [each for _, each in found if each.get("type") == "hidden"]
    buttons = [each for kind, each in found if kind == "button" and "name" in each]
    return {each["name"]: html.unescape(each["value"]) for each in (*hidden, *buttons[:1])}
