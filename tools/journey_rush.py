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
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from journey_client import API, ZONE, Client, Teller, call, check, control, eventually, operator_says
from journey_clinic import DAYS_AHEAD, FEE_FEN, INSTEAD, NUMBERS, write_directory
from journey_household import Foreigner

PEOPLE = 300
PAYING, DROPPING = 40, 10
"""Of those who got a number; the rest let theirs lapse."""
WAITING, LEAVING = 30, 5
"""Of those who got none; and who give up the number that waiting brought them."""
_AT_ONCE = 24
T = TypeVar("T")
R = TypeVar("R")


def at_once(act: Callable[[T], R], each: Iterable[T]) -> list[R]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(act, each))


@dataclass
class Person:
    """One of the 300, with a wallet of her own. All are from abroad: no two invented passports are the same."""

    human: Foreigner = field(default_factory=Foreigner)
    client: Client = field(default_factory=Client)
    dependent_id: str = ""
    appointment: dict[str, Any] | None = None
    entry_id: str = ""
    answers: Counter[str] = field(default_factory=Counter)

    def arrive(self) -> None:
        """Log in, consent, and add herself."""
        open_id = "o" + secrets.token_urlsafe(20)
        code = control("POST", "/login-codes", {"provider": "wechat_miniapp", "open_id": open_id})["code"]
        said = {"provider": "wechat_miniapp", "code": code}
        self.client.token = self.client("POST", "/sessions", said, expect=201)["token"]
        for text in self.client("GET", "/consent-texts")["items"]:
            if text["purpose"] in ("service", "sensitive_identity"):
                consent = {"purpose": text["purpose"], "version": text["version"], "granted": True}
                self.client("POST", "/account/consents", consent, expect=201)
        typed = self.human.typed("self")
        self.dependent_id = self.client("POST", "/dependents", typed, expect=201, keyed=True)["id"]

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Whatever comes back."""
        headers = {"Authorization": f"Bearer {self.client.token}", "Idempotency-Key": secrets.token_hex(16)}
        return call(method, f"{API}/api/v1{path}", body, headers)

    def wait(self, department_id: str, day: str) -> None:
        """For a number of that morning."""
        wish = {"dependent_ids": [self.dependent_id], "department_id": department_id, "periods": ["morning"]}
        body = wish | {"date_from": day, "date_to": day, "pay": "online"}
        self.entry_id = self.client("POST", "/waitlist-entries", body, expect=201, keyed=True)["id"]

    def entry(self) -> dict[str, Any]:
        """What she is told of her waiting."""
        (entry,) = self.client("GET", "/waitlist-entries")["items"]
        return dict(entry)

    def found(self) -> bool:
        """Whether waiting brought a number; it is hers from then on."""
        appointment_id = self.entry()["dependents"][0]["appointment_id"]
        if appointment_id is not None:
            self.appointment = self.client("GET", f"/appointments/{appointment_id}")
        return appointment_id is not None

    def book(self, schedule_id: str) -> str:
        """What she was told."""
        wish = {"schedule_id": schedule_id, "dependent_id": self.dependent_id, "pay": "online"}
        status, said = self.ask("POST", "/appointments", wish)
        told = "booked" if status == 201 else str(said["code"])
        self.answers[told] += 1
        if status == 201:
            self.appointment = said
        return told

    def pay(self) -> None:
        assert self.appointment is not None
        path = f"/appointments/{self.appointment['id']}/payments"
        opened = self.client("POST", path, {"channel": "wechat_jsapi"}, expect=201, keyed=True)
        control("POST", f"/payments/{opened['out_trade_no']}/pay")

    def cancel(self) -> None:
        assert self.appointment is not None
        self.client("POST", f"/appointments/{self.appointment['id']}/cancellation", {}, keyed=True)

    def see(self) -> dict[str, Any]:
        assert self.appointment is not None
        seen: dict[str, Any] = self.client("GET", f"/appointments/{self.appointment['id']}")
        return seen


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
            write_directory(Path(folder), code, day, self.release_at)
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
