"""The menu of an official account: from what people write to WeChat's buttons (wechat.md 3.4).

domains: [www.hospital.example]      # hosts beside our own that links may lead to
menu:
  - name: 预约挂号
    entries:
      - {name: 按科室, url: /h5/}                       # a page of ours, entered logged in
      - {name: 小程序, miniapp: pages/index/index}      # `url`: what a phone without mini-programs opens
  - {name: 停诊通知, key: CLOSED}                       # comes back as a tap with this key
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from core.ports import InvalidMenu

MOST_BUTTONS = 3
MOST_ENTRIES = 5
LONGEST_NAME = 16
LONGEST_ENTRY_NAME = 60
LONGEST_KEY = 128
LONGEST_URL = 1024
LONGEST_PAGE = 256
MOST_FOREIGN_HOSTS = 3
"""Bytes of UTF-8 and counts, as WeChat refuses them (40015 to 40027, 40054, 40055, 65316)."""

HOME = "/h5/"

_PAGE = re.compile(r"[0-9A-Za-z_-]+(?:/[0-9A-Za-z_-]+)*(?:\?[0-9A-Za-z_.=&%~-]*)?")
_HOST = re.compile(r"(?:[0-9a-z](?:[0-9a-z-]{0,61}[0-9a-z])?\.)+[a-z]{2,63}")


@dataclass(frozen=True)
class MenuPlace:
    """Where a menu leads: our own host, and the mini-program that goes with the account.

    `enter` makes of a page of ours the address that logs a visitor in and goes on to it; None where there is no such
    page.
    """

    host: str
    enter: Callable[[str], str | None]
    miniapp_appid: str


def wire_menu(document: object, place: MenuPlace) -> list[dict[str, Any]]:
    """The buttons that a document means. Raises: InvalidMenu, which tells every fault at once."""
    reading = _Reading(place)
    buttons = reading.menu(document)
    if reading.faults:
        raise InvalidMenu(*reading.faults)
    return buttons


def plain_buttons(buttons: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """WeChat's answer in the form we send: it puts an empty `sub_button` into every leaf."""
    return [
        {
            name: plain_buttons(value) if name == "sub_button" else value
            for name, value in button.items()
            if name != "sub_button" or value
        }
        for button in buttons
    ]


@dataclass
class _Reading:
    """Reads one document and collects what is wrong with it."""

    place: MenuPlace
    faults: list[str] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)

    def menu(self, document: object) -> list[dict[str, Any]]:
        fields = self._fields(document, "the file", {"domains", "menu"})
        if fields is None:
            return []
        self.listed = self._domains(fields.get("domains", []))
        buttons = self._several(fields.get("menu"), "menu", MOST_BUTTONS, self._button)
        if len(self.foreign) > MOST_FOREIGN_HOSTS:
            self._fault("menu", f"leads to more than {MOST_FOREIGN_HOSTS} foreign domains")
        return buttons

    def _fault(self, where: str, what: str) -> None:
        self.faults.append(f"{where}: {what}")

    def _fields(self, value: object, where: str, known: set[str]) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            self._fault(where, "must be fields with values")
            return None
        for name in value:
            if name not in known:
                self._fault(where, f"unknown field {name!r}")
        return value

    def _several(
        self, value: object, where: str, most: int, read: Callable[[object, str], dict[str, Any]]
    ) -> list[dict[str, Any]]:
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            self._fault(where, f"must be a list of 1 to {most}")
        return [read(one, f"{where}[{i}]") for i, one in enumerate(value if isinstance(value, list) else [])]

    def _domains(self, value: object) -> set[str]:
        if not isinstance(value, list) or not all(isinstance(one, str) and _HOST.fullmatch(one) for one in value):
            self._fault("domains", "must be a list of host names in small letters")
            return set()
        return set(value)

    def _button(self, value: object, where: str) -> dict[str, Any]:
        if not isinstance(value, dict) or "entries" not in value:
            return self._leaf(value, where, longest=LONGEST_NAME)
        self._fields(value, where, {"name", "entries"})
        return {
            "name": self._text(value, "name", where, LONGEST_NAME),
            "sub_button": self._several(value["entries"], f"{where}.entries", MOST_ENTRIES, self._entry),
        }

    def _entry(self, value: object, where: str) -> dict[str, Any]:
        if isinstance(value, dict) and "entries" in value:
            self._fault(where, "entries have no entries of their own")
            return {}
        return self._leaf(value, where, longest=LONGEST_ENTRY_NAME)

    def _leaf(self, value: object, where: str, *, longest: int) -> dict[str, Any]:
        fields = self._fields(value, where, {"name", "key", "url", "miniapp"})
        if fields is None:
            return {}
        name = self._text(fields, "name", where, longest)
        match sorted(fields.keys() & {"key", "url", "miniapp"}):
            case ["key"]:
                return {"type": "click", "name": name, "key": self._text(fields, "key", where, LONGEST_KEY)}
            case ["url"]:
                return {"type": "view", "name": name, "url": self._url(fields["url"], where)}
            case ["miniapp"] | ["miniapp", "url"]:
                return self._miniapp(fields, name, where)
        self._fault(where, "must have one of: key, url, miniapp, entries")
        return {}

    def _miniapp(self, fields: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
        page = self._text(fields, "miniapp", where, LONGEST_PAGE)
        if page and _PAGE.fullmatch(page) is None:
            self._fault(f"{where}.miniapp", "must be a page such as pages/index/index, without a leading slash")
        return {
            "type": "miniprogram",
            "name": name,
            "url": self._url(fields.get("url", HOME), where),
            "appid": self.place.miniapp_appid,
            "pagepath": page,
        }

    def _text(self, fields: Mapping[str, Any], name: str, where: str, longest: int) -> str:
        text = fields.get(name)
        if not isinstance(text, str) or not text.strip() or not text.isprintable():
            self._fault(f"{where}.{name}", "must be a text of printable characters")
            return ""
        if len(text.encode()) > longest:
            self._fault(f"{where}.{name}", f"is longer than {longest} bytes (a Chinese character has 3)")
        return text

    def _url(self, value: object, where: str) -> str:
        where = f"{where}.url"
        text = value if isinstance(value, str) else ""
        if text.startswith("/"):
            address = self.place.enter(text)
            if address is None:
                self._fault(where, f"is no page of ours: those begin with {HOME}")
            text = address or ""
        else:
            self._check_foreign(text, where)
        if len(text.encode()) > LONGEST_URL:
            self._fault(where, f"is longer than {LONGEST_URL} bytes")
        return text

    def _check_foreign(self, url: str, where: str) -> None:
        try:
            parts = urlsplit(url)
            fits = parts.scheme == "https" and parts.netloc == parts.hostname and url.isascii() and url.isprintable()
        except ValueError:
            fits = False
        if not fits or " " in url:
            self._fault(where, f"must be https://host/… with neither port nor user, or begin with {HOME}")
        elif parts.hostname != self.place.host:
            self.foreign.add(str(parts.hostname))
            if parts.hostname not in self.listed:
                self._fault(where, f"leads to {parts.hostname}, which is neither our own host nor among `domains`")
