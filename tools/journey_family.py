"""One family's way with one wallet, from login to refund, as `journey.py` plays it."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from journey_client import (
    API,
    ZONE,
    Client,
    Human,
    Teller,
    call,
    check,
    control,
    eventually,
    fail,
    invent,
    invented,
    operator,
)


@dataclass(frozen=True)
class Wallet:
    """What differs between the wallets to somebody who holds the phone.

    `proof` names the client parameter that opens the face check, `sheet` the one that opens the pay sheet.
    """

    name: str
    provider: str
    channel: str
    face: str
    proof: str
    sheet: str
    notices: str


WECHAT = Wallet("WeChat", "wechat_miniapp", "wechat_jsapi", "wechat_face", "verifyId", "package", "notice")
ALIPAY = Wallet("Alipay", "alipay_miniapp", "alipay_miniapp", "alipay_face", "certifyId", "tradeNO", "alipay.notice")


@dataclass
class Family:
    """A patient and her mother. With `without_events` the platform's events are dropped."""

    tell: Teller
    wallet: Wallet = WECHAT
    without_events: bool = False
    hospital_id: str = ""
    client: Client = field(default_factory=Client)

    def walk(self) -> None:
        daughter, mother = invent("虚", 1980, 1999), invent("拟", 1950, 1960)
        self.log_in()
        self.consent()
        self_id = self.add(daughter, "self")
        mother_id = self.add(mother, "parent")
        self.prove_by_face(self_id)
        self.prove_at_desk(mother_id)
        schedule = self.choose_schedule()
        human, dependent_id = (daughter, self_id) if self.without_events else (mother, mother_id)
        self.fill_in(schedule, dependent_id, human)
        appointment = self.book(schedule, dependent_id, **self.say_more(dependent_id))
        self.see_what_was_said(appointment)
        payment = self.pay(appointment)
        self.see_booked(appointment["id"])
        appointment = self.exchange(appointment)
        self.show_pass(appointment["id"])
        self.cancel(appointment["id"])
        self.see_refunded(appointment["id"], payment["out_trade_no"])

    def log_in(self, **more: str) -> None:
        open_id = "o" + secrets.token_urlsafe(20)
        code = control("POST", "/login-codes", {"provider": self.wallet.provider, "open_id": open_id, **more})["code"]
        session = self.client("POST", "/sessions", {"provider": self.wallet.provider, "code": code}, expect=201)
        self.client.token = session["token"]
        invented(open_id, code, self.client.token)
        due = ", ".join(one["purpose"] for one in session["consents_due"])
        self.tell(f"logged in by {self.wallet.name} code", f"account {session['account']['id']}, consent due: {due}")

    def consent(self) -> None:
        texts = {one["purpose"]: one for one in self.client("GET", "/consent-texts")["items"]}
        for purpose in ("service", "sensitive_identity"):
            self.give(texts[purpose]["purpose"], texts[purpose]["version"])
        self.tell("consented", f"service {texts['service']['version']}, sensitive_identity")

    def give(self, purpose: str, version: str, dependent_id: str | None = None) -> None:
        body = {"purpose": purpose, "version": version, "granted": True}
        if dependent_id is not None:
            body["dependent_id"] = dependent_id
        status, answer = call(
            "POST", f"{API}/api/v1/account/consents", body, {"Authorization": f"Bearer {self.client.token}"}
        )
        check(status in {200, 201}, f"consent {purpose} answered {status}: {answer}")

    def add(self, human: Human, relationship: str, **more: str) -> str:
        body = {
            "name": human.name,
            "id_type": "resident_id",
            "id_number": human.number,
            "phone": human.phone,
            "relationship": relationship,
            **more,
        }
        added = self.client("POST", "/dependents", body, expect=201, keyed=True)
        check(human.number not in json.dumps(added), "the reply shows the document number in clear")
        self.tell(f"added {relationship}", f"{added['name_masked']} {added['id_number_masked']}, age {added['age']}")
        return str(added["id"])

    def prove_by_face(self, dependent_id: str) -> None:
        version = next(o["version"] for o in self.client("GET", "/consent-texts")["items"] if o["purpose"] == "face")
        self.give("face", version, dependent_id)
        check_path = f"/dependents/{dependent_id}/identity-checks"
        begun = self.client("POST", check_path, {"method": self.wallet.face}, expect=201, keyed=True)
        control("POST", f"/identity/{quote(begun['client_params'][self.wallet.proof], safe='')}/pass")
        done = self.client("POST", f"/identity-checks/{begun['id']}/completion", {})
        check((done["status"], done["level"]) == ("passed", 2), f"the face check ended otherwise: {done}")
        self.tell(f"proved herself by {self.wallet.name} face", f"{done['status']}, level {done['level']}")

    def prove_at_desk(self, dependent_id: str, who: str = "mother") -> None:
        operator("verify-on-site", dependent_id, "--operator", "desk-1", "--document-seen")
        identity = self.client("GET", f"/dependents/{dependent_id}")["identity"]
        check((identity["status"], identity["level"]) == ("verified", 2), f"not verified at the desk: {identity}")
        self.tell(f"{who} proved at the desk", f"{identity['status']}, level {identity['level']}")

    def choose_schedule(self) -> dict[str, Any]:
        hospital = self.client("GET", "/hospitals?q=njglyy")["items"][0]
        check(hospital["name"] == "南京鼓楼医院", f"njglyy found {hospital['name']}")
        self.hospital_id = hospital["id"]
        self.tell("searched njglyy", f"{hospital['name']}, {hospital['grade']}")
        tree = self.client("GET", f"/hospitals/{hospital['id']}/departments")["items"]
        self.tell("opened its departments", f"{len(tree)} groups and departments")
        schedule = self.first_open(hospital["id"])
        department = schedule["department"]
        listed = self.client("GET", f"/departments/{department['id']}/schedules?from={schedule['visit_date']}")["items"]
        check(any(one["id"] == schedule["id"] for one in listed), "the department does not list the schedule")
        self.tell(f"opened {department['name']} on {schedule['visit_date']}", f"{len(listed)} schedules from that day")
        slots = self.client("GET", f"/schedules/{schedule['id']}/slots")["items"]
        left = sum(one["remaining"] for one in slots)
        check(left > 0, "nothing is left in an open schedule")
        self.tell("read what is left", f"{left} numbers in {len(slots)} segments, fee {schedule['fee_fen']} fen")
        return schedule

    def first_open(self, hospital_id: str) -> dict[str, Any]:
        """A random one of a department for everybody, of the nearest day that can still be cancelled in time."""
        groups = self.client("GET", f"/hospitals/{hospital_id}/departments")["items"]
        departments = [one for group in groups for one in (group, *group["children"])]
        for_some = {one["id"] for one in departments if (one["sex"], one["min_age"], one["max_age"]) != (None,) * 3}
        today = datetime.now(ZONE).date()
        for ahead in range(2, 14):
            day = today + timedelta(days=ahead)
            query = urlencode({"date": day.isoformat()})
            found = self.client("GET", f"/hospitals/{hospital_id}/schedules?{query}")["items"]
            open_to_all = [one for one in found if one["status"] == "open" and one["department"]["id"] not in for_some]
            fit = [one for one in open_to_all if one["remaining"] > 1 and one["fee_fen"] > 0]
            if fit:
                chosen: dict[str, Any] = random.choice(fit)
                return chosen
        fail("no open schedule within a fortnight")

    def fill_in(self, schedule: dict[str, Any], dependent_id: str, human: Human) -> None:
        """The address, which this hospital wants and no other."""
        said = self.client("GET", f"/schedules/{schedule['id']}/eligibility?dependent_id={dependent_id}")
        (reason,) = said["reasons"]
        missing = (reason["code"], reason["facts"].get("fields"))
        check(missing == ("fields_required", ["address"]), f"something else is wanted than an address: {reason}")
        filled = self.client("PATCH", f"/dependents/{dependent_id}", {"address": human.address})
        check(human.address not in json.dumps(filled, ensure_ascii=False), "the reply shows the address in clear")
        self.tell("was asked for an address and gave it", reason["title"])

    def say_more(self, dependent_id: str) -> dict[str, str]:
        """What nobody has to say: allergies, a card of the hospital, and what they come for."""
        version = next(o["version"] for o in self.client("GET", "/consent-texts")["items"] if o["purpose"] == "health")
        self.give("health", version, dependent_id)
        allergies, complaint = f"青霉素过敏 {secrets.token_hex(4)}", f"头晕三天 {secrets.token_hex(4)}"
        number = "".join(secrets.choice("0123456789") for _ in range(12))
        invented(allergies, complaint, number)
        self.client("PATCH", f"/dependents/{dependent_id}", {"allergies_and_history": allergies})
        card = self.client(
            "POST",
            f"/dependents/{dependent_id}/hospital-cards",
            {"hospital_id": self.hospital_id, "number": number},
            expect=201,
            keyed=True,
        )
        self.tell("added a card and told of allergies", f"{card['hospital']['name']} {card['number_masked']}")
        return {"complaint": complaint, "visit_card_id": card["id"]}

    def see_what_was_said(self, appointment: dict[str, Any]) -> None:
        shown = self.client("GET", f"/appointments/{appointment['id']}")
        check("complaint" not in appointment and bool(shown["complaint"]), "the complaint is not where it should be")
        self.tell("said what she comes for", f"shown to her alone; brings card {shown['visit_card']['number_masked']}")

    def book(self, schedule: dict[str, Any], dependent_id: str, **more: str) -> dict[str, Any]:
        said = self.client("GET", f"/schedules/{schedule['id']}/eligibility?dependent_id={dependent_id}")
        check(said["allowed"] and not said["reasons"], f"not eligible: {said['reasons']}")
        self.tell("asked eligibility", "allowed")
        wish = {
            "schedule_id": schedule["id"],
            "dependent_id": dependent_id,
            "pay": "online",
            "expected_fee_fen": schedule["fee_fen"],
            **more,
        }
        made: dict[str, Any] = self.client("POST", "/appointments", wish, expect=201, keyed=True)
        check((made["status"], made["awaiting"]) == ("pending", ["payment"]), f"booked as {made['status']}")
        self.tell(
            "booked", f"number {made['number']}, slot {made['slot']['sequence']}, held to {made['hold_expires_at']}"
        )
        return made

    def pay(self, appointment: dict[str, Any]) -> dict[str, Any]:
        path = f"/appointments/{appointment['id']}/payments"
        payment: dict[str, Any] = self.client("POST", path, {"channel": self.wallet.channel}, expect=201, keyed=True)
        check(
            bool(payment["client_params"].get(self.wallet.sheet)),
            "nothing in the client's parameters opens the pay sheet",
        )
        self.tell(
            f"opened the pay sheet of {self.wallet.name}", f"{payment['out_trade_no']}, {payment['amount_fen']} fen"
        )
        if self.without_events:
            for target in (f"{self.wallet.notices}.payment", f"{self.wallet.notices}.refund"):
                match = {"out_trade_no": payment["out_trade_no"]}
                control("POST", "/faults", {"target": target, "kind": "drop", "match": match})
        control("POST", f"/payments/{payment['out_trade_no']}/pay")
        self.tell(
            "paid", "every event of it will be dropped" if self.without_events else "the platform sends its event"
        )
        return payment

    def see_booked(self, appointment_id: str) -> None:
        self.see(appointment_id, lambda one: one["status"] == "booked", "the number is booked")
        self.tell("number booked", self.cause_of(appointment_id, "appointment", "booked"))

    def see(self, appointment_id: str, holds: Callable[[Any], bool], what: str) -> Any:
        return eventually(lambda: self.client("GET", f"/appointments/{appointment_id}"), holds, what)

    def cause_of(self, appointment_id: str, machine: str, status: str) -> str:
        moves = operator("history", appointment_id)
        move = next((one for one in moves if (one["machine"], one["to"]) == (machine, status)), None)
        check(move is not None, f"no move of the {machine} to {status}")
        assert move is not None
        expected = "job" if self.without_events else "platform_event"
        check(move["cause"] == expected, f"{machine} {status} was caused by {move['cause']}, not by {expected}")
        kind = "the query job" if self.without_events else "inbox row"
        return f"{status}, cause: {kind} {move['cause_id']}"

    def exchange(self, appointment: dict[str, Any]) -> dict[str, Any]:
        """For another time of the same half day, where there is one."""
        slots = self.client("GET", f"/schedules/{appointment['schedule_id']}/slots")["items"]
        others = [one for one in slots if one["remaining"] and one["starts_at"] != appointment["slot"]["starts_at"]]
        if not others:
            return appointment
        to = {"schedule_id": appointment["schedule_id"], "segment_starts_at": others[0]["starts_at"]}
        path = f"/appointments/{appointment['id']}/rescheduling"
        new: dict[str, Any] = self.client("POST", path, to, keyed=True)
        check((new["status"], new["replaces_id"]) == ("booked", appointment["id"]), f"exchanged: {new['status']}")
        self.tell("exchanged it for another time", f"slot {new['slot']['sequence']} at {new['slot']['starts_at']}")
        return new

    def show_pass(self, appointment_id: str) -> None:
        shown = self.client("GET", f"/appointments/{appointment_id}/visit-pass")
        invented(shown["code"])
        check(shown["qr_svg"].startswith("<?xml") or "<svg" in shown["qr_svg"], "the pass has no picture")
        (seen,) = operator("check-pass", shown["code"])
        check(seen["appointment_id"] == appointment_id, "the desk reads another appointment off the pass")
        self.tell("showed the visit pass", f"good until {shown['expires_at']}, the desk reads {seen['number']}")

    def cancel(self, appointment_id: str) -> None:
        ended = self.client("POST", f"/appointments/{appointment_id}/cancellation", {}, keyed=True)
        check(ended["status"] == "cancelled" and ended["refund"] is not None, f"not cancelled: {ended['status']}")
        self.tell(
            "cancelled before the deadline", f"refund {ended['refund']['status']}, {ended['refund']['amount_fen']} fen"
        )

    def see_refunded(self, appointment_id: str, out_trade_no: str) -> None:
        self.see(appointment_id, lambda one: one["refund"]["status"] == "succeeded", "the money is back")
        self.tell("money back", self.cause_of(appointment_id, "refund", "succeeded"))
        ledger = [one for one in control("GET", "/ledger")["items"] if one["out_trade_no"] == out_trade_no]
        kinds = sorted(one["kind"] for one in ledger)
        check(len(ledger) == 2 and len(set(kinds)) == 2, f"the platform's ledger shows {ledger}")
        self.tell("the platform's ledger agrees", "one payment, one refund")
