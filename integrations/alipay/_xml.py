"""The small XML of the application gateway. No document type, no entity, no depth: whatever is more is refused."""

from __future__ import annotations

from typing import Any, NoReturn
from xml.parsers import expat
from xml.sax.saxutils import escape

LONGEST = 64 * 1024
DEEPEST = 4


def read_fields(text: str) -> dict[str, str]:
    """The texts of the elements right below the outer one. An element that stands twice is refused.

    Raises: ValueError.
    """
    if len(text) > LONGEST:
        raise ValueError("too long")
    reader = _Reader()
    # The text is decoded already: what its own declaration says of an encoding counts for nothing.
    parser = expat.ParserCreate("utf-8")
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.ProcessingInstructionHandler = _refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    try:
        parser.Parse(text.encode(), True)
    except (expat.ExpatError, UnicodeEncodeError):
        raise ValueError("not XML") from None
    return {name: "".join(pieces).strip() for name, pieces in reader.fields.items()}


def element(name: str, text: str) -> str:
    return parent(name, escape(text))


def parent(name: str, inside: str) -> str:
    """An element around others, which are XML already."""
    return f"<{name}>{inside}</{name}>"


class _Reader:
    def __init__(self) -> None:
        self.fields: dict[str, list[str]] = {}
        self._open: list[str] = []

    def start(self, name: str, _attributes: object) -> None:
        self._open.append(name)
        if len(self._open) > DEEPEST:
            raise ValueError("too deep")
        if len(self._open) == 2:
            if name in self.fields:
                raise ValueError("an element stands twice")
            self.fields[name] = []

    def end(self, _name: str) -> None:
        self._open.pop()

    def data(self, text: str) -> None:
        if len(self._open) == 2:
            self.fields[self._open[1]].append(text)


def _refuse(*_: Any) -> NoReturn:
    raise ValueError("a document type, an entity or an instruction")
