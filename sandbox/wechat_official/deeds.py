"""What a person does to an official account; each deed is pushed to the account's server (section 3.3)."""

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.context import Sandbox
from sandbox.crypto import random_digits
from sandbox.keys import Official
from sandbox.phone import NotPossible
from sandbox.wechat_official import messages, people, scenes
from sandbox.wechat_official.messages import MENU_ID, Fields
from sandbox.wechat_official.people import Person
from sandbox.wechat_official.push import Push, push, server_of

TEXT, SUBSCRIBE, UNSUBSCRIBE, SCAN = "text", "subscribe", "unsubscribe", "SCAN"
CLICK, VIEW, OPEN_MINIAPP = "CLICK", "VIEW", "view_miniprogram"
EVENTS = (SUBSCRIBE, UNSUBSCRIBE, SCAN, CLICK, VIEW, OPEN_MINIAPP)


@dataclass(frozen=True)
class Deed:
    """What was done: `word` is the text, scene, menu key, address or page that goes with it."""

    name: str
    word: str = ""
    union_id: str | None = None


def prepare(sandbox: Sandbox, official: Official, open_id: str, deed: Deed) -> Push:
    """Do it, and say what is to be pushed where. Raises: NotPossible."""
    server = server_of(sandbox, official)
    if server is None:
        raise NotPossible("server_not_set")
    person = people.find(sandbox, official, open_id)
    if deed.name != SUBSCRIBE and (person is None or not person.following):
        raise NotPossible("not_following")
    stamp = people.note_deed(sandbox, official, open_id, deed.union_id, following=deed.name != UNSUBSCRIBE)
    return Push(official, server, _fields(sandbox, official, open_id, deed, stamp))


def do(sandbox: Sandbox, official: Official, open_id: str, deed: Deed) -> int:
    """Do it, push it once, and wait for the answer; returns the number of the record. Raises: NotPossible."""
    return push(sandbox, prepare(sandbox, official, open_id, deed))


def scanning(person: Person, scene: str) -> Deed:
    """What scanning a code is: who follows the account is there, who does not follows it now."""
    return Deed(SCAN if person.following else SUBSCRIBE, scene)


def _fields(sandbox: Sandbox, official: Official, open_id: str, deed: Deed, stamp: int) -> Fields:
    if deed.name == TEXT:
        return messages.text(official, open_id, stamp, deed.word, int(f"23{random_digits(15)}"))
    return messages.event(official, open_id, stamp, deed.name, _facts(sandbox, official, deed))


def _facts(sandbox: Sandbox, official: Official, deed: Deed) -> Mapping[str, str | int]:
    match deed.name:
        case "subscribe" if deed.word:
            return {"EventKey": f"qrscene_{deed.word}", "Ticket": scenes.ticket_of(sandbox, official, deed.word)}
        case "SCAN":
            return {"EventKey": deed.word, "Ticket": scenes.ticket_of(sandbox, official, deed.word)}
        case "VIEW" | "view_miniprogram":
            return {"EventKey": deed.word, "MenuId": MENU_ID}
        case _:
            return {"EventKey": deed.word}
