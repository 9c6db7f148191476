"""N-4: whether an id is another's or nobody's shows neither in the answer nor in the work behind it.

What runs the same statements over the same number of rows takes the same time; `python -m bench.alike` measures it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from attacks.generated.test_ownership import headers_of, with_places
from attacks.generated.walk import OWNED, ask, kind_of, own_ids
from attacks.generated.world import World, said
from sqlalchemy import event

Work = list[tuple[str, int]]


@contextmanager
def work_done(world: World) -> Iterator[Work]:
    """Every statement with how many rows it touched, and every end of a transaction."""
    done, engine = Work(), world.database.engine

    def statement(_c: Any, cursor: Any, text: str, *_: Any) -> None:
        done.append((text, cursor.rowcount if text.startswith(("UPDATE", "DELETE", "INSERT")) else 0))

    def commit(_one: Any) -> None:
        done.append(("COMMIT", 0))

    def rollback(_one: Any) -> None:
        done.append(("ROLLBACK", 0))

    listeners = (("after_cursor_execute", statement), ("commit", commit), ("rollback", rollback))
    for name, listener in listeners:
        event.listen(engine, name, listener)
    try:
        yield done
    finally:
        for name, listener in listeners:
            event.remove(engine, name, listener)


@pytest.mark.parametrize(("name", "place"), with_places(OWNED))
def test_n_4_anothers_id_takes_the_work_of_nobodys(world: World, name: str, place: str) -> None:
    victim, attacker = world.two_settled()
    mine = own_ids(name, attacker)
    anothers, nobodys = victim.ids[kind_of(name, place)], str(uuid4())
    ask(world, attacker.patient, name, mine | {place: nobodys})  # plans and caches are warm
    answers, works = [], []
    for wanted in (anothers, nobodys, anothers):
        with work_done(world) as done:
            answers.append(ask(world, attacker.patient, name, mine | {place: wanted}))
        works.append(done)
    assert [said(one)[1]["code"] for one in answers] == ["not_found"] * 3
    assert said(answers[0]) == said(answers[1]) == said(answers[2])
    assert headers_of(answers[0]) == headers_of(answers[1])
    assert works[0] == works[1] == works[2]
    assert any(text.startswith("SELECT") for text, _ in works[0])
