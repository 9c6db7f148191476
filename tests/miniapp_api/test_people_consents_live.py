"""L-01 to L-03, F-03: each consent stands alone. A new text asks everybody again, a withdrawal works at once in the
same session, and whoever refuses one thing keeps the rest; the same in both wallets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from fakes import FakePhones
from minors import child
from people import FakeMatcher, resident_id
from people_http import Users
from ward import Ward, add, agree, book, open_ward
from wire import Phone, Reply

from core.identity import consent_texts
from core.ports import PlatformUser, ProviderUnavailable
from models.account import Purpose
from models.database import Database

ANYBODY = {"min_identity_level": 0}
NEWER = "2099-01"


@dataclass
class UsersOf(Users):
    """As `Users`, of either wallet."""

    def exchange_code(self, code: str) -> PlatformUser:
        told = super().exchange_code(code)
        return PlatformUser(self.provider, self.app, open_id=told.open_id)


@dataclass
class Family:
    """A mother who has agreed to everything, her father with a face, and her daughter."""

    ward: Ward
    provider: str
    phone: Phone
    own: str
    father: str
    daughter: str

    def session(self) -> Reply:
        """Another login of the same account."""
        wanted = {"provider": self.provider, "code": "code-of-an"}
        return self.ward.send("POST", "/api/v1/sessions", wanted)

    def say(self, purpose: str, *, granted: bool, dependent_id: str | None = None) -> None:
        said: dict[str, Any] = {"purpose": purpose, "granted": granted}
        said |= {"version": consent_texts.current_version(Purpose(purpose))}
        said |= {"dependent_id": dependent_id} if dependent_id else {}
        assert self.phone.send("POST", "/account/consents", said).status == 201

    def book(self, dependent_id: str) -> Reply:
        return book(self.phone, self.ward.schedule(terms=ANYBODY), dependent_id, "on_site")

    def begin(self, dependent_id: str, method: str = "wechat_face") -> Reply:
        return self.phone.post(f"/dependents/{dependent_id}/identity-checks", {"method": method})

    def ask(self, method: str, path: str, body: dict[str, Any]) -> Reply:
        return self.phone.post(path, body) if method == "POST" else self.phone.send(method, path, body)

    def add(self) -> Reply:
        return self.phone.post("/dependents", person(951))


def person(order: int, **more: Any) -> dict[str, Any]:
    return {
        "name": "测试己", "id_type": "resident_id", "id_number": resident_id(order=order), "phone": "13800000000",
        "relationship": "other", **more,
    }  # fmt: skip


@pytest.fixture(params=["wechat_miniapp", "alipay_miniapp"])
def family(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Family]:
    with open_ward(database.url.render_as_string(hide_password=False), tmp_path) as ward:
        ward.adapters.logins[request.param, None] = UsersOf(provider=request.param)
        ward.adapters.phones[request.param, "main"] = FakePhones(request.param, "main")
        told = ward.send("POST", "/api/v1/sessions", {"provider": request.param, "code": "code-of-an"})
        assert [one["purpose"] for one in told.json["consents_due"]] == ["service"]
        phone = Phone(ward.log_in("bo").send_raw, told.json["token"])
        agree(phone, "service")
        agree(phone, "sensitive_identity")
        own = add(phone)
        father = add(phone, **person(953, relationship="parent"))
        daughter = phone.post("/dependents", child(ward, guardian_dependent_id=own)).json["id"]
        agree(phone, "face", father)
        agree(phone, "minor", daughter)
        yield Family(ward, request.param, phone, own, father, daughter)


def consent_required(reply: Reply, purpose: str) -> bool:
    return (reply.status, reply.code, reply.json["facts"]["purpose"]) == (409, "consent_required", purpose)


# --- a new text ------------------------------------------------------------------------------------------------------


@pytest.fixture
def new_text(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a new version of one text in force."""

    def put(purpose: Purpose) -> None:
        versions = dict(consent_texts._VERSIONS) | {purpose: (*consent_texts._VERSIONS[purpose], NEWER)}
        monkeypatch.setattr(consent_texts, "_VERSIONS", MappingProxyType(versions))

    return put


