"""Many at once for few numbers: two real gunicorn workers over HTTP on PostgreSQL, and threads on a SQLite file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Barrier
from uuid import UUID

import pytest
from crowd import Stranger, Town
from harness import race
from hospital_acts import ORDER
from racing import book, outcomes, tried
from sqlalchemy import select, text
from wire import Reply, eventually

from core.booking.clinic.suspend import suspend_schedule
from core.clock import hospital_day
from models.schedule import Slot

DAYS = [hospital_day(datetime.now(UTC)) + timedelta(days=days) for days in (3, 4)]


class _ChangeOfMind(Exception):
    """Lets go of what was locked."""


def exchange(stranger: Stranger, appointment_id: str, schedule_id: UUID) -> Reply:
    return stranger.phone.post(f"/appointments/{appointment_id}/rescheduling", {"schedule_id": str(schedule_id)})


def suspend(town: Town, schedule_id: UUID) -> None:
    """As the hospital's operator does."""
    with town.database.write() as session:
        suspend_schedule(session, schedule_id=schedule_id, order=ORDER, now=datetime.now(UTC))


def waiting(town: Town) -> int:
    """How many transactions wait for a lock of another."""
    query = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with town.database.read() as session:
        return int(session.execute(text(query)).scalar_one())


def test_two_hundred_strangers_for_fifty_numbers(town: Town) -> None:
    schedule_id = town.schedule(numbers=50)
    strangers = town.strangers(200)
    replies = tried(
        *race(*(partial(book, one, schedule_id, "online" if at % 2 else "on_site") for at, one in enumerate(strangers)))
    )
    won = [reply for reply in replies if reply.status == 201]
    lost = [reply for reply in replies if reply.status != 201]
    assert len(won) == 50, outcomes(replies)
    assert sorted(reply.json["slot"]["sequence"] for reply in won) == list(range(1, 51))
    assert town.sold(schedule_id) == list(range(1, 51))
    assert {(reply.status, reply.code) for reply in lost} <= {(409, "sold_out"), (409, "numbers_in_flight")}
    for reply in lost:  # whoever was refused heard it when all fifty were at least asked for by somebody else
        assert sum(winner.asked_at < reply.heard_at for winner in won) == 50
    assert town.broken() == []


@pytest.mark.parametrize("callers", [2, 20, 200])
def test_the_last_number_is_had_by_one(town: Town, callers: int) -> None:
    schedule_id = town.schedule(numbers=1)
    replies = tried(*race(*(partial(book, one, schedule_id, "on_site") for one in town.strangers(callers))))
    assert outcomes(replies).pop((201, None)) == 1, outcomes(replies)
    assert {reply.code for reply in replies} <= {None, "sold_out", "numbers_in_flight"}
    assert town.sold(schedule_id) == [1]
    assert town.broken() == []


@pytest.mark.parametrize("pay", ["online", "on_site"])
def test_as_many_strangers_as_numbers_and_nobody_is_refused(town: Town, pay: str) -> None:
    """A number that another transaction is just looking at is not gone."""
    schedule_id = town.schedule(numbers=50)
    replies = tried(*race(*(partial(book, one, schedule_id, pay) for one in town.strangers(50))))
    assert outcomes(replies) == {(201, None): 50}
    assert town.sold(schedule_id) == list(range(1, 51))
    assert town.broken() == []


@pytest.mark.parametrize("town", ["postgres"], indirect=True)
def test_numbers_that_somebody_else_lets_go_of_again_are_not_refused(town: Town) -> None:
    """All of them are being taken when everybody comes, and then are not: SQLite has no such moment."""
    schedule_id = town.schedule(numbers=20)
    strangers = town.strangers(20)
    come = Barrier(21)

    def change_ones_mind() -> None:
        with suppress(_ChangeOfMind), town.database.write() as session:
            session.execute(select(Slot.id).where(Slot.schedule_id == schedule_id).with_for_update()).all()
            come.wait(timeout=60)
            with suppress(AssertionError):  # whoever is refused does not wait
                eventually(lambda: waiting(town) >= 5, "others wait", within=3)
            raise _ChangeOfMind

    def come_and_book(stranger: Stranger) -> Reply:
        come.wait(timeout=60)
        return book(stranger, schedule_id, "online")

    with ThreadPoolExecutor(21) as pool:
        undecided = pool.submit(change_ones_mind)
        replies = list(pool.map(come_and_book, strangers))
        undecided.result()
    assert outcomes(replies) == {(201, None): 20}
    assert town.sold(schedule_id) == list(range(1, 21))
    assert town.broken() == []


