"""A mother and all she looks after, as `make journey PERSON=family` plays it: a newborn, a ten-year-old, her father and
a spouse from abroad are added, proven and booked for; her spouse takes his affairs over; her account is closed."""

from __future__ import annotations

import json
import random
import string
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from journey_client import ZONE, Human, check, control, invent, invented, operator
from journey_family import ALIPAY, WECHAT, Family

ADDRESS = {"region_code": "320106", "address": "虚构路 1 号"}


def years_ago(years: int, *, days: int = 40) -> date:
    today = datetime.now(ZONE).date()
    return today.replace(year=today.year - years, day=min(today.day, 28)) - timedelta(days=days)


def received(phone: str) -> str:
    """The code that arrived on this phone last."""
    messages = control("GET", f"/sms?phone=%2B86{phone}")["items"]
    check(bool(messages), "no message has arrived")
    return str(next(iter(messages[-1]["params"].values())))


@dataclass
class Foreigner:
    """An invented person with a passport of a country of two letters that nobody's passport has both of."""

    name: str = field(default_factory=lambda: "INVENTED " + "".join(random.choices(string.ascii_uppercase, k=6)))
    number: str = field(default_factory=lambda: "XX" + "".join(random.choices(string.digits, k=7)))
    phone: str = field(default_factory=lambda: "139" + "".join(random.choices(string.digits, k=8)))

    def __post_init__(self) -> None:
        invented(self.name, self.number, self.phone)

    def typed(self, relationship: str) -> dict[str, Any]:
        return {
            "name": self.name,
            "id_type": "passport",
            "id_number": self.number,
            "country": "USA",
            "id_expires_on": f"{datetime.now(ZONE).year + 5}-06-30",
            "birth_date": years_ago(38).isoformat(),
            "sex": "male",
            "phone": self.phone,
            "relationship": relationship,
            **ADDRESS,
        }


