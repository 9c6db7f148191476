"""The two forms of a push, XML and JSON, read into flat texts and written from them (wechat.md 1.8, 3.3).

XML is read by a reader of its own that knows elements and text: no document type, so no entity of anybody's making, no
processing instruction, no attribute, and UTF-8 whatever a declaration says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from xml.parsers import expat

from core.ports import InvalidSignature
from integrations.transport import strict_object

LARGEST_BODY = 64 * 1024
DEEPEST = 8
MOST_ELEMENTS = 1000

_ILLEGIBLE = re.compile(r"[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Form(StrEnum):
    XML = "xml"
    JSON = "json"


def read_body(body: bytes) -> tuple[Form, dict[str, str]]:
    """The form, and the top-level fields that are texts or whole numbers; what is nested is passed over.

    Raises: InvalidSignature (too_large, unreadable).
    """
    if len(body) > LARGEST_BODY:
        raise InvalidSignature("too_large")
    try:
        text = body.decode("utf-8").strip()
        if text.startswith("{"):
            return Form.JSON, _leaves(strict_object(body))
        return Form.XML, _XmlReading().read(text)
    except (ValueError, expat.ExpatError):
        # Not chained: these errors hold the text that they could not read.
        raise InvalidSignature("unreadable") from None


def write_body(form: Form, fields: Mapping[str, Any]) -> bytes:
    """Fields are texts, whole numbers, or lists of such fields; in XML a list's members are called `item`."""
    if form is Form.JSON:
        return json.dumps(_legible(fields), ensure_ascii=False, separators=(",", ":")).encode()
    return f"<xml>{_elements(_legible(fields))}</xml>".encode()


def legible(text: str) -> str:
    """Without what no XML document may hold: control characters, lone surrogates, non-characters."""
    return _ILLEGIBLE.sub("", text)


def _legible(value: Any) -> Any:
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, Mapping):
        return {name: _legible(one) for name, one in value.items()}
    return [_legible(one) for one in value] if isinstance(value, list) else value


def _elements(fields: Mapping[str, Any]) -> str:
    return "".join(f"<{name}>{_content(value)}</{name}>" for name, value in fields.items())


def _content(value: Any) -> str:
    if isinstance(value, list):
        return "".join(f"<item>{_elements(one)}</item>" for one in value)
    if isinstance(value, int):
        return str(value)
    # The one sequence that would end the section is cut in two, so that no text can become an element.
    return f"<![CDATA[{value.replace(']]>', ']]]]><![CDATA[>')}]]>"


def _leaves(content: Mapping[str, Any]) -> dict[str, str]:
    """JSON tells numbers now as numbers, now as texts. Raises: UnicodeEncodeError (half of a surrogate pair)."""
    leaves = {name: str(value) for name, value in content.items() if type(value) in (str, int)}
    "".join(leaves.values()).encode()
    return leaves


class _XmlReading:
    """Reads one document: a root, its children with text, and below them whatever there is, up to the limits."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._text: list[str] = []
        self._count = 0
        self._nested = False
        self._leaves: dict[str, str] = {}

    def read(self, text: str) -> dict[str, str]:
        """Raises: ValueError, ExpatError."""
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = parser.ProcessingInstructionHandler = self._refuse
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._characters
        parser.Parse(text.encode(), True)
        return self._leaves

    def _refuse(self, *_: object) -> None:
        raise ValueError

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._count += 1
        if not self._path and name != "xml":
            raise ValueError
        if attributes or len(self._path) >= DEEPEST or self._count > MOST_ELEMENTS or "".join(self._text).strip():
            raise ValueError
        self._nested = len(self._path) >= 2
        self._path.append(name)
        self._text = []

    def _characters(self, data: str) -> None:
        if len(self._path) < 2 and data.strip():
            raise ValueError
        self._text.append(data)

    def _end(self, name: str) -> None:
        if len(self._path) == 2 and not self._nested:
            if name in self._leaves:
                raise ValueError
            self._leaves[name] = "".join(self._text)
        self._path.pop()
        self._text = []
