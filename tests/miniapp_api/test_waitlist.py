"""The waitlist over HTTP: what is shown of waiting, of an offer, and after."""

from __future__ import annotations

from datetime import timedelta

from people import resident_id
from ward import Ward, add, book, department_of, wait_for

SLOW = {"min_identity_level": 0, "return_after_seconds": 3600}


def test_from_waiting_to_the_number(ward: Ward) -> None:
    holder, phone = ward.log_in("holder"), ward.log_in("waiting")
    schedule_id = ward.schedule(numbers=1, terms=SLOW)
    had = book(holder, schedule_id, add(holder), "on_site").json
    dependent_id = add(phone, id_number=resident_id(order=995))
    department_id, day = department_of(ward, schedule_id)
    where = {"department_id": department_id, "date_from": day, "date_to": day, "max_fee_fen": 5000}
    made = wait_for(ward, phone, dependent_id, **where)
    assert (made.status, made.json["status"], made.json["ahead"]) == (201, "waiting", 0)
    assert made.json["dependents"] == [
        {
            "dependent_id": dependent_id,
            "name_masked": made.json["dependents"][0]["name_masked"],
            "appointment_id": None,
            "reasons": ["no_number_yet"],
            "passed_over_at": None,
        }
    ]
    assert holder.post(f"/appointments/{had['id']}/cancellation", {}).status == 200
    ward.work()
    (entry,) = phone.get("/waitlist-entries")["items"]
    offered = phone.get(f"/appointments/{entry['dependents'][0]['appointment_id']}")
    assert (entry["status"], entry["ahead"], entry["dependents"][0]["reasons"]) == ("offered", None, [])
    assert (offered["status"], offered["visit_date"], offered["slot"]["sequence"]) == ("pending", day, 1)
    assert phone.post(f"/appointments/{offered['id']}/cancellation", {}).status == 200
    ward.work(after=timedelta(minutes=1))
    (entry,) = phone.get("/waitlist-entries")["items"]
    assert (entry["status"], entry["ended_at"] is not None) == ("passed", True)
    assert holder.get("/waitlist-entries")["items"] == []


def test_whoever_leaves_may_leave_twice_and_nobody_else_may(ward: Ward) -> None:
    phone, stranger = ward.log_in("a"), ward.log_in("b")
    entry_id = wait_for(ward, phone, add(phone)).json["id"]
    assert stranger.send("DELETE", f"/waitlist-entries/{entry_id}").status == 404
    for _ in range(2):
        assert phone.send("DELETE", f"/waitlist-entries/{entry_id}").status == 204
    (entry,) = phone.get("/waitlist-entries")["items"]
    assert entry["status"] == "left"