def test_l_01_a_new_text_of_the_service_is_due_at_the_next_login_and_before_anything_else(
    family: Family, new_text: Any
) -> None:
    assert family.session().json["consents_due"] == []
    new_text(Purpose.SERVICE)
    (due,) = family.session().json["consents_due"]
    assert (due["purpose"], due["version"]) == ("service", NEWER)
    assert consent_required(family.add(), "service")
    assert consent_required(family.book(family.own), "service")
    family.say("service", granted=True)
    assert family.session().json["consents_due"] == []
    assert family.add().status == 201
    assert family.book(family.own).status == 201


@pytest.mark.parametrize("purpose", list(Purpose))
def test_l_01_a_new_text_asks_for_its_own_purpose_and_for_no_other(
    family: Family, new_text: Any, purpose: Purpose
) -> None:
    agreed = {one["purpose"]: one["version"] for one in family.phone.get("/account/consents")["items"]}
    new_text(purpose)
    asked: dict[Purpose, list[Callable[[], Reply]]] = {
        Purpose.SERVICE: [family.add, lambda: family.book(family.own)],
        Purpose.SENSITIVE_IDENTITY: [family.add, lambda: family.book(family.own)],
        Purpose.FACE: [lambda: family.begin(family.father)],
        Purpose.MINOR: [lambda: family.book(family.daughter)],
        Purpose.HEALTH: [],
    }
    for ask in asked[purpose]:
        reply = ask()
        assert consent_required(reply, purpose)
        assert reply.json["facts"].get("version", NEWER) == NEWER
    if purpose not in (Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY):
        assert family.book(family.own).status == 201
        assert family.add().status == 201
    standing = {one["purpose"]: one["version"] for one in family.phone.get("/account/consents")["items"]}
    assert standing.get(purpose) == agreed.get(purpose)  # what was agreed to stays on record as it was
    listed = {one["purpose"]: one["version"] for one in family.phone.get("/consent-texts")["items"]}
    assert {one for one, version in listed.items() if version == NEWER} == {purpose}


# --- withdrawn -------------------------------------------------------------------------------------------------------


def test_l_03_withdrawing_sensitive_identity_stops_what_needs_documents_and_nothing_else(family: Family) -> None:
    """At once, in the same session. What was done stays lawful: it can be seen, cancelled, exported and deleted."""
    standing = family.book(family.own)
    assert standing.status == 201
    waiting = family.begin(family.father)
    family.say("sensitive_identity", granted=False)
    assert consent_required(family.add(), "sensitive_identity")
    assert consent_required(family.book(family.own), "sensitive_identity")
    schedule = family.ward.schedule(terms=ANYBODY)
    told = family.phone.get(f"/schedules/{schedule}/eligibility?dependent_id={family.own}")
    assert [one["code"] for one in told["reasons"]] == ["consent_required"]
    path = f"/appointments/{standing.json['id']}"
    assert family.phone.get(path)["status"] == "booked"
    assert family.phone.get(f"{path}/visit-pass")["code"]
    assert family.phone.post(f"{path}/cancellation").status == 200
    assert len(family.phone.get("/dependents")["items"]) == 3
    assert family.phone.get("/account/export")["dependents"]
    ended = family.phone.send("POST", f"/identity-checks/{waiting.json['id']}/completion", {})
    assert (waiting.status, ended.json["status"]) == (201, "failed")
    assert family.phone.send("PATCH", f"/dependents/{family.father}", {"phone": "13900000000"}).status == 200
    assert family.phone.send("PATCH", f"/dependents/{family.father}", {"address": None}).status == 200
    assert family.phone.send("DELETE", f"/dependents/{family.father}").status == 204
    family.say("sensitive_identity", granted=True)
    assert family.book(family.own).status == 201


