"""Switching who comes first, and removing a dependent: nothing is lost that an appointment needs."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from harness import race
from minors import child
from people import resident_id
from sqlalchemy import select
from sqlalchemy.orm import Session
from ward import Ward, add, agree, book, wait, wait_for
from wire import Phone, Reply

from models.person import Dependent
from models.waitlist import WaitlistPlace

ANYBODY = {"min_identity_level": 0}


@pytest.fixture
def an(ward: Ward) -> Phone:
    return ward.log_in("an")


def another(phone: Phone, order: int) -> str:
    return add(phone, name="测试庚", id_number=resident_id(birth=date(1950, 1, 1), order=order), relationship="other")


def defaults(phone: Phone) -> list[str]:
    return [item["id"] for item in phone.get("/dependents")["items"] if item["is_default"]]


def remove(phone: Phone, dependent_id: str) -> Reply:
    return phone.send("DELETE", f"/dependents/{dependent_id}")


def row(ward: Ward, dependent_id: str) -> Dependent:
    return ward.workbench.transactions.read(lambda session, _now: session.get_one(Dependent, UUID(dependent_id)))


def test_the_first_one_added_comes_first_until_another_is_chosen(an: Phone) -> None:
    first, second = add(an), another(an, 901)
    assert defaults(an) == [first]
    for _ in range(2):
        reply = an.send("PUT", f"/dependents/{second}/default")
        assert (reply.status, reply.json["id"], reply.json["is_default"]) == (200, second, True)
    assert defaults(an) == [second]


def test_two_who_are_chosen_at_once_leave_one(ward: Ward, an: Phone) -> None:
    chosen = [add(an), another(an, 902), another(an, 903)]
    switches = [lambda one=one: an.send("PUT", f"/dependents/{one}/default").status for one in chosen]
    assert set(race(*switches, *switches)) <= {200, 503}
    assert len(defaults(an)) == 1


def test_who_is_removed_is_gone_and_another_comes_first(ward: Ward, an: Phone) -> None:
    first, second = add(an, address="中山路321号"), another(an, 904)
    reply = remove(an, first)
    assert (reply.status, reply.body) == (204, b"")
    assert [item["id"] for item in an.get("/dependents")["items"]] == [second]
    assert defaults(an) == [second]
    gone = row(ward, first)
    assert (gone.name_masked, gone.phone_sealed, gone.address_sealed, gone.erase_after) == ("", b"", None, None)
    assert remove(an, first).status == 404
    assert an.send("PUT", f"/dependents/{first}/default").status == 404
    assert add(an) != first


def test_an_open_appointment_keeps_its_dependent(ward: Ward, an: Phone) -> None:
    dependent_id = add(an)
    booked = book(an, ward.schedule(terms=ANYBODY), dependent_id, "on_site")
    refused = remove(an, dependent_id)
    assert (refused.status, refused.json["code"]) == (409, "dependent_in_use")
    assert refused.json["facts"] == {"open_appointments": 1, "guardian_of": 0}
    assert an.post(f"/appointments/{booked.json['id']}/cancellation").status == 200
    assert remove(an, dependent_id).status == 204


def test_what_has_been_stays_in_the_list(ward: Ward, an: Phone) -> None:
    dependent_id = add(an)
    booked = book(an, ward.schedule(terms=ANYBODY), dependent_id, "on_site")
    assert an.post(f"/appointments/{booked.json['id']}/cancellation").status == 200
    assert remove(an, dependent_id).status == 204
    (shown,) = an.get("/appointments")["items"]
    assert (shown["status"], shown["dependent"]["name_masked"]) == ("cancelled", "测**")
    assert row(ward, dependent_id).erase_after is not None


def test_a_guardian_stays_while_somebody_needs_one(ward: Ward, an: Phone) -> None:
    guardian = add(an)
    minor = an.post("/dependents", child(ward, guardian_dependent_id=guardian)).json["id"]
    assert remove(an, guardian).json["facts"] == {"open_appointments": 0, "guardian_of": 1}
    assert remove(an, minor).status == 204
    assert remove(an, guardian).status == 204


def test_1_2_1_a_guardian_may_go_once_nobody_is_a_minor_any_more(ward: Ward, an: Phone) -> None:
    guardian = add(an)
    youth = an.post("/dependents", child(ward, years=17, order=931, guardian_dependent_id=guardian)).json
    assert remove(an, guardian).json["facts"]["guardian_of"] == 1
    born = date.fromisoformat(youth["birth_date"])
    ward.clock.advance(born.replace(year=born.year + 18) - ward.day(0))
    an = ward.log_in("an")
    assert remove(an, guardian).status == 204
    assert "guardian_dependent_id" not in an.get(f"/dependents/{youth['id']}")


def test_l_06_nobody_waits_for_whoever_is_removed(ward: Ward, an: Phone) -> None:
    """Where others are waited for in the same entry, it stands."""
    alone, first, second = (another(an, order) for order in (905, 907, 909))
    mine = wait(ward, an, alone)
    together = wait_for(ward, an, first, dependent_ids=[first, second]).json["id"]

    def states() -> dict[str, str]:
        return {one["id"]: one["status"] for one in an.get("/waitlist-entries")["items"]}

    assert remove(an, alone).status == remove(an, first).status == 204
    assert states() == {mine: "left", together: "waiting"}
    assert remove(an, second).status == 204
    assert states() == {mine: "left", together: "left"}


def test_l_06_nobody_waits_on_because_another_of_them_has_a_number(ward: Ward, an: Phone) -> None:
    served, removed = another(an, 905), another(an, 907)
    entry_id = wait_for(ward, an, served, dependent_ids=[served, removed]).json["id"]
    had = UUID(book(an, ward.schedule(terms=ANYBODY), served, "on_site").json["id"])

    def serve(session: Session, _now: datetime) -> None:
        place = select(WaitlistPlace).where(WaitlistPlace.dependent_id == UUID(served))
        session.scalars(place).one().appointment_id = had

    ward.workbench.transactions.write(serve)
    assert remove(an, removed).status == 204
    assert {one["id"]: one["status"] for one in an.get("/waitlist-entries")["items"]} == {entry_id: "left"}


def test_booking_and_removing_at_once_never_leave_an_appointment_without_its_dependent(ward: Ward, an: Phone) -> None:
    for turn in range(4):
        dependent_id = another(an, 910 + turn)
        schedule_id = ward.schedule(terms=ANYBODY)

        def booking(one: str = dependent_id, at: str = schedule_id) -> int:
            return book(an, at, one, "on_site").status

        def removing(one: str = dependent_id) -> int:
            return remove(an, one).status

        booked, removed = race(booking, removing)
        assert (booked, removed) in {(201, 409), (404, 204), (201, 503), (503, 204), (422, 204)}, (booked, removed)


def test_an_open_face_check_ends(ward: Ward, an: Phone) -> None:
    dependent_id = add(an)
    agree(an, "face", dependent_id)
    begun = an.post(f"/dependents/{dependent_id}/identity-checks", {"method": "wechat_face"})
    assert remove(an, dependent_id).status == 204
    ward.work(after=timedelta(hours=1))
    assert an.post(f"/identity-checks/{begun.json['id']}/completion").status in {200, 404}


def test_anothers_dependent_is_not_there(ward: Ward, an: Phone) -> None:
    theirs = add(ward.log_in("bo"))
    assert remove(an, theirs).status == 404
    assert an.send("PUT", f"/dependents/{theirs}/default").status == 404