def test_one_person_from_twenty_accounts_gets_one(town: Town) -> None:
    schedule_id = town.schedule(numbers=50)
    replies = tried(*race(*(partial(book, one, schedule_id, "on_site") for one in town.kin(20))))
    assert outcomes(replies) == {(201, None): 1, (409, "person_limit"): 19}
    assert len(town.sold(schedule_id)) == 1
    assert town.broken() == []


def test_twenty_schedules_of_a_department_and_day_for_one_person(town: Town) -> None:
    department_id = town.department()
    schedule_ids = [town.schedule(department_id=department_id, numbers=2) for _ in range(20)]
    stranger = town.stranger()
    replies = tried(*race(*(partial(book, stranger, one, "on_site") for one in schedule_ids)))
    assert outcomes(replies) == {(201, None): 1, (409, "already_booked"): 19}
    assert len(town.sold(*schedule_ids)) == 1
    assert town.broken() == []


def test_twenty_departments_on_one_day_for_one_person_are_two(town: Town) -> None:
    """No constraint of the database knows this limit: only the lock on the person makes it hold."""
    schedule_ids = [town.schedule(numbers=2) for _ in range(20)]
    kin = town.kin(20)
    replies = tried(
        *race(*(partial(book, one, schedule, "on_site") for one, schedule in zip(kin, schedule_ids, strict=True)))
    )
    assert outcomes(replies) == {(201, None): 2, (409, "person_limit"): 18}
    assert len(town.sold(*schedule_ids)) == 2
    assert town.broken() == []


def test_one_tap_sent_twenty_times_is_one_appointment(town: Town) -> None:
    schedule_id = town.schedule(numbers=50)
    stranger = town.stranger()
    wish, key = stranger.wish(schedule_id, "on_site"), "tapped-twenty-times"
    replies = tried(*race(*(partial(stranger.phone.post, "/appointments", wish, key=key) for _ in range(20))))
    assert {reply.body for reply in replies} == {replies[0].body}
    assert outcomes(replies) == {(201, None): 20}
    assert len(town.sold(schedule_id)) == 1
    assert town.broken() == []


@pytest.mark.parametrize("callers", [2, 20])
def test_exchanging_into_a_half_day_that_is_being_suspended(town: Town, callers: int) -> None:
    """Whoever is refused keeps what they had, whoever came first is one of those whom the hospital has to see to."""
    department_id = town.department()
    old, new = (town.schedule(department_id=department_id, numbers=callers, visit_date=day) for day in DAYS)
    strangers = town.strangers(callers)
    had = [tried(book(one, old, "on_site"))[0].json["id"] for one in strangers]
    calls = [partial(exchange, one, number, new) for one, number in zip(strangers, had, strict=True)]
    half = len(calls) // 2
    results = race(*calls[:half], partial(suspend, town, new), *calls[half:])
    replies = tried(*(one for one in results if one is not None))
    assert {(one.status, one.code) for one in replies} <= {(200, None), (409, "schedule_suspended")}
    went = sum(one.status == 200 for one in replies)
    assert (len(town.sold(old)), len(town.sold(new))) == (callers - went, went)
    assert town.broken() == []


@pytest.mark.parametrize("callers", [2, 50])
def test_booking_while_the_half_day_is_being_suspended(town: Town, callers: int) -> None:
    schedule_id = town.schedule(numbers=callers)
    calls = [partial(book, one, schedule_id, "on_site") for one in town.strangers(callers)]
    half = len(calls) // 2
    results = race(*calls[:half], partial(suspend, town, schedule_id), *calls[half:])
    replies = tried(*(one for one in results if one is not None))
    assert {(one.status, one.code) for one in replies} <= {(201, None), (409, "schedule_suspended")}
    assert len(town.sold(schedule_id)) == sum(one.status == 201 for one in replies)
    assert set(town.slot_statuses(schedule_id)) == {"suspended"}
    assert town.broken() == []