@dataclass
class Household(Family):
    """A mother with one wallet; her spouse has the other."""

    booked: dict[str, str] = field(default_factory=dict)
    """Appointment by whom it is for."""
    out_trade_nos: dict[str, str] = field(default_factory=dict)

    def walk(self) -> None:
        self.log_in()
        self.consent()
        mother = invent("虚", 1985, 1995)
        mother_id = self.add(mother, "self")
        self.prove_by_face(mother_id)
        newborn_id = self.add_newborn(mother, mother_id)
        child_id = self.add_child(mother_id)
        seventy = datetime.now(ZONE).year - 71
        father_id = self.add(invent("拟", seventy, seventy), "parent", **ADDRESS)
        self.refuse_face(father_id)
        self.prove_at_desk(father_id, "father")
        spouse = Foreigner()
        spouse_id = self.add_spouse(spouse)
        self.prove_at_desk(spouse_id, "spouse")
        self.ask_spouse(spouse, spouse_id)
        self.hospital_id = self.client("GET", "/hospitals?q=njglyy")["items"][0]["id"]
        for who, one in (("newborn", newborn_id), ("child", child_id), ("father", father_id), ("spouse", spouse_id)):
            self.go(who, one)
        self.hand_over(spouse, spouse_id)
        for who in self.booked:
            self.give_back(who)
        self.export(mother)
        self.close()

    def add_newborn(self, mother: Human, mother_id: str) -> str:
        body = {
            "name": f"{mother.name}之女",
            "id_type": "guardian_bound",
            "birth_date": (datetime.now(ZONE).date() - timedelta(days=5)).isoformat(),
            "sex": "female",
            "phone": mother.phone,
            "relationship": "daughter",
            "guardian_dependent_id": mother_id,
            **ADDRESS,
        }
        invented(body["name"])
        newborn = self.client("POST", "/dependents", body, expect=201, keyed=True)
        self.give_for("minor", newborn["id"])
        self.tell("added the newborn without a number", f"{newborn['name_masked']}, age {newborn['age']}, bound to her")
        self.prove_through_guardian(newborn["id"], "newborn")
        return str(newborn["id"])

    def add_child(self, mother_id: str) -> str:
        ten = datetime.now(ZONE).year - 10
        child_id = self.add(invent("幼", ten, ten), "daughter", guardian_dependent_id=mother_id, **ADDRESS)
        self.give_for("minor", child_id)
        self.prove_through_guardian(child_id, "ten-year-old")
        return child_id

    def give_for(self, purpose: str, dependent_id: str) -> None:
        texts = {one["purpose"]: one for one in self.client("GET", "/consent-texts")["items"]}
        self.give(purpose, texts[purpose]["version"], dependent_id)

    def prove_through_guardian(self, dependent_id: str, who: str) -> None:
        seen = ("--relation", "52", "--evidence", "birth_certificate", "--evidence-seen")
        operator("confirm-guardian", dependent_id, "--operator", "desk-1", *seen)
        methods = self.client("GET", f"/dependents/{dependent_id}")["identity"]["methods"]
        check(self.wallet.face not in methods, f"a child's face is asked for: {methods}")
        begun = self.client(
            "POST", f"/dependents/{dependent_id}/identity-checks", {"method": "guardian"}, expect=201, keyed=True
        )
        done = self.client("POST", f"/identity-checks/{begun['id']}/completion", {})
        check(done["status"] == "passed", f"the guardian does not stand for the {who}: {done}")
        self.tell(f"stood for the {who} as guardian", f"{done['status']}, level {done['level']}, offered: {methods}")

    def refuse_face(self, dependent_id: str) -> None:
        """The camera does not know him; the desk stays open, as good as ever."""
        self.give_for("face", dependent_id)
        path = f"/dependents/{dependent_id}/identity-checks"
        begun = self.client("POST", path, {"method": self.wallet.face}, expect=201, keyed=True)
        control("POST", f"/identity/{quote(begun['client_params'][self.wallet.proof], safe='')}/fail")
        done = self.client("POST", f"/identity-checks/{begun['id']}/completion", {})
        check(done["status"] == "failed", f"a refused face ended as {done}")
        methods = self.client("GET", f"/dependents/{dependent_id}")["identity"]["methods"]
        check("on_site" in methods, f"no other way than the face: {methods}")
        self.tell(f"father's face refused by {self.wallet.name}", f"{done['reason']}; open: {', '.join(methods)}")

    def add_spouse(self, spouse: Foreigner) -> str:
        added = self.client("POST", "/dependents", spouse.typed("spouse"), expect=201, keyed=True)
        check(spouse.number not in json.dumps(added), "the reply shows the passport number in clear")
        self.tell("added the spouse from abroad", f"{added['name_masked']} {added['id_number_masked']}")
        return str(added["id"])

    def ask_spouse(self, spouse: Foreigner, spouse_id: str) -> None:
        """A grown-up is not booked for before he says so himself, by a code on his own phone."""
        asked = self.client("POST", f"/dependents/{spouse_id}/agreement", {"way": "phone_code"}, expect=202)
        said = {"way": "phone_code", "version": asked["version"], "otp": received(spouse.phone)}
        agreed = self.client("PUT", f"/dependents/{spouse_id}/agreement", said)["agreement"]
        check(agreed["status"] == "given", f"the spouse has not agreed: {agreed}")
        self.tell(f"the spouse agreed by a code on {asked['phone_masked']}", f"{agreed['status']}, {asked['title']}")

    def go(self, who: str, dependent_id: str) -> None:
        """Book and pay for one of them."""
        appointment = self.book(self.first_open(self.hospital_id), dependent_id)
        self.out_trade_nos[who] = self.pay(appointment)["out_trade_no"]
        self.see_booked(appointment["id"])
        self.booked[who] = appointment["id"]

    def give_back(self, who: str) -> None:
        self.cancel(self.booked[who])
        self.see_refunded(self.booked[who], self.out_trade_nos[who])

    def hand_over(self, spouse: Foreigner, spouse_id: str) -> None:
        """Her spouse takes his affairs into his own wallet: nothing more is booked for him by her."""
        own = Family(self.tell, ALIPAY if self.wallet is WECHAT else WECHAT)
        own.log_in()
        own.consent()
        me = own.client("POST", "/dependents", spouse.typed("self"), expect=201, keyed=True)
        check(me["identity"]["level"] == 0, f"what she had proven of him shows: {me['identity']}")
        operator("verify-on-site", me["id"], "--operator", "desk-2", "--document-seen")
        (given,) = own.client("GET", "/account/agreements")["items"]
        own.client("DELETE", f"/account/agreements/{given['id']}", expect=204)
        agreement = self.client("GET", f"/dependents/{spouse_id}")["agreement"]
        check(agreement["status"] == "revoked", f"he took it back, and she reads {agreement}")
        schedule = self.first_open(self.hospital_id)
        said = self.client("GET", f"/schedules/{schedule['id']}/eligibility?dependent_id={spouse_id}")
        codes = [reason["code"] for reason in said["reasons"]]
        check("agreement_required" in codes, f"she may still book for him: {codes}")
        self.tell(f"the spouse took over with {own.wallet.name}", f"{given['holder_masked']} books for him no more")
        self.be_granted(own, me["id"])

    def be_granted(self, own: Family, his_id: str) -> None:
        """He lets her see for him, for a month, and changes his mind."""
        to_at = (datetime.now(UTC) + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
        wanted = {"dependent_id": his_id, "scopes": ["see"], "to_at": to_at}
        offered = own.client("POST", "/account/grants", wanted, expect=201, keyed=True)
        invented(offered["code"])
        accepted = {"code": offered["code"]}
        grant = self.client("POST", "/account/grants/acceptance", accepted, expect=201, keyed=True)
        held = [one for one in self.client("GET", "/account/grants")["items"] if one["id"] == grant["id"]]
        check(len(held) == 1 and held[0]["scopes"] == ["see"], f"she does not hold the grant: {held}")
        own.client("DELETE", f"/account/grants/{grant['id']}")
        (ended,) = [one for one in self.client("GET", "/account/grants")["items"] if one["id"] == grant["id"]]
        check(ended["state"] == "ended", f"the grant was taken back and is {ended['state']}")
        self.tell("he let her see his appointments, and took that back", f"{ended['state']} at once")

    def export(self, mother: Human) -> None:
        told = json.dumps(self.client("GET", "/account/export"), ensure_ascii=False)
        check(mother.number in told, "the export does not tell her own number")
        seen = self.client("GET", "/account/access-log")["items"]
        self.tell("exported everything", f"{len(told)} characters; {len(seen)} lines say who looked")

    def close(self) -> None:
        told = self.client("DELETE", "/account")
        self.client("GET", "/account", expect=401)
        self.tell("closed the account", f"of {len(told['items'])} kinds of data it is said what became of them")