@pytest.mark.parametrize("purpose", ["service", "sensitive_identity"])
def test_l_03_once_withdrawn_nothing_more_is_kept_or_asked_of_who_somebody_is(family: Family, purpose: str) -> None:
    """Nor told to a platform; each of it was open before."""
    proof = {"guardian_dependent_id": family.own, "relation": "51", "evidence": "birth_certificate"}
    card = {"hospital_id": family.ward.hospital(), "number": "0012345678"}
    father, daughter = f"/dependents/{family.father}", f"/dependents/{family.daughter}"
    kept: list[tuple[str, str, dict[str, Any]]] = [
        ("PATCH", father, {"address": "测试路3号"}),
        ("PATCH", father, {"region_code": "330102"}),
        ("PATCH", father, {"email": "an@example.com"}),
        ("PATCH", father, {"insurance_number": "A12345678"}),
        ("PATCH", daughter, {"guardian_dependent_id": family.own}),
        ("PUT", f"{daughter}/guardian", proof | {"evidence_number": "S 330 000 001"}),
        ("POST", f"{father}/hospital-cards", card),
        ("POST", f"{father}/identity-checks", {"method": "wechat_face"}),
    ]
    assert family.phone.send("DELETE", "/dependents/" + family.add().json["id"]).status == 204
    before = [family.ask(*one) for one in kept]
    assert [reply.status for reply in before] == [200, 200, 200, 200, 200, 200, 201, 201]
    waiting = before[-1].json["id"]
    shown = family.phone.get(father)
    family.say(purpose, granted=False)
    assert all(consent_required(family.ask(*one), purpose) for one in kept)
    ended = family.phone.send("POST", f"/identity-checks/{waiting}/completion", {})
    assert (ended.json["status"], ended.json["reason"]) == ("failed", "consent_withdrawn")
    taken = family.phone.send("PATCH", father, {"address": None, "email": None, "insurance_number": None})
    assert taken.status == 200
    assert "email_masked" not in taken.json
    assert family.phone.get(father)["hospital_cards"] == shown["hospital_cards"]


def test_l_03_withdrawing_the_service_stops_what_is_new_and_no_way_out(family: Family) -> None:
    standing = family.book(family.own)
    family.say("service", granted=False)
    assert [one["purpose"] for one in family.session().json["consents_due"]] == ["service"]
    assert consent_required(family.add(), "service")
    assert consent_required(family.book(family.own), "service")
    proof = {"provider": family.provider, "code": "phone-13800000009"}
    assert consent_required(family.phone.send("PUT", "/account/phone", proof), "service")
    assert family.phone.post(f"/appointments/{standing.json['id']}/cancellation").status == 200
    family.ward.work()
    assert family.phone.get("/account/export")["account"]
    assert family.phone.send("DELETE", "/account").status == 200


def test_l_03_withdrawing_the_guardians_consent_stops_bookings_for_the_child_alone(family: Family) -> None:
    assert family.book(family.daughter).status == 201
    family.say("minor", granted=False, dependent_id=family.daughter)
    assert consent_required(family.book(family.daughter), "minor")
    assert family.book(family.own).status == 201


def test_l_04_a_child_is_compared_with_no_register_and_no_face_without_the_guardians_consent(family: Family) -> None:
    """At 15 a face would do. What waits for a platform's answer ends at once; the desk is open all the same."""
    born = resident_id(birth=date(2011, 3, 1), order=957)
    youth = add(family.phone, name="测试庚", id_number=born, relationship="son", guardian_dependent_id=family.own)
    history = {"allergies_and_history": "青霉素过敏"}
    for purpose in ("face", "health"):
        agree(family.phone, purpose, youth)
    matcher = family.ward.adapters.matcher = FakeMatcher(answers=[ProviderUnavailable("down")])

    def kept() -> list[Reply]:
        told = family.phone.send("PATCH", f"/dependents/{youth}", history)
        return [family.begin(youth, "name_match"), family.begin(youth), told]

    assert all(consent_required(one, "minor") for one in kept())
    agree(family.phone, "minor", youth)
    assert matcher.asked == []
    matching, looking, told = kept()
    assert (matching.json["status"], looking.json["status"], told.status) == ("pending", "pending", 200)
    family.say("minor", granted=False, dependent_id=youth)
    for one in (matching, looking):
        ended = family.phone.send("POST", f"/identity-checks/{one.json['id']}/completion", {})
        assert (ended.json["status"], ended.json["reason"]) == ("failed", "consent_withdrawn")
    assert all(consent_required(one, "minor") for one in kept())
    assert len(matcher.asked) == 1
    assert family.begin(youth, "on_site").status == 201
    assert family.begin(family.father, "on_site").status == 201


