"""Codes that bring whoever scans them to the account with a scene (section 3.7)."""

from collections.abc import Mapping
from typing import Any

from sandbox.context import Sandbox
from sandbox.crypto import random_letters
from sandbox.keys import Official
from sandbox.store import Row
from sandbox.wechat.exchange import ApiError

SHORTEST_LIFE = 60
LONGEST_LIFE = 2_592_000
LONGEST_SCENE = 64
LARGEST_LASTING_ID = 100_000
#: Whether a code of this action lasts for ever, and whether its scene is a number.
ACTIONS: Mapping[str, tuple[bool, bool]] = {
    "QR_SCENE": (False, True),
    "QR_STR_SCENE": (False, False),
    "QR_LIMIT_SCENE": (True, True),
    "QR_LIMIT_STR_SCENE": (True, False),
}


def create(sandbox: Sandbox, official: Official, body: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Make a code; `url` is what its picture encodes. Raises: ApiError 40052, 40053, 40097."""
    action = body.get("action_name")
    if not isinstance(action, str) or action not in ACTIONS:
        raise ApiError(40052)
    lasting, numbered = ACTIONS[action]
    scene = _scene(body.get("action_info"), lasting=lasting, numbered=numbered)
    seconds = None if lasting else _seconds(body)
    ticket, code, now = f"gQ{random_letters(94)}", random_letters(22), sandbox.clock.now()
    with sandbox.store.transaction() as tx:
        tx.execute(
            "insert into scenes values (?, ?, ?, ?, ?, ?)",
            (ticket, official.appid, scene, code, now, None if seconds is None else now + seconds),
        )
    life = {} if seconds is None else {"expire_seconds": seconds}
    return {"ticket": ticket, **life, "url": f"{root}/pages/scan/{code}"}


def find(sandbox: Sandbox, code: str) -> Row | None:
    """The code that a picture holds, while it lasts."""
    return sandbox.store.one(
        "select * from scenes where code = ? and (expires_at is null or expires_at > ?)", (code, sandbox.clock.now())
    )


def newest(sandbox: Sandbox, official: Official, most: int) -> list[Row]:
    """The codes that can be scanned, the newest first."""
    return sandbox.store.all(
        "select * from scenes where appid = ? and (expires_at is null or expires_at > ?) "
        "order by created_at desc limit ?",
        (official.appid, sandbox.clock.now(), most),
    )


def ticket_of(sandbox: Sandbox, official: Official, scene: str) -> str:
    """The ticket of the newest code with this scene; a code made elsewhere has one that nobody here knows."""
    row = sandbox.store.one(
        "select ticket from scenes where appid = ? and scene = ? order by created_at desc limit 1",
        (official.appid, scene),
    )
    return f"gQ{random_letters(94)}" if row is None else str(row["ticket"])


def _scene(info: Any, *, lasting: bool, numbered: bool) -> str:
    scene = info.get("scene") if isinstance(info, dict) else None
    value = scene.get("scene_id" if numbered else "scene_str") if isinstance(scene, dict) else None
    if numbered:
        most = LARGEST_LASTING_ID if lasting else 2**32 - 1
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise ApiError(40053)
        return str(value)
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_SCENE:
        raise ApiError(40053)
    return value


def _seconds(body: Mapping[str, Any]) -> int:
    seconds = body.get("expire_seconds", SHORTEST_LIFE)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not SHORTEST_LIFE <= seconds <= LONGEST_LIFE:
        raise ApiError(40097, "expire_seconds")
    return seconds
