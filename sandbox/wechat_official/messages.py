"""The messages an account is pushed and answers with, as XML and as JSON (sections 1.8 and 3.1 to 3.3)."""

import json
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

from sandbox.exchange import compact_json
from sandbox.keys import Official

XML, JSON = "xml", "json"
FORMATS = (XML, JSON)
CONTENT_TYPES: Mapping[str, str] = {XML: "text/xml", JSON: "application/json"}
#: Which menu was tapped; accounts without conditional menus have one.
MENU_ID = 428_000_001

LONGEST_WORD = 2048
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

Fields = dict[str, str | int]


class Unreadable(ValueError):
    """Not a message; the text says what about it is wrong."""


def is_sayable(word: str) -> bool:
    """Tell whether a message can carry this: at most 2048 bytes, and nothing that XML cannot hold."""
    return len(word.encode()) <= LONGEST_WORD and NOT_IN_XML.search(word) is None


def text(official: Official, open_id: str, stamp: int, content: str, number: int) -> Fields:
    """A person writes something; `number` is what copies of the message are told by."""
    return {**_head(official, open_id, stamp, "text"), "Content": content, "MsgId": number}


def event(official: Official, open_id: str, stamp: int, name: str, facts: Mapping[str, str | int]) -> Fields:
    """A person does something."""
    return {**_head(official, open_id, stamp, "event"), "Event": name, **facts}


def _head(official: Official, open_id: str, stamp: int, kind: str) -> Fields:
    return {
        "ToUserName": official.original_id,
        "FromUserName": open_id,
        "CreateTime": stamp,
        "MsgType": kind,
    }


def render(fields: Mapping[str, str | int], form: str) -> bytes:
    """The bytes of a message: texts in CDATA sections, which no text can leave, and numbers bare; or JSON."""
    if form == JSON:
        return compact_json(fields)
    lines = [f"<{name}>{value if isinstance(value, int) else _cdata(value)}</{name}>" for name, value in fields.items()]
    return f"<xml>{''.join(lines)}</xml>".encode()


def _cdata(value: str) -> str:
    return f"<![CDATA[{value.replace(']]>', ']]]]><![CDATA[>')}]]>"


def read(raw: str, form: str) -> dict[str, Any]:
    """The fields of a message; nested ones are lists (of items) or objects. Raises: Unreadable."""
    return _read_json(raw) if form == JSON else _read_xml(raw)


def _read_json(raw: str) -> dict[str, Any]:
    try:
        value = json.loads(raw, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error) if isinstance(error, Unreadable) else "not_json") from None
    if not isinstance(value, dict):
        raise Unreadable("not_json")
    return value


def _read_xml(raw: str) -> dict[str, Any]:
    parser = expat.ParserCreate("utf-8")
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        # Looked over first: the tree builder would expand what a document type declares.
        parser.Parse(raw.encode(), True)
        root = ElementTree.fromstring(raw)
    except (expat.ExpatError, ElementTree.ParseError, UnicodeEncodeError):
        raise Unreadable("not_xml") from None
    if root.tag != "xml":
        raise Unreadable("not_xml")
    return _once([(child.tag, _value(child)) for child in root])


def _value(element: ElementTree.Element) -> Any:
    if len(element) == 0:
        return element.text or ""
    if all(child.tag == "item" for child in element):
        return [_value(child) for child in element]
    return _once([(child.tag, _value(child)) for child in element])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Unreadable("doubled_field")
    return fields


def _refuse_doctype(*_: object) -> None:
    raise Unreadable("document_type")
