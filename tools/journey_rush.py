"""A release as `make journey PERSON=rush` plays it: 300 people want the 60 numbers of one half day at the same instant.

A hospital of its own is loaded for each run. What each person got and why is counted by these clients themselves, and
the fairness report that anybody may read must agree.
"""

from __future__ import annotations

import csv
import json
import random
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from journey_client import API, ZONE, Client, Teller, call, check, control, eventually, operator_says
from journey_household import Foreigner

PEOPLE, SEGMENTS, EACH = 300, 6, 10
NUMBERS = SEGMENTS * EACH
DAYS_AHEAD = 3
PAYING, DROPPING = 40, 10
"""Of those who got a number; the rest let theirs lapse."""
FEE_FEN = 2500
HOLD_MINUTES = 2
_AT_ONCE = 24
_HEADERS = {
    "hospitals": "code,name,alias,grade,kind,adcode,address,lat,lng,merchant,booking_notice,synthetic",
    "campuses": "hospital_code,code,name,address,lat,lng",
    "departments": "hospital_code,code,parent_code,name,alias,subject_code,sex,min_age,max_age,online,synthetic",
    "doctors": "hospital_code,code,department_code,name,title,sex,introduction,synthetic",
    "rosters": "hospital_code,department_code,doctor_code,campus_code,weekday,period,starts,ends,clinic_type,fee_fen,"
    "segment_minutes,numbers_per_segment,synthetic",
    "schedules": "hospital_code,department_code,doctor_code,campus_code,visit_date,period,starts,ends,clinic_type,"
    "fee_fen,segment_minutes,numbers_per_segment",
}

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
    release_at: datetime = field(init=False)

    def walk(self) -> None:
        self.gather()
        self.open_hospital()
        self.come_too_early()
        self.release()
        self.pay_drop_or_lapse()
        self.see_the_numbers_return()
        self.read_the_report()

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
            _write(Path(folder), code, day, self.release_at)
            operator_says("load-directory", folder)
        hospital = self.people[0].client("GET", f"/hospitals?q={code}")["items"][0]
        (schedule,) = self.people[0].client("GET", f"/hospitals/{hospital['id']}/schedules?date={day}")["items"]
        self.schedule_id = schedule["id"]
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

    def see_the_numbers_return(self) -> None:
        back = NUMBERS - PAYING
        segments = f"/schedules/{self.schedule_id}/slots"
        look = self.people[0].client
        left = eventually(
            lambda: sum(one["remaining"] for one in look("GET", segments)["items"]),
            lambda remaining: remaining == back,
            f"{back} numbers are on sale again",
        )
        self.tell("what was let go came back", f"{left} numbers")

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
        check(report["channels"] == [{"channel": "wechat_miniapp", "numbers": PAYING, "share": 100}], f"{report}")
        self.tell("the fairness report agrees", f"sold out after {report['seconds_to_sold_out']} s, refused {refused}")


def _refused(report: Mapping[str, Any]) -> dict[str, int]:
    return {one["code"]: one["times"] for one in report["refused"]}


def _write(folder: Path, code: str, day: date, release_at: datetime) -> None:
    """The directory of one hospital with one clinic on one day."""
    local = release_at.astimezone(ZONE)
    rows: Mapping[str, list[list[Any]]] = {
        "hospitals": [[code, f"放号演示医院{code}", "", "三级甲等", "综合", "320106", "演示路1号", "", "", "", "",
                       "true"]],
        "campuses": [[code, f"{code}-A", "本部", "演示路1号", "", ""]],
        "departments": [[code, f"{code}-D", "", "演示科", "", "", "", "", "", "true", "true"]],
        "doctors": [[code, f"{code}-T", f"{code}-D", "虚拟抢", "主任医师", "F", "虚拟医生，仅供演示。", "true"]],
        "rosters": [],
        "schedules": [
            [code, f"{code}-D", f"{code}-T", f"{code}-A", day.isoformat(), "morning", "08:00", "11:00", "EXPERT",
             FEE_FEN, 180 // SEGMENTS, EACH]
        ],
    }  # fmt: skip
    for name, header in _HEADERS.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(header.split(","))
            writer.writerows(rows[name])
    policy = {
        "release_days_before": DAYS_AHEAD,
        "release_time": f"{local:%H:%M}",
        "hold_minutes": HOLD_MINUTES,
        "return_after_seconds": 0,
        "return_spread_seconds": 0,
        "min_identity_level": 0,
    }
    entries = [{"level": "hospital", "code": code, "policy": policy}]
    (folder / "policies.json").write_text(json.dumps(entries), encoding="utf-8")
