"""A hospital with a system of its own over the real wire: what it takes back from a patient, and what it gives to a
family. Somebody has the number they were told of or all of their money, whatever the hospital answers or does not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from uuid import UUID

import pytest
from at_his_system import book_of, calls, connect, connected, freed, known, paid, stands
from cases import Case, spoil
from factories import make_dependent, make_doctor
from hospital_acts import ORDER
from stage import Stage

from core.booking.clinic.suspend import suspend_schedule
from core.clock import hospital_day
from models.account import Account
from models.hospital import Department

MINUTE = timedelta(minutes=1)
FEE, CHEAPER = 5000, 3000
TERMS = {"offer_minutes": 2, "hospital_cap_minutes": 1}
LOST = ["drop_before", "drop_after", "error", "error_after", "garbled", "other_nonce"]


@pytest.fixture
def stage(hospital_stage: Stage) -> Stage:
    return hospital_stage


def down(stage: Stage, *verbs: str) -> None:
    """Until its faults are taken away."""
    for verb in verbs or ("find", "hold", "confirm", "release", "ask"):
        spoil(stage, f"hospital.{verb}", "error")


def number(case: Case) -> str:
    return str(case.shown()["number"])


def in_order(stage: Stage, released: Case, *, confirmed: Case | None = None) -> None:
    """The hospital is known to have `confirmed`, then to have its number back; the money goes after that."""
    seen, back = calls(stage), {one.out_refund_no for one in released.refunds()}
    told = [("hospital.release", number(released)), ("hospital.ask", number(released))]
    steps = [max(at for at, one in enumerate(seen) if one in told)]
    steps += [at for at, (operation, about) in enumerate(seen) if operation == "refund.create" and about in back][:1]
    if confirmed is not None:
        told = [("hospital.confirm", number(confirmed)), ("hospital.ask", number(confirmed))]
        steps.insert(0, max(at for at, one in enumerate(seen) if one in told))
    assert steps == sorted(steps)
    assert len(steps) == 2 + (confirmed is not None)


# --- other numbers for a lost one


@dataclass
class Lost:
    """A number that was confirmed and paid for, and whose clinic is suspended; two others are held for it."""

    stage: Stage
    old: Case
    later: UUID
    same_day: UUID

    def offers(self) -> list[tuple[str, int]]:
        return [(one["kind"], one["fee_fen"]) for one in self.old.shown()["offers"]]

    def take(self, nth: int = 0) -> Case:
        offer = self.old.shown()["offers"][nth]
        reply = self.old.stranger.phone.post(f"/offers/{offer['id']}/acceptance")
        assert (reply.status, reply.json["status"], reply.json["awaiting"]) == (200, "pending", ["hospital"]), reply
        assert (self.old.status(), self.old.shown()["offers"]) == ("booked", [])
        schedule_id = UUID(reply.json["schedule_id"])
        return Case(self.stage, self.old.stranger, schedule_id, reply.json["id"])

    def is_over(self) -> bool:
        """And nothing is held for it elsewhere."""
        held = [self.stage.town.slot_statuses(one)["withheld"] for one in (self.later, self.same_day)]
        return self.old.shown()["cancel_reason"] == "suspended" and not any(held)


def lost(stage: Stage, pay: str = "online", **terms: int) -> Lost:
    now = stage.clock.now()
    department_id, day = stage.town.department(), hospital_day(now) + timedelta(days=3)
    with stage.town.database.write() as session:
        department = session.get_one(Department, department_id)
        own, equal = (make_doctor(session, department, title="主任医师") for _ in range(2))
    there = {"department_id": department_id, "numbers": 2, "now": now, "terms": TERMS | terms}
    here = stage.town.schedule(doctor=own, visit_date=day, fee_fen=FEE, **there)
    later = stage.town.schedule(doctor=own, visit_date=day + timedelta(days=2), fee_fen=CHEAPER, **there)
    same_day = stage.town.schedule(doctor=equal, visit_date=day, starts=time(13), fee_fen=8000, **there)
    connect(stage, here)
    case = Lost(stage, stands(stage, pay, schedule_id=here), later, same_day)
    stage.workbench.transactions.write(
        lambda session, now: suspend_schedule(session, schedule_id=here, order=ORDER, now=now)
    )
    stage.work()
    assert case.offers() == [("same_doctor", CHEAPER), ("same_rank", FEE)]
    return case


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("verb", ["hold", "confirm", "release"])
def test_a_number_that_is_taken_instead_is_had_once_whatever_is_lost_on_the_way(
    stage: Stage, verb: str, kind: str
) -> None:
    case = lost(stage)
    new = case.take()
    spoil(stage, f"hospital.{verb}", kind, times=1)
    stage.work_until(lambda: new.is_booked() and case.is_over(), "exchanged")
    stage.work_until(lambda: new.kept_fen() == CHEAPER, "the difference")
    assert [book_of(stage, one) for one in (case.old, new)] == [[("released", FEE)], [("confirmed", CHEAPER)]]
    assert new.shown()["slot"]["sequence"] > 100, "what the hospital calls out"
    in_order(stage, case.old, confirmed=new)


@pytest.mark.parametrize(("verb", "reason"), [("hold", "taken"), ("hold", "limit"), ("confirm", "other")])
def test_where_the_hospital_refuses_it_the_other_can_be_taken(stage: Stage, verb: str, reason: str) -> None:
    case = lost(stage)
    refused = case.take()
    spoil(stage, f"hospital.{verb}", "refuse", match={"claim": number(refused)}, reason=reason)
    stage.work_until(lambda: refused.status() == "cancelled", "refused")
    assert (refused.shown()["cancel_reason"], case.old.status()) == ("hospital_refused", "booked")
    assert (case.offers(), case.old.kept_fen()) == ([("same_rank", FEE)], FEE)
    new = case.take()
    stage.work_until(lambda: new.is_booked() and case.is_over(), "exchanged")
    assert [book_of(stage, one)[0][0] for one in (case.old, refused, new)] == ["released", "refused", "confirmed"]
    assert (new.kept_fen(), new.refunds()) == (FEE, [])


@pytest.mark.parametrize("answer", ["none", "refuses all", "taken and refused"])
def test_with_no_other_number_all_of_the_money_goes_back_last(stage: Stage, answer: str) -> None:
    case = lost(stage)
    old = number(case.old)
    spoil(stage, "hospital.release", "drop_after", times=1, match={"claim": old})
    if answer == "refuses all":
        for one in case.old.shown()["offers"]:
            assert case.old.stranger.phone.post(f"/offers/{one['id']}/refusal").status == 200
    elif answer == "taken and refused":
        spoil(stage, "hospital.hold", "refuse", times=2, reason="limit")
        for _ in range(2):
            case.take()
            stage.work()
    stage.work_until(lambda: case.is_over() and case.old.is_refunded(), "refunded", most=260)
    assert (case.old.kept_fen(), book_of(stage, case.old)) == (0, [("released", FEE)])
    in_order(stage, case.old)
    assert [stage.town.slot_statuses(one) for one in (case.later, case.same_day)] == [{"free": 2}] * 2


def test_a_hospital_that_never_answers_for_the_other_loses_nobody_their_money(stage: Stage) -> None:
    """Given up, what else was held can be had; with nobody taking it all of the money goes back, once the hospital has
    both of its numbers."""
    case = lost(stage)
    new = case.take()
    spoil(stage, "hospital.hold", "drop_after")
    down(stage, "confirm", "release", "ask")
    stage.work()
    for _ in range(2):
        stage.work(after=MINUTE)
    assert (new.shown()["cancel_reason"], case.old.status(), case.offers()) == ("error", "booked", [("same_rank", FEE)])
    stage.control("DELETE", "/faults")
    assert [book_of(stage, one)[0][0] for one in (case.old, new)] == ["confirmed", "held"]
    stage.work_until(lambda: case.is_over() and case.old.is_refunded(), "refunded", most=280)
    assert (case.old.kept_fen(), [book_of(stage, one)[0][0] for one in (case.old, new)]) == (0, ["released"] * 2)


def test_a_hospital_that_is_down_for_an_hour_while_it_should_agree(stage: Stage) -> None:
    case = lost(stage, "on_site", hospital_cap_minutes=120)
    new = case.take()
    down(stage)
    for _ in range(12):
        stage.work(after=5 * MINUTE)
    assert [one.status() for one in (case.old, new)] == ["booked", "pending"]
    assert case.old.shown()["offers"] == []
    stage.control("DELETE", "/faults")
    stage.work_until(lambda: new.is_booked() and case.is_over(), "exchanged", most=400)
    assert [book_of(stage, one)[0][0] for one in (case.old, new)] == ["released", "confirmed"]


# --- a family's numbers


def together(stage: Stage, pay: str = "online", **terms: int) -> list[Case]:
    """Two numbers of one half day on one charge."""
    schedule_id, stranger = connected(stage, terms=TERMS | terms), known(stage)
    with stage.town.database.write() as session:
        account = session.get_one(Account, stranger.account_id)
        child = make_dependent(session, stage.town.vault, account, now=stage.clock.now()).id
    items = [{"schedule_id": str(schedule_id), "dependent_id": str(one)} for one in (stranger.dependent_id, child)]
    reply = stranger.phone.post("/appointments/bundles", {"items": items, "pay": pay})
    assert (reply.status, {one["status"] for one in reply.json["items"]}) == (201, {"pending"}), reply
    return [Case(stage, stranger, schedule_id, one["id"]) for one in reply.json["items"]]


def claims(stage: Stage, family: list[Case]) -> list[list[tuple[str, int | None]]]:
    return [book_of(stage, one) for one in family]


def all_booked(family: list[Case]) -> bool:
    return all(one.is_booked() for one in family)


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("verb", ["hold", "confirm"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_family_has_all_of_its_numbers_whatever_is_lost_on_the_way(
    stage: Stage, which: int, verb: str, kind: str
) -> None:
    family = together(stage)
    spoil(stage, f"hospital.{verb}", kind, times=1, match={"claim": number(family[which])})
    stage.work()
    paid(stage, family[0])
    stage.work_until(lambda: all_booked(family), "booked")
    assert claims(stage, family) == [[("confirmed", FEE)]] * 2
    assert (family[0].kept_fen(), family[0].refunds()) == (2 * FEE, [])
    assert min(one.shown()["slot"]["sequence"] for one in family) > 100


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("kind", ["drop_after", "error"])
def test_one_that_is_refused_after_the_payment_leaves_a_family_nothing_but_its_money(
    stage: Stage, which: int, kind: str
) -> None:
    """Which is the last to move: what was confirmed already is given back first, though the answer to that is lost."""
    family = together(stage)
    other = family[1 - which]
    spoil(stage, "hospital.confirm", "error", match={"claim": number(family[which])})
    stage.work()
    paid(stage, family[0])
    stage.work_until(lambda: book_of(stage, other)[0][0] == "confirmed", "the other one")
    assert [one.status() for one in family] == ["pending"] * 2
    stage.control("DELETE", "/faults")
    spoil(stage, "hospital.confirm", "refuse", match={"claim": number(family[which])}, reason="other")
    spoil(stage, "hospital.release", kind, times=1, match={"claim": number(other)})
    stage.work_until(lambda: family[0].kept_fen() == 0 and freed(stage, other), "refunded and freed")
    assert [one.shown()["cancel_reason"] for one in family] == ["hospital_refused"] * 2
    assert (book_of(stage, family[which])[0][0], book_of(stage, other)) == ("refused", [("released", FEE)])
    in_order(stage, other)
    assert sum(one.amount_fen for one in family[0].refunds()) == 2 * FEE


@pytest.mark.parametrize("paid_first", [True, False])
def test_one_that_is_not_held_leaves_a_family_nothing_but_its_money(stage: Stage, paid_first: bool) -> None:
    family = together(stage)
    spoil(stage, "hospital.hold", "refuse", match={"claim": number(family[1])}, reason="taken")
    if paid_first:
        assert family[0].open_payment().status == 201
        stage.deliver(family[0].pay())
    stage.work_until(lambda: {one.status() for one in family} == {"cancelled"}, "refused")
    stage.work_until(lambda: family[0].kept_fen() == 0, "refunded")
    stage.work_until(lambda: stage.town.slot_statuses(family[0].schedule_id) == {"free": 1, "suspended": 1}, "freed")
    assert [one[0][0] for one in claims(stage, family)] == ["released", "refused"]
    assert sum(one.amount_fen for one in family[0].refunds()) == 2 * FEE * paid_first


def test_a_hospital_that_never_answers_gives_a_family_its_money_back_once_it_has_its_numbers(stage: Stage) -> None:
    family = together(stage, hold_minutes=2)
    stage.work()
    down(stage)
    paid(stage, family[0])
    for _ in range(4):
        stage.work(after=MINUTE)
    assert [one.shown()["cancel_reason"] for one in family] == ["error"] * 2
    assert family[0].kept_fen() == 2 * FEE, "the hospital may have them yet"
    stage.control("DELETE", "/faults")
    stage.work_until(lambda: family[0].kept_fen() == 0 and freed(stage, family[0]), "refunded and freed", most=400)
    assert [one[0][0] for one in claims(stage, family)] == ["released"] * 2


def test_a_hospital_that_is_down_for_an_hour_keeps_a_family_waiting(stage: Stage) -> None:
    family = together(stage, "on_site", hospital_cap_minutes=120)
    down(stage)
    for _ in range(12):
        stage.work(after=5 * MINUTE)
    assert [(one.status(), one.shown()["awaiting"]) for one in family] == [("pending", ["hospital"])] * 2
    stage.control("DELETE", "/faults")
    stage.work_until(lambda: all_booked(family), "booked", most=400)
    assert [one[0][0] for one in claims(stage, family)] == ["confirmed"] * 2
