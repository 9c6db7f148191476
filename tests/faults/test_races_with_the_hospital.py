"""The hospital and its patients at the same time: check-in against cancelling, a file of half days against booking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any
from uuid import UUID

import pytest
from arriving import CAMPUS, at_the_desk, build_campus
from clerk import Clerk, opened
from crowd import Stranger, Town
from factories import serial
from harness import Patient, race
from racing import all_done, at_the_office, back_office, book, in_turn, outcomes, pay, tried, workers
from sqlalchemy import func, select
from wire import Reply

from core.catalog.import_file import Imported
from core.clock import HOSPITAL_ZONE, hospital_day
from core.refusals import CheckInRefused
from core.workbench import Workbench
from models.appointment import HOLDS_SLOT, Appointment, AppointmentStatus, CancelReason
from models.arrival import Arrival
from models.charge import ChargeLine
from models.payment import Refund
from models.schedule import SlotStatus, Surplus
from models.strike import Strike, StrikeKind

FEE = 5000
ORDERS, WAYS = ("cancelling first", "checking in first", "at once"), ("by place", "at the desk")
TODAY: dict[str, Any] = {
    "check_in_opens_minutes": 24 * 60,
    "cancel_ladder": [{"count": 1, "within": "90d", "ban": "90d"}],
}
"""One may come and may still cancel, and whoever cancels has a strike."""


@pytest.fixture(scope="module")
def office(town: Town) -> Workbench:
    return back_office(town)


# --- cancelling against check-in


@dataclass(frozen=True)
class Visit:
    """Somebody with a paid number of today."""

    stranger: Stranger
    patient: Patient
    appointment_id: UUID

    def cancel(self) -> Reply:
        return self.stranger.phone.post(f"/appointments/{self.appointment_id}/cancellation")

    def come(self, way: str) -> Reply | AppointmentStatus:
        if way == "at the desk":
            return AppointmentStatus(at_the_desk(self.patient, "check_in_at_desk", self.appointment_id).status)
        where = {"lat": CAMPUS.lat, "lng": CAMPUS.lng}
        return self.stranger.phone.post(f"/appointments/{self.appointment_id}/check-in", where)

    def both(self, order: str, way: str) -> list[Callable[[], Any]]:
        """The acts for a race, cancelling first in the list where it has the first turn."""
        come = partial(self.come, way)
        if order == "checking in first":
            return list(in_turn(come, self.cancel))
        return list(in_turn(self.cancel, come)) if order == "cancelling first" else [self.cancel, come]


def visits(town: Town, office: Workbench, count: int) -> list[Visit]:
    """All in one clinic, which begins in an hour and may be cancelled until then."""
    begins = datetime.now(UTC) + timedelta(hours=1)
    here = begins.astimezone(HOSPITAL_ZONE)
    when: dict[str, Any] = {"visit_date": here.date(), "starts": here.time()}
    schedule_id = town.schedule(numbers=count, fee_fen=FEE, terms=TODAY, cancel_before=begins, **when)

    def settle(stranger: Stranger) -> Visit:
        reply = book(stranger, schedule_id, "online")
        assert reply.status == 201, reply
        patient = at_the_office(office, stranger, schedule_id)
        pay(patient, UUID(reply.json["id"]))
        return Visit(stranger, patient, UUID(reply.json["id"]))

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(settle, town.strangers(count)))
    build_campus(made[0].patient)
    return made


def clash(plan: list[tuple[Visit, str, str]]) -> list[tuple[Any, Any]]:
    """Both sides of every visit, all of them at once; what was said to whoever cancelled, and to whoever came."""
    given = race(*(act for visit, order, way in plan for act in visit.both(order, way)))
    pairs = [(given[at], given[at + 1]) for at in range(0, len(given), 2)]
    for one in given:
        if isinstance(one, Exception) and not isinstance(one, CheckInRefused):
            raise one
    return [
        pair[::-1] if order == "checking in first" else pair for pair, (_, order, _) in zip(pairs, plan, strict=True)
    ]


def accepted(said: Any) -> bool:
    return said.status == 200 if isinstance(said, Reply) else said is AppointmentStatus.ARRIVED


def judge(town: Town, visit: Visit, cancelled: Any, came: Any) -> AppointmentStatus:
    """Exactly one of the two was told yes, and everything that hangs on the number says the same."""
    appointment = visit.patient.appointment(visit.appointment_id)
    of_it = select(Refund.amount_fen).where(Refund.charge_id == appointment.charge_id)
    with town.database.read() as session:
        refunds = list(session.scalars(of_it))
        strikes = list(session.scalars(select(Strike.kind).where(Strike.appointment_id == appointment.id)))
        arrivals = session.scalar(select(func.count()).where(Arrival.appointment_id == appointment.id))
        voided = list(session.scalars(select(ChargeLine.voided_at).where(ChargeLine.appointment_id == appointment.id)))
    slot = visit.patient.slot(appointment.id).status
    assert accepted(cancelled) is not accepted(came), (cancelled, came)
    facts = (appointment.status, slot, refunds, strikes, arrivals, [one is not None for one in voided])
    if accepted(came):
        assert cancelled.code == "not_cancellable"
        assert facts == (AppointmentStatus.ARRIVED, SlotStatus.BOOKED, [], [], 1, [False])
    else:
        assert isinstance(came, CheckInRefused) or came.code == "check_in_refused"
        assert appointment.cancel_reason is CancelReason.PATIENT
        assert facts == (AppointmentStatus.CANCELLED, SlotStatus.FREE, [FEE], [StrikeKind.CANCEL], 0, [True])
    return appointment.status


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("order", ORDERS)
def test_one_patient_cancels_and_checks_in(town: Town, office: Workbench, order: str, way: str) -> None:
    """A-28."""
    (visit,) = visits(town, office, 1)
    with workers(office):
        ((cancelled, came),) = clash([(visit, order, way)])
        all_done(office)
    ended = judge(town, visit, cancelled, came)
    forced = {"cancelling first": AppointmentStatus.CANCELLED, "checking in first": AppointmentStatus.ARRIVED}
    assert ended is forced.get(order, ended)
    assert town.broken() == []


@pytest.mark.parametrize("callers", [20, 200])
def test_a_whole_clinic_cancels_and_checks_in(town: Town, office: Workbench, callers: int) -> None:
    """Each patient both at once, or one after the other, by place or at the desk, while all the others do the same."""
    clinic = visits(town, office, callers // 2)
    plan = [(visit, ORDERS[at % 3], WAYS[at // 3 % 2]) for at, visit in enumerate(clinic)]
    with workers(office):
        given = clash(plan)
        all_done(office)
    ended = Counter(judge(town, visit, *said) for visit, said in zip(clinic, given, strict=True))
    third = len(clinic) // 3
    assert min(ended[AppointmentStatus.ARRIVED], ended[AppointmentStatus.CANCELLED]) >= third
    assert town.broken() == []


# --- a file of half days against booking


def clerk_of(town: Town, office: Workbench, folder: Path) -> Clerk:
    """For a clinic of two segments, three days ahead, in a department of its own."""
    elsewhere = at_the_office(office, town.stranger(), town.schedule(numbers=1))
    day = hospital_day(datetime.now(UTC)) + timedelta(days=3)
    return Clerk(elsewhere, folder / "file.csv", clinic_type=f"FILE-{serial()}", day=day)


@pytest.mark.parametrize("callers", [2, 20, 200])
@pytest.mark.parametrize("last", ["fewer", "more"])
def test_f_91_a_file_changes_the_numbers_while_patients_book(
    town: Town, office: Workbench, tmp_path: Path, callers: int, last: str
) -> None:
    """Lowered and raised again and again: whoever was told yes keeps the number, and none is lost."""
    clerk = clerk_of(town, office, tmp_path)
    counts = {"more": max(callers // 4, 2), "fewer": max(callers // 10, 1)}
    rows = {name: clerk.row(numbers_per_segment=str(count)) for name, count in counts.items()}
    clerk.load(rows["more"])
    opened(clerk)
    schedule_id = clerk.half_day().id
    strangers = town.strangers(callers)
    turns = ["fewer", "more", "fewer", "more"][: 4 if last == "more" else 3]

    def change() -> list[Imported]:
        done = []
        for name in turns:
            done.append(clerk.load(rows[name]))
            sleep(0.05)
        return done

    calls = [partial(book, one, schedule_id, "on_site") for one in strangers]
    half = len(calls) // 2
    results: list[Any] = race(*calls[:half], change, *calls[half:])
    assert len(tried(*results[:half], *results[half + 1 :])) == callers
    assert not isinstance(results[half], Exception), results[half]
    replies = tried(*(one for one in results if isinstance(one, Reply)))
    assert {(one.status, one.code) for one in replies} <= {(201, None), (409, "sold_out"), (409, "numbers_in_flight")}
    won = keep_what_they_were_told(town, clerk, schedule_id, replies)
    fits_the_file(clerk, counts[last])
    free = town.slot_statuses(schedule_id)["free"]
    refused = [one for one, reply in zip(strangers, replies, strict=True) if reply.status != 201]
    again = tried(*(book(one, schedule_id, "on_site") for one in refused[: free + 1]))
    assert sum(one.status == 201 for one in again) == min(free, len(refused)), outcomes(again)
    assert len(town.sold(schedule_id)) == won + min(free, len(refused))
    assert town.broken() == []


def keep_what_they_were_told(town: Town, clerk: Clerk, schedule_id: UUID, replies: list[Reply]) -> int:
    """Every yes stands, each for a number of its own that is in the half day; how many there are."""
    won = [one.json for one in replies if one.status == 201]
    held = select(Appointment.id, Appointment.slot_id).where(
        Appointment.schedule_id == schedule_id, Appointment.status.in_(HOLDS_SLOT)
    )
    with town.database.read() as session:
        rows = session.execute(held).all()
    assert {str(row.id) for row in rows} == {one["id"] for one in won}
    assert {row.slot_id for row in rows} == {one.id for one in clerk.slots() if one.status is SlotStatus.BOOKED}
    assert town.sold(schedule_id) == sorted(one["slot"]["sequence"] for one in won)
    return len(won)


def fits_the_file(clerk: Clerk, count: int) -> None:
    """So many numbers in each segment, and beyond them only what somebody has."""
    slots = [one for one in clerk.slots() if not one.is_withdrawn]
    for starts_at in {one.starts_at for one in slots}:
        here = [one for one in slots if one.starts_at == starts_at]
        beyond = [one for one in here if one.surplus is Surplus.REDUCED]
        assert len(here) - len(beyond) == count
        assert all(one.status is SlotStatus.BOOKED for one in beyond)
