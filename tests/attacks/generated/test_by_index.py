"""No request reads a table that grows with patients and years from one end to the other.

Every operation is asked rightly, and PostgreSQL is asked how it would run each statement. Where it would look through a
table for what equals something, there must be an index that leads to it: with few rows as here it may be left aside.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from attacks.generated.walk import own_ids, request_of
from attacks.generated.world import World
from sqlalchemy import Connection, event

from miniapp_api.auth import Auth
from models import Base

FEW = {
    "booking_policies", "calendar_days", "campuses", "departments", "doctors", "hospitals", "key_rotations",
    "periodic_jobs", "platform_tokens", "rosters", "vault_keys",
}  # fmt: skip
"""What does not grow with patients: a few rows, or a few thousand, for each hospital."""
GROWING = {table.name for table in Base.metadata.sorted_tables} - FEW

_WHOLE = ("Seq Scan", "Index Scan", "Index Only Scan")
_EQUAL = re.compile(r"(\w+)\)?(?:::\w+)? = ")
BY_PERSON = "take_over_own_record"
"""It looks for a birth date among the few dependents of one person; with few rows, among all."""
Led = dict[str, list[tuple[str, list[str]]]]
Said = dict[str, tuple[str, Any]]


@contextmanager
def statements(world: World, asked: list[str]) -> Iterator[Said]:
    """By text, during which operation (the last one `asked`) and with what each was sent first."""
    heard: Said = {}

    def hear(_connection: Any, _cursor: Any, text: str, given: Any, *_: Any) -> None:
        if asked and text.lstrip().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            heard.setdefault(text, (asked[-1], given))

    event.listen(world.database.engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(world.database.engine, "before_cursor_execute", hear)


def columns_led_by(connection: Connection) -> Led:
    """What the indexes begin with, by table, each with what must be asked for besides where it has not every row."""
    rows = connection.exec_driver_sql(
        "SELECT c.relname, a.attname, pg_get_expr(i.indpred, i.indrelid) FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indrelid"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
    )
    led: Led = defaultdict(list)
    for table, column, only in rows:
        led[table].append((column, [one.strip("() ") for one in (only or "").split(" AND ")]))
    return led


def whole(connection: Connection, led: Led, text: str, given: Any) -> set[str]:
    """The tables that it looks through for what equals something, where no index leads to any of it."""
    if "$1" in text:
        plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON, GENERIC_PLAN) {text}").scalar_one()
    else:
        plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {text}", given).scalar_one()
    found, nodes = set(), [(plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        table, wanted = node.get("Relation Name"), node.get("Filter", "")
        equal, is_whole = set(_EQUAL.findall(wanted)), node["Node Type"] in _WHOLE and "Index Cond" not in node
        is_led = any(column in equal and all(one in wanted for one in only) for column, only in led[table])
        if table in GROWING and is_whole and equal and not is_led:
            found.add(f"{table} where {wanted}")
    return found


@pytest.mark.parametrize("world", ["postgres"], indirect=True)
def test_every_statement_of_every_operation_is_led_by_an_index(world: World) -> None:
    asked: list[str] = []
    with statements(world, asked) as heard:
        for name, operation in world.operations.items():
            settled = world.two_settled()[0] if operation.method == "GET" else world.settle_for(name)
            request = request_of(world, name, own_ids(name, settled))
            headers = request.pop("headers")
            if operation.auth is Auth.LOGIN:
                headers["Authorization"] = f"Bearer {settled.patient.token}"
            asked.append(name)
            with settled.patient.client.open(**request, headers=headers) as answer:
                assert answer.status_code < 400 or name == "get_readiness", answer.text
            asked.clear()
    assert len(heard) > 200
    with world.database.engine.connect() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        led = columns_led_by(connection)
        faults = [
            f"{name} looks through {' and '.join(sorted(tables))}: {text}"
            for text, (name, given) in heard.items()
            if name != BY_PERSON and (tables := whole(connection, led, text, given))
        ]
    assert faults == []
