"""A hospital's money from one day to the next morning, as `make journey PERSON=money` plays it, on a run of its own.

Somebody pays twice, a payment is heard of too late, a refund does not arrive, two pay from a browser, and a day of 300
numbers is suspended. In the morning the platforms' bills are held against the books; five lines of one were made wrong,
and each must be found.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from journey_client import ZONE, Teller, check, control, eventually, operator, operator_says
from journey_clinic import DAYS_AHEAD, FEE_FEN, HalfDay, write_directory
from journey_crowd import Person, at_once
from journey_family import ALIPAY, WECHAT
from journey_morning import Morning

PEOPLE = int(os.environ.get("PEOPLE") or 300)
_SEGMENTS = 6
_EACH = -(-PEOPLE // (2 * _SEGMENTS))
_LASTS = timedelta(minutes=8)
_OTHERS = 6
"""Numbers of the other day, for those whose stories are told one by one."""


@dataclass
class Money:
    """One day of a hospital, and its end."""

    tell: Teller
    clinics: dict[str, str] = field(default_factory=dict)
    """Half days by day and period."""
    crowd: list[Person] = field(default_factory=list)
    day: date = field(init=False)

    def walk(self) -> None:
        self.day = day_with_time_left()
        self.open_hospital()
        late = self.begin_too_late()
        self.pay_twice()
        self.miss_a_refund()
        self.pay_from_browsers()
        self.gather()
        self.suspend_the_day()
        self.hear_too_late(late)
        wechat = [one.out_trade_no for one in self.crowd if one.wallet is WECHAT]
        Morning(self.tell, self.day, wechat).walk()

    def open_hospital(self) -> None:
        code = "MONEY" + secrets.token_hex(4).upper()
        suspended, other = (self.day + timedelta(days=DAYS_AHEAD + more) for more in (0, 1))
        half_days = [
            HalfDay(suspended, "morning", _SEGMENTS, _EACH),
            HalfDay(suspended, "afternoon", _SEGMENTS, _EACH),
            HalfDay(other, "morning", _OTHERS, 1),
        ]
        policy = {"release_days_before": 14, "release_time": "00:00", "close_cap_minutes": 1, "offers_most": 0}
        with tempfile.TemporaryDirectory() as folder:
            write_directory(Path(folder), code, half_days, policy)
            operator_says("load-directory", folder)
        looker = Person().client
        hospital = looker("GET", f"/hospitals?q={code}")["items"][0]
        for day, name in ((suspended, "suspended"), (other, "other")):
            for one in looker("GET", f"/hospitals/{hospital['id']}/schedules?date={day}")["items"]:
                self.clinics[f"{name} {one['period']}"] = one["id"]
        numbers = sum(one.segments * one.each for one in half_days[:2])
        self.tell(f"a hospital with {numbers} numbers on one day", f"and {_OTHERS} on the next, {FEE_FEN} fen each")

    def holder(self, wallet: Any, clinic: str = "other morning") -> Person:
        """Somebody new with a number that is not paid yet."""
        person = Person(wallet)
        person.arrive()
        told = person.book(self.clinics[clinic])
        check(told == "booked", f"a free number was not to be had: {told}")
        return person

    # --- a hold that ends before its money is heard of

    def begin_too_late(self) -> Person:
        """She pays within her time, but for this one number the platform's event is lost, and nothing can be asked."""
        person = self.holder(ALIPAY)
        number = person.open_payment()
        for target in ("alipay.pay.close", "alipay.pay.query"):
            spoil(target, "drop_before", number)
        spoil("alipay.notice.payment", "drop", number)
        control("POST", f"/payments/{number}/pay")
        self.tell("one paid, and the platform fell silent", f"{number}: no event, and no answer to any question")
        return person

    def hear_too_late(self, person: Person) -> None:
        ended = eventually(person.see, lambda seen: seen["status"] == "cancelled", "an unpaid hold has ended", most=240)
        control("DELETE", "/faults")
        (lost,) = control("GET", f"/notices?out_trade_no={person.out_trade_no}")["items"]
        control("POST", f"/notices/{lost['id']}/resend", {})
        seen = eventually(person.see, is_refunded, "money that was heard of too late has gone back")
        check(seen["refund"]["reason"] == "late_payment", f"told as {seen['refund']}")
        self.tell("her hold ended before it was heard of", f"{ended['cancel_reason']}; {told(seen)}")

    # --- one number, two payments

    def pay_twice(self) -> None:
        """One human being with both wallets: each of them pays."""
        wechat = self.holder(WECHAT)
        alipay = Person(ALIPAY, human=wechat.human)
        alipay.arrive()
        join(wechat, alipay)
        alipay.appointment = wechat.appointment
        first = wechat.open_payment()
        # The platform says that it has closed what it has not, and takes money for it.
        spoil("pay.close", "error", first, status=400, code="ORDER_CLOSED", message="订单已关闭")
        second = alipay.open_payment()
        for number in (second, first):
            control("POST", f"/payments/{number}/pay")
        seen = eventually(wechat.see, lambda one: one["status"] == "booked", "what was paid twice is booked")
        eventually(lambda: back_of(first, second), lambda back: back == FEE_FEN, "what came beyond the price is back")
        self.tell("one paid in WeChat and in Alipay", f"{seen['status']}, and {FEE_FEN} of {2 * FEE_FEN} fen went back")

    # --- a refund that the bank does not take

    def miss_a_refund(self) -> None:
        person = self.holder(WECHAT)
        spoil("refund.create", "abnormal", person.open_payment())
        control("POST", f"/payments/{person.out_trade_no}/pay")
        eventually(person.see, lambda seen: seen["status"] == "booked", "a paid number is booked")
        person.cancel()
        eventually(person.see, lambda seen: seen["refund"]["status"] == "abnormal", "the bank has not taken the refund")
        (waiting,) = operator("list-refunds")
        check(waiting["out_trade_no"] == person.out_trade_no, f"another one waits for people: {waiting}")
        self.tell("a refund did not arrive", f"{waiting['status']}, {waiting['amount_fen']} fen wait for two people")
        word = ("decide-refund", waiting["id"], "--way", "by-hand", "--why", "card is closed, given back at the desk")
        operator(*word, "--operator", "clerk-1", exits=2)
        operator(*word, "--operator", "clerk-2")
        seen = eventually(person.see, is_refunded, "what two people have given back is back")
        self.tell("clerk-1 and clerk-2 gave it back by hand", told(seen))

    # --- without a mini-program at hand

    def pay_from_browsers(self) -> None:
        """One by WeChat Pay's H5, and one at the cashier that Alipay's signed address leads to; she cancels."""
        by_h5, by_wap = (
            self.holder(replace(WECHAT, channel="wechat_h5")),
            self.holder(replace(ALIPAY, channel="alipay_wap")),
        )
        by_h5.pay()
        by_wap.open_payment()
        with urlopen(by_wap.client_params["url"], timeout=30) as cashier:
            place = cashier.geturl()
        with urlopen(place, data=b"deed=pay", timeout=30) as answer:
            check(answer.status == 200, "the cashier takes no money")
        for one in (by_h5, by_wap):
            eventually(one.see, lambda seen: seen["status"] == "booked", "what was paid from a browser is booked")
        by_wap.cancel()
        seen = eventually(by_wap.see, is_refunded, "what was paid from a browser is back")
        self.tell("two paid from a browser", f"by H5: booked; by WAP, and cancelled: {told(seen)}")

    # --- a day

    def gather(self) -> None:
        self.crowd = [Person(WECHAT if number % 2 else ALIPAY) for number in range(PEOPLE)]
        at_once(Person.arrive, self.crowd)
        halves = self.clinics["suspended morning"], self.clinics["suspended afternoon"]
        half_of = {id(one): halves[number // 2 % 2] for number, one in enumerate(self.crowd)}
        booked = Counter(at_once(lambda one: one.book(half_of[id(one)]), self.crowd))
        check(booked == {"booked": PEOPLE}, f"{booked}")
        at_once(Person.pay, self.crowd)
        for one in self.crowd:
            eventually(one.see, lambda seen: seen["status"] == "booked", "a paid number is booked")
        self.tell(f"{PEOPLE} booked and paid", f"half with WeChat, half with Alipay, {PEOPLE * FEE_FEN / 100:.2f} yuan")

    def suspend_the_day(self) -> None:
        started = time.monotonic()
        for half in ("morning", "afternoon"):
            word = ("--operator", "clerk-7", "--reason", "doctor ill")
            said = operator_says("suspend-schedule", self.clinics[f"suspended {half}"], *word).strip()
            self.tell(f"the {half} is suspended", said)
        for one in self.crowd:
            eventually(one.see, is_refunded, "everybody's money is back", most=240)
        numbers = [one.out_trade_no for one in self.crowd]
        check(back_of(*numbers) == PEOPLE * FEE_FEN, "the platform has given back another sum")
        self.tell(f"all {PEOPLE} have their money back", f"each once, {time.monotonic() - started:.0f} s later")


def day_with_time_left() -> date:
    """Today, once it is sure that all of it is of one day: otherwise midnight is waited for."""
    now = datetime.now(ZONE)
    later = now + _LASTS
    if later.date() != now.date():
        print(f"Waiting for {later.date()}, so that no midnight comes in between.", flush=True)
        time.sleep((datetime.combine(later.date(), datetime.min.time(), ZONE) - now).total_seconds() + 1)
    return datetime.now(ZONE).date()


def spoil(target: str, kind: str, out_trade_no: str, **how: Any) -> None:
    control("POST", "/faults", {"target": target, "kind": kind, "match": {"out_trade_no": out_trade_no}, **how})


def join(wechat: Person, alipay: Person) -> None:
    """Both wallets prove the same phone, and both say yes."""
    phone = wechat.human.phone
    code = control("POST", "/phone-codes", {"open_id": wechat.open_id, "phone": phone})["code"]
    wechat.client("PUT", "/account/phone", {"provider": WECHAT.provider, "code": code})
    shown = control("POST", "/phone-payloads", {"phone": phone})
    proof = {"provider": ALIPAY.provider, "response": shown["response"], "sign": shown["sign"]}
    alipay.client("PUT", "/account/phone", proof)
    for one in (wechat, alipay):
        (asked,) = one.client("GET", "/account/joins")["items"]
        one.client("POST", "/account/joins", {"join_id": asked["id"]}, expect=201, keyed=True)


def back_of(*out_trade_nos: str) -> int:
    """What the platforms have given back of these, in fen."""
    refunds = control("GET", "/ledger?kind=refund")["items"]
    return sum(one["amount_fen"] for one in refunds if one["out_trade_no"] in out_trade_nos)


def is_refunded(seen: Mapping[str, Any]) -> bool:
    refund = seen["refund"]
    return refund is not None and (refund["status"], refund["amount_fen"]) == ("succeeded", FEE_FEN)


def told(seen: Mapping[str, Any]) -> str:
    return str(seen["refund"]["words"]["zh"])