def test_l_04_once_the_guardians_consent_is_withdrawn_nothing_more_is_kept_of_the_child(family: Family) -> None:
    daughter, card = f"/dependents/{family.daughter}", {"hospital_id": family.ward.hospital(), "number": "0012345678"}
    proof = {"guardian_dependent_id": family.own, "relation": "51", "evidence": "birth_certificate"}
    kept: list[tuple[str, str, dict[str, Any]]] = [
        ("PATCH", daughter, {"address": "测试路3号"}),
        ("PATCH", daughter, {"insurance_number": "A12345678"}),
        ("PATCH", daughter, {"name": "测试辛"}),
        ("PATCH", daughter, {"guardian_dependent_id": family.own}),
        ("PUT", f"{daughter}/guardian", proof | {"evidence_number": "S 330 000 001"}),
        ("POST", f"{daughter}/hospital-cards", card),
    ]
    family.say("minor", granted=False, dependent_id=family.daughter)
    assert all(consent_required(family.ask(*one), "minor") for one in kept)
    assert family.phone.send("PATCH", daughter, {"address": None, "phone": "13900000000"}).status == 200
    assert family.phone.send("PATCH", f"/dependents/{family.father}", {"address": "测试路3号"}).status == 200
    family.say("minor", granted=True, dependent_id=family.daughter)
    assert [family.ask(*one).status for one in kept] == [200, 200, 200, 200, 200, 201]


def test_f_03_withdrawing_the_face_of_one_leaves_that_of_another_and_the_desk(family: Family) -> None:
    agree(family.phone, "face", family.own)
    begun = family.begin(family.father)
    assert begun.json["status"] == "pending"
    family.say("face", granted=False, dependent_id=family.father)
    ended = family.phone.send("POST", f"/identity-checks/{begun.json['id']}/completion", {})
    assert ended.json["status"] == "failed"
    assert consent_required(family.begin(family.father), "face")
    assert family.begin(family.own).status == 201
    assert family.begin(family.father, "on_site").status == 201


# --- refused ---------------------------------------------------------------------------------------------------------


def tried(family: Family) -> dict[str, Reply]:
    """What needs each consent."""
    told = {"allergies_and_history": "青霉素"}
    return {
        "face": family.begin(family.father),
        "health": family.phone.send("PATCH", f"/dependents/{family.father}", told),
        "minor": family.book(family.daughter),
    }


OF_ONE = {"face": "father", "health": "father", "minor": "daughter"}
"""Whom each of the consents that are no account's is about."""


def refuse_all(family: Family) -> None:
    """Said in so many words."""
    for purpose, whom in OF_ONE.items():
        family.say(purpose, granted=False, dependent_id=getattr(family, whom))


@pytest.mark.parametrize("given", [None, *OF_ONE])
def test_l_02_each_yes_opens_its_own_and_nothing_else(family: Family, given: str | None) -> None:
    """No other yes of the account, of another dependent, or of another purpose stands for it; and with none of them the
    rest is open: booking, the desk, another dependent."""
    refuse_all(family)
    for purpose in OF_ONE:  # of somebody else
        family.say(purpose, granted=True, dependent_id=family.own)
    if given is not None:
        family.say(given, granted=True, dependent_id=getattr(family, OF_ONE[given]))
    for purpose, reply in tried(family).items():
        assert reply.status in (200, 201) if purpose == given else consent_required(reply, purpose), purpose
    assert family.begin(family.father, "on_site").status == 201
    assert family.book(family.own).status == 201
    assert family.add().status == 201


def test_l_02_nothing_is_agreed_to_by_logging_in(family: Family) -> None:
    """A new account has said yes to nothing, and each of the account's own is asked for by its own name."""
    wanted = {"provider": family.provider, "code": "code-of-du"}
    phone = Phone(family.phone.send_raw, family.ward.send("POST", "/api/v1/sessions", wanted).json["token"])
    assert phone.get("/account/consents")["items"] == []
    assert consent_required(phone.post("/dependents", person(955)), "service")
    agree(phone, "service")
    assert consent_required(phone.post("/dependents", person(955)), "sensitive_identity")
    assert [one["purpose"] for one in phone.get("/account/consents")["items"]] == ["service"]
    agree(phone, "sensitive_identity")
    assert phone.post("/dependents", person(955)).status == 201
    assert {one["purpose"] for one in phone.get("/account/consents")["items"]} == {"service", "sensitive_identity"}


def test_l_02_who_refuses_sensitive_identity_may_still_look_around(family: Family) -> None:
    family.say("sensitive_identity", granted=False)
    schedule = family.ward.schedule(terms=ANYBODY)
    for path in ("/account", f"/schedules/{schedule}/slots", "/appointments", "/account/joins", "/consent-texts"):
        assert family.phone.send("GET", path).status == 200
