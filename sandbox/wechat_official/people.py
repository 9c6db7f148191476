"""People as an official account meets them: whether they follow it, and when they last did something."""

from dataclasses import dataclass
from typing import Any

from sandbox.clock import real_now
from sandbox.context import Sandbox
from sandbox.keys import Official
from sandbox.store import Row, first
from sandbox.wechat.exchange import ApiError
from sandbox.wechat.login import meet


@dataclass(frozen=True)
class Person:
    """One person in the eyes of one account."""

    open_id: str
    union_id: str | None
    following: bool


def find(sandbox: Sandbox, official: Official, open_id: str) -> Person | None:
    """The person behind an openid."""
    return next((one for one in everyone(sandbox, official) if one.open_id == open_id), None)


def everyone(sandbox: Sandbox, official: Official) -> list[Person]:
    """All who ever met the account, in the order they did."""
    rows = sandbox.store.all(
        "select u.open_id, u.union_id, coalesce(f.following, 0) as following from users u left join followers f "
        "on f.appid = u.appid and f.open_id = u.open_id where u.appid = ? order by u.created_at, u.open_id",
        (official.appid,),
    )
    return [_person(row) for row in rows]


def info(sandbox: Sandbox, official: Official, open_id: str | None) -> dict[str, Any]:
    """What user/info tells: of somebody who does not follow, no more than the openid. Raises: ApiError 41009, 40003.

    Source: developers.weixin.qq.com/doc/service/api/usermanage/userinfo/api_userinfo.
    """
    if not open_id:
        raise ApiError(41009)
    person = find(sandbox, official, open_id)
    if person is None:
        raise ApiError(40003)
    if not person.following:
        return {"subscribe": 0, "openid": open_id}
    told = {"subscribe": 1, "openid": open_id, "language": "zh_CN", "remark": "", "groupid": 0, "tagid_list": []}
    return told if person.union_id is None else {**told, "unionid": person.union_id}


def introduce(sandbox: Sandbox, official: Official, name: str) -> str:
    """Make one person known to the account and to its mini-program, under one unionid; returns the openid here."""
    open_id = f"oa-{name}"
    miniapp = sandbox.keys.app_named(official.miniapp)
    with sandbox.store.transaction() as tx:
        now = sandbox.clock.now()
        meet(tx, official, open_id, union_id=f"union-{name}", now=now)
        if miniapp is not None:
            meet(tx, miniapp, f"mini-{name}", union_id=f"union-{name}", now=now)
    return open_id


def note_deed(sandbox: Sandbox, official: Official, open_id: str, union_id: str | None, *, following: bool) -> int:
    """Keep whether the person follows now, and name the second of the deed (real time).

    Events are told apart by person and second (section 3.1), so no two deeds of a person share one.
    """
    with sandbox.store.transaction() as tx:
        meet(tx, official, open_id, union_id=union_id, now=sandbox.clock.now())
        tx.execute(
            "insert into followers values (?, ?, ?, ?) on conflict (appid, open_id) do update set "
            "following = excluded.following, last_stamp = max(last_stamp + 1, excluded.last_stamp)",
            (official.appid, open_id, following, real_now()),
        )
        row = first(tx, "select last_stamp from followers where appid = ? and open_id = ?", (official.appid, open_id))
        assert row is not None
        return int(row["last_stamp"])


def _person(row: Row) -> Person:
    return Person(row["open_id"], row["union_id"], bool(row["following"]))
