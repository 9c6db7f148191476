"""A release as `make journey PERSON=rush` plays it: 300 people want the 60 numbers of one half day at the same instant.

A hospital of its own is loaded for each run. What each person got and why is counted by these clients themselves, and
the fairness report that anybody may read must agree.
"""

from __future__ import annotations

import random
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from journey_client import ZONE, Teller, check, control, eventually, operator_says
from journey_clinic import DAYS_AHEAD, FEE_FEN, INSTEAD, NUMBERS, write_rush
from journey_crowd import Person, at_once

PEOPLE = 300
PAYING, DROPPING = 40, 10
"""Of those who got a number; the rest let theirs lapse."""
WAITING, LEAVING = 30, 5
"""Of those who got none; and who give up the number that waiting brought them."""


@dataclass
class Rush:
    """One half day from before its release until its numbers have found their people."""

    tell: Teller
    people: list[Person] = field(default_factory=list)
    schedule_id: str = ""
    department_id: str = ""
    day: str = ""
    waiting: list[Person] = field(default_factory=list)
    release_at: datetime = field(init=False)

    def walk(self) -> None:
        self.gather()
        self.open_hospital()
        self.come_too_early()
        self.release()
        self.wait()
        self.pay_drop_or_lapse()
        self.give_what_came_back()
        self.read_the_report()
        self.suspend()
        self.answer_the_offers()

    def gather(self) -> None:
        self.people = [Person() for _ in range(PEOPLE)]
        at_once(Person.arrive, self.people)
        self.tell(
            "300 people logged in and added themselves", f"{len({one.dependent_id for one in self.people})} of them"
        )

    def open_hospital(self) -> None:
        """A hospital that releases at the next full minute but one."""
        self.release_at = (datetime.now(UTC) + timedelta(seconds=90)).replace(second=0, microsecond=0)
        code = "RUSH" + secrets.token_hex(4).upper()
        day = (self.release_at.astimezone(ZONE) + timedelta(days=DAYS_AHEAD)).date()
        with tempfile.TemporaryDirectory() as folder:
            write_rush(Path(folder), code, day, self.release_at)
            operator_says("load-directory", folder)
        hospital = self.people[0].client("GET", f"/hospitals?q={code}")["items"][0]
        found = self.people[0].client("GET", f"/hospitals/{hospital['id']}/schedules?date={day}")["items"]
        schedule = next(one for one in found if one["period"] == "morning")
        self.schedule_id, self.department_id, self.day = schedule["id"], schedule["department"]["id"], str(day)
        told = datetime.fromisoformat(schedule["release_at"])
        check(told == self.release_at, f"announced {told}, not {self.release_at}")
        self.tell("a half day of 60 numbers is announced", f"{schedule['status']}, release at {schedule['release_at']}")

    def come_too_early(self) -> None:
        early = at_once(lambda one: one.book(self.schedule_id), self.people[:20])
        check(set(early) == {"not_released"}, f"before its release: {Counter(early)}")
        self.tell("twenty tried before the release", "not_released, with the instant to come back at")

    def release(self) -> None:
        """Everybody counts down by the server's clock, and asks again while numbers may come back at once."""
        now = datetime.fromisoformat(self.people[0].client("GET", "/time")["now"])
        time.sleep(max(0.0, (self.release_at - now).total_seconds()))
        started = time.monotonic()
        told = Counter(at_once(lambda one: one.book(self.schedule_id), random.sample(self.people, PEOPLE)))
        seconds = time.monotonic() - started
        held = [one.appointment for one in self.people if one.appointment is not None]
        check(len(held) == NUMBERS, f"{len(held)} of {NUMBERS} numbers were sold: {told}")
        check(len({one["slot"]["sequence"] for one in held}) == NUMBERS, "a number was sold twice")
        check(set(told) == {"booked", "numbers_in_flight"}, f"somebody was told something else: {told}")
        self.tell("all 300 asked at once", f"{dict(told)}, {seconds:.1f} s; 60 different numbers")

    def pay_drop_or_lapse(self) -> None:
        holders = [one for one in self.people if one.appointment is not None]
        paying, dropping, lapsing = holders[:PAYING], holders[PAYING : PAYING + DROPPING], holders[PAYING + DROPPING :]
        at_once(Person.pay, paying)
        at_once(Person.cancel, dropping)
        for one in paying:
            eventually(one.see, lambda seen: seen["status"] == "booked", "a paid number is booked")
        self.tell("forty paid, ten changed their minds", f"{len(lapsing)} let their holds lapse")
        last = max(datetime.fromisoformat(one.see()["hold_expires_at"]) for one in lapsing)
        time.sleep(max(0.0, (last - datetime.now(UTC)).total_seconds()))
        for one in lapsing:
            eventually(one.see, lambda seen: seen["status"] == "cancelled", "a hold that nobody paid has ended")
        self.tell("the unpaid holds ended", "after their prepay was closed or known not to be")

    def wait(self) -> None:
        """One after the other, so that everybody knows who comes before whom."""
        self.waiting = [one for one in self.people if one.appointment is None][:WAITING]
        for one in self.waiting:
            one.wait(self.department_id, self.day)
        ahead = [one.entry()["ahead"] for one in self.waiting]
        check(ahead == list(range(WAITING)), f"ahead of those who wait: {ahead}")
        self.tell("thirty of the others wait", f"from {ahead[0]} to {ahead[-1]} ahead of them")

    def give_what_came_back(self) -> None:
        """Twenty numbers go to the first twenty who wait; five of those give theirs up, and the next five have them."""
        back = NUMBERS - PAYING
        first, second, rest = self.waiting[:back], self.waiting[back : back + LEAVING], self.waiting[back + LEAVING :]
        for one in first:
            eventually(one.found, bool, "waiting has brought a number")
        check(not any(one.found() for one in [*second, *rest]), "somebody was served before their turn")
        self.tell("what was let go went to those who waited", f"the first {len(first)}, in their order")
        at_once(Person.cancel, first[:LEAVING])
        for one in second:
            eventually(one.found, bool, "a number that was given up has gone to the next")
        at_once(Person.pay, [*first[LEAVING:], *second])
        for one in [*first[LEAVING:], *second]:
            eventually(one.see, lambda seen: seen["status"] == "booked", "a paid number is booked")
        told = [(one.entry()["ahead"], one.entry()["dependents"][0]["reasons"]) for one in rest]
        check([ahead for ahead, _ in told] == list(range(len(rest))), f"those who still wait are told {told}")
        self.tell("five gave theirs up, and it went to the next five", f"{len(rest)} still wait: {told[0][1]}")

    def read_the_report(self) -> None:
        """Counted by the clients, and read off the report that anybody may see."""
        told: Counter[str] = sum((one.answers for one in self.people), Counter())

        def look() -> dict[str, Any]:
            report: dict[str, Any] = self.people[0].client("GET", f"/schedules/{self.schedule_id}/fairness")
            return report

        refused = {code: times for code, times in told.items() if code != "booked"}
        report = eventually(
            look, lambda one: _refused(one) == refused, f"the report counts what was refused: {refused}"
        )
        check(report["sold_out_at"] is not None, "the report does not say that the numbers ran out")
        shares = {one["channel"]: one["numbers"] for one in report["channels"]}
        check(shares == {"wechat_miniapp": PAYING, "other": NUMBERS - PAYING}, f"{report}")
        self.tell("the fairness report agrees", f"sold out after {report['seconds_to_sold_out']} s, refused {refused}")

    def suspend(self) -> None:
        """The doctor falls ill."""
        holders = self.holders()
        check(len(holders) == NUMBERS, f"{len(holders)} hold one of {NUMBERS} numbers")
        said = operator_says("suspend-schedule", self.schedule_id, "--operator", "clerk-7", "--reason", "doctor ill")
        for one in holders:
            eventually(one.see, lambda seen: seen["offers"] or seen["status"] == "cancelled", "the suspension is felt")
        offered = [one for one in holders if one.see()["offers"]]
        check(len(offered) == INSTEAD, f"{len(offered)} of {INSTEAD} numbers of the afternoon are held for somebody")
        self.tell("the morning is suspended", said.strip())
        self.tell("what there is in the afternoon is held", f"for {len(offered)}; everybody else has their money back")

    def answer_the_offers(self) -> None:
        """Half of them take what is offered, the others do not."""
        asked = [one for one in self.holders() if one.see()["offers"]]
        taking, leaving = asked[: INSTEAD // 2], asked[INSTEAD // 2 :]
        for one in taking:
            offer = one.see()["offers"][0]
            one.appointment = one.client("POST", f"/offers/{offer['id']}/acceptance", None, keyed=True)
        for one in leaving:
            one.client("POST", f"/offers/{one.see()['offers'][0]['id']}/refusal", None, keyed=True)
        for one in self.people:
            if one in taking:
                check(one.see()["status"] == "booked", "a number that was taken instead is not booked")
            elif one.appointment is not None and one.see()["payment"] is not None:
                eventually(one.see, _has_its_money_back, "what was paid has gone back")
        back = sum(one["amount_fen"] for one in control("GET", "/ledger")["items"] if one["kind"] == "refund")
        self.tell("five took the afternoon, five did not", f"{back / 100:.2f} yuan went back at this platform so far")

    def holders(self) -> list[Person]:
        return [one for one in self.people if one.appointment is not None and one.see()["status"] == "booked"]


def _has_its_money_back(seen: Mapping[str, Any]) -> bool:
    refund = seen["refund"]
    return seen["status"] == "cancelled" and (seen["payment"]["status"] != "succeeded" or _is_back(refund))


def _is_back(refund: Mapping[str, Any] | None) -> bool:
    return refund is not None and refund["status"] == "succeeded" and refund["amount_fen"] == FEE_FEN


def _refused(report: Mapping[str, Any]) -> dict[str, int]:
    return {one["code"]: one["times"] for one in report["refused"]}
