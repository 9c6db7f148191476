"""The register behind both platforms: made-up persons whose answer is set, and everybody else, who matches."""

import json
import re
from functools import cache
from pathlib import Path

from sandbox.context import Sandbox

MATCH, MISMATCH, NO_RECORD = "MATCH", "MISMATCH", "NO_RECORD"
TIMEOUT, SERVICE_DOWN, RATE_LIMITED = "TIMEOUT", "SERVICE_DOWN", "RATE_LIMITED"
ANSWERS = (MATCH, MISMATCH, NO_RECORD, TIMEOUT, SERVICE_DOWN, RATE_LIMITED)
TIMEOUT_SECONDS = 20.0

PERSONS = Path(__file__).with_name("persons.json")
NUMBER = re.compile(r"[1-9][0-9]{16}[0-9X]")
NAME = re.compile(r"[^\x00-\x1f<>]{1,50}")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def is_number(text: str) -> bool:
    """Whether it has the form of a resident's number, with its check character."""
    if NUMBER.fullmatch(text) is None:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, text[:17], strict=True))
    return "10X98765432"[total % 11] == text[17]


def is_name(text: str) -> bool:
    """Whether it could be anybody's name."""
    return NAME.fullmatch(text) is not None


def answer_for(sandbox: Sandbox, name: str, number: str) -> str:
    """What was set for the number under /control; else what the file says of the person; else MATCH."""
    row = sandbox.store.one("select answer from realname_answers where id_number = ?", (number,))
    if row is not None:
        return str(row["answer"])
    known = _persons().get(number)
    if known is None:
        return MATCH
    own_name, answer = known
    return MISMATCH if answer == MATCH and name != own_name else answer


def set_answer(sandbox: Sandbox, number: str, answer: str | None) -> None:
    """Whatever the name; None forgets it."""
    with sandbox.store.transaction() as tx:
        tx.execute("delete from realname_answers where id_number = ?", (number,))
        if answer is not None:
            tx.execute("insert into realname_answers values (?, ?)", (number, answer))


@cache
def _persons() -> dict[str, tuple[str, str]]:
    persons = json.loads(PERSONS.read_text("utf-8"))["persons"]
    return {one["id_number"]: (one["name"], one["answer"]) for one in persons}
