"""1.1.6: a grown-up agrees themselves before somebody else's account books for them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from factories import make_face_check
from fakes import FakeSms
from harness import race
from people import CAUSE, PROVIDER, resident_id
from people import agree as consent
from people_http import SELF
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from ward import Ward, add, agree, book
from wire import Phone, Reply

from core.clock import hospital_day, next_day_begins
from core.dependents.agreement_codes import Saying, agree_by_code, try_to_agree
from core.dependents.agreement_words import VERSION
from core.dependents.agreements import note_agreement
from core.identity.consent_texts import current_version
from core.identity.phone import keep_phone
from core.identity.phone_codes import Asker
from core.ports import TextKind
from core.refusals import ConsentRequired, OwnPhone
from models.account import LoginSession, Purpose
from models.agreement import AgreementWay
from models.audit import AuditEntry
from models.person import Dependent, IdentityLevel
from schemas.base import instant_text

ANYBODY = {"min_identity_level": 0}
OWN = "13900000007"


@pytest.fixture
def an(ward: Ward) -> Phone:
    phone = ward.log_in("an")
    add(phone)
    return phone


def spouse(holder: Phone, **more: Any) -> str:
    wanted = {"name": "测试辛", "id_number": resident_id(order=901), "phone": OWN, "relationship": "spouse"} | more
    added = holder.post("/dependents", SELF | wanted)
    assert added.status == 201, added
    return str(added.json["id"])


def agreement(phone: Phone, dependent_id: str) -> dict[str, Any]:
    return dict(phone.get(f"/dependents/{dependent_id}")["agreement"])


def ask(phone: Phone, dependent_id: str) -> Reply:
    return phone.send("POST", f"/dependents/{dependent_id}/agreement", {"way": "phone_code"})


def give(phone: Phone, dependent_id: str, **said: Any) -> Reply:
    given = {"version": VERSION} | said
    return phone.send("PUT", f"/dependents/{dependent_id}/agreement", given)


def messages(ward: Ward) -> list[tuple[str, str]]:
    (sms,) = ward.adapters.sms
    assert isinstance(sms, FakeSms)
    return sms.sent


def code_of(ward: Ward) -> str:
    return messages(ward)[-1][1]


def agree_by_phone(ward: Ward, phone: Phone, dependent_id: str) -> Reply:
    assert ask(phone, dependent_id).status == 202
    reply = give(phone, dependent_id, way="phone_code", otp=code_of(ward))
    assert reply.status == 200, reply
    return reply


def tried(ward: Ward, dependent_id: str) -> tuple[Saying, UUID]:
    """The code that was sent is right, and has agreed to nothing yet."""
    with ward.workbench.transactions.database.read() as session:
        login = session.scalars(select(LoginSession)).one()
    saying = Saying(Asker(login.account_id, login.platform_identity_id, login.id, phone=""), UUID(dependent_id))
    vault, otp = ward.workbench.vault, code_of(ward)
    code_id = ward.workbench.transactions.write(
        lambda session, now: try_to_agree(session, saying, otp=otp, vault=vault, now=now)
    )
    assert code_id is not None
    return saying, code_id


def booked(ward: Ward, phone: Phone, dependent_id: str) -> Reply:
    return book(phone, ward.schedule(terms=ANYBODY), dependent_id, "on_site")


def withdraw(phone: Phone, purpose: str, dependent_id: str | None = None) -> None:
    said = {"purpose": purpose, "version": current_version(Purpose(purpose)), "granted": False}
    said |= {"dependent_id": dependent_id} if dependent_id else {}
    assert phone.send("POST", "/account/consents", said).status == 201


def show_face(ward: Ward, dependent_id: str) -> None:
    """With the consent that it takes."""

    def step(session: Session, now: datetime) -> None:
        dependent = session.get_one(Dependent, UUID(dependent_id))
        consent(session, dependent.account_id, Purpose.FACE, dependent_id=dependent.id, now=now)
        make_face_check(session, dependent, now=now)

    ward.workbench.transactions.write(step)


# --- asked, said, shown


def test_1_1_6_a_grown_up_is_not_booked_for_before_they_agree(ward: Ward, an: Phone) -> None:
    dependent, schedule = spouse(an), ward.schedule(terms=ANYBODY)
    assert agreement(an, dependent) == {"status": "needed"}
    refused = book(an, schedule, dependent, "on_site")
    assert (refused.status, refused.code) == (409, "agreement_required")
    facts = {"dependent_id": dependent, "ways": ["phone_code", "face", "desk"]}
    assert refused.json["facts"] == facts
    (reason,) = an.get(f"/schedules/{schedule}/eligibility?dependent_id={dependent}")["reasons"]
    assert (reason["code"], reason["facts"], reason["alternatives"]) == (
        "agreement_required", facts, ["ask_agreement", "desk"],
    )  # fmt: skip
    agree_by_phone(ward, an, dependent)
    assert agreement(an, dependent) == {
        "status": "given", "at": instant_text(ward.clock.now()), "way": "phone_code",
    }  # fmt: skip
    assert book(an, schedule, dependent, "on_site").status == 201


def test_1_1_6_what_is_agreed_to_is_told_where_it_is_asked(ward: Ward, an: Phone) -> None:
    asked = ask(an, spouse(an)).json
    now = ward.clock.now()
    assert (asked["phone_masked"], asked["version"]) == ("139****0007", VERSION)
    assert asked["expires_at"] == instant_text(now + timedelta(minutes=5))
    assert "随时撤回" in asked["text"]


def test_1_1_6_the_message_is_the_text_about_agreeing_and_no_other_code_is(ward: Ward, an: Phone) -> None:
    (sms,) = ward.adapters.sms
    assert isinstance(sms, FakeSms)
    assert ask(an, spouse(an)).status == 202
    assert an.send("POST", "/account/phone/otp", {"phone": "13900000008"}).status == 202
    assert sms.kinds == [TextKind.AGREEMENT, TextKind.CODE]


@pytest.mark.parametrize(
    ("years", "days", "refused"),
    [(18, 0, True), (60, 0, False), (60, -1, True), (59, 0, True), (35, 0, True)],
)
def test_1_1_6_from_18_to_59_on_the_day_of_the_visit(
    ward: Ward, an: Phone, years: int, days: int, refused: bool
) -> None:
    visit = hospital_day(ward.clock.now()) + timedelta(days=3)
    born = date(visit.year - years, visit.month, min(visit.day, 28)) - timedelta(days=days)
    dependent = spouse(an, id_number=resident_id(birth=born, order=901))
    schedule = ward.schedule(terms=ANYBODY, visit_date=visit.replace(day=min(visit.day, 28)))
    assert (book(an, schedule, dependent, "on_site").code == "agreement_required") is refused


def test_1_1_6_nobody_asks_oneself(ward: Ward, an: Phone) -> None:
    me = an.get("/dependents")["items"][0]["id"]
    assert agreement(an, me) == {"status": "not_needed"}
    assert booked(ward, an, me).status == 201
    refused = ask(an, me)
    assert (refused.status, refused.json["errors"][0]["code"]) == (422, "not_needed")


def test_1_1_6_a_hospital_may_set_the_ages(ward: Ward, an: Phone) -> None:
    dependent = spouse(an)
    nobody = ward.schedule(terms=ANYBODY | {"agreement_from_age": 18, "agreement_to_age": 0})
    assert book(an, nobody, dependent, "on_site").status == 201
    old = add(an, name="测试壬", id_number=resident_id(birth=date(1950, 1, 1), order=901), relationship="parent")
    all_of_age = ward.schedule(terms=ANYBODY | {"agreement_from_age": 18, "agreement_to_age": 150})
    assert book(an, all_of_age, old, "on_site").code == "agreement_required"


# --- not before they are of age


def turns_18(ward: Ward, *, ahead: int) -> str:
    """The number of who does so many of the hospital's days ahead."""
    day = ward.day(ahead)
    return resident_id(birth=date(day.year - 18, day.month, day.day), order=901)


def refused_as_not_needed(reply: Reply) -> bool:
    faults = [(one["pointer"], one["code"]) for one in reply.json["errors"]]
    return (reply.status, faults) == (422, [("#/way", "not_needed")])


def test_1_2_1_nobody_under_18_is_asked_or_agrees_in_any_way(ward: Ward, an: Phone) -> None:
    """The phone of a child is whose the account says it is. The day before the birthday, and on it."""
    child = spouse(an, id_number=turns_18(ward, ahead=1), relationship="son")
    show_face(ward, child)
    desk = ["agree-on-site", child, "--operator", "desk-1", "--holder-seen"]
    ward.clock.advance(next_day_begins(now=ward.clock.now()) - ward.clock.now() - timedelta(minutes=1))
    assert refused_as_not_needed(ask(an, child))
    assert refused_as_not_needed(give(an, child, way="phone_code", otp="123456"))
    assert refused_as_not_needed(give(an, child, way="face"))
    assert ward.app.test_cli_runner().invoke(args=desk).exit_code != 0
    assert messages(ward) == []
    assert agreement(an, child) == {"status": "not_needed"}
    ward.clock.advance(timedelta(minutes=1))
    assert agreement(an, child) == {"status": "needed"}
    assert give(an, child, way="face").status == 200
    agree_by_phone(ward, an, child)
    assert ward.app.test_cli_runner().invoke(args=desk).exit_code == 0


def test_1_2_1_what_was_said_before_the_birthday_holds_nowhere(ward: Ward, an: Phone) -> None:
    """Written down when minors were still asked. Whoever has taken it back stays free to."""
    child = spouse(an, id_number=turns_18(ward, ahead=1), relationship="son")

    def step(session: Session, now: datetime) -> None:
        note_agreement(session, session.get_one(Dependent, UUID(child)), AgreementWay.PHONE_CODE, now=now)

    ward.workbench.transactions.write(step)
    assert agreement(an, child) == {"status": "not_needed"}
    ward.clock.advance(timedelta(days=1))
    assert agreement(an, child) == {"status": "needed"}
    schedule = ward.schedule(terms=ANYBODY)
    assert book(an, schedule, child, "on_site").code == "agreement_required"
    assert [one["code"] for one in an.get(f"/schedules/{schedule}/eligibility?dependent_id={child}")["reasons"]] == [
        "agreement_required"
    ]
    assert themselves(ward, child, id_number=turns_18(ward, ahead=0)).get("/account/agreements")["items"] == []
    agree_by_phone(ward, an, child)
    assert book(an, schedule, child, "on_site").status == 201


def test_1_2_1_a_visit_after_the_birthday_waits_for_it(ward: Ward, an: Phone) -> None:
    child = spouse(an, id_number=turns_18(ward, ahead=1), relationship="son")
    schedule = ward.schedule(terms=ANYBODY, visit_date=ward.day(3))
    refused = book(an, schedule, child, "on_site")
    assert (refused.code, refused.json["facts"]) == ("agreement_required", {"dependent_id": child, "ways": []})
    (reason,) = an.get(f"/schedules/{schedule}/eligibility?dependent_id={child}")["reasons"]
    assert reason["alternatives"] == ["wait", "desk"]


# --- by a code to their own phone


def test_1_1_6_ones_own_phone_agrees_for_nobody_else(ward: Ward, an: Phone) -> None:
    typed_for_self = spouse(an, phone="13800000000")
    assert ask(an, typed_for_self).code == "own_phone"
    proven = spouse(an, id_number=resident_id(order=903))
    said = {"provider": PROVIDER, "code": f"phone-{OWN}"}
    assert an.send("PUT", "/account/phone", said).status == 200
    assert ask(an, proven).code == "own_phone"
    assert give(an, proven, way="phone_code", otp="123456").code == "own_phone"


@pytest.mark.parametrize("how", ["wallet", "code"])
def test_1_1_6_a_phone_that_turns_out_to_be_ones_own_has_agreed_for_nobody(ward: Ward, an: Phone, how: str) -> None:
    """Whichever came first; what was said otherwise, or by a code to another phone, stays."""
    one, other = spouse(an), spouse(an, id_number=resident_id(order=903), phone="13900000009")
    third = spouse(an, id_number=resident_id(order=905))
    for dependent in (one, other):
        agree_by_phone(ward, an, dependent)
    show_face(ward, third)
    assert give(an, third, way="face").status == 200
    ward.clock.advance(timedelta(minutes=1))
    if how == "wallet":
        proof = {"provider": PROVIDER, "code": f"phone-{OWN}"}
    else:
        assert an.send("POST", "/account/phone/otp", {"phone": OWN}).status == 202
        proof = {"phone": OWN, "otp": code_of(ward)}
    assert an.send("PUT", "/account/phone", proof).status == 200
    assert agreement(an, one) == {"status": "needed"}
    assert booked(ward, an, one).code == "agreement_required"
    assert [agreement(an, each)["status"] for each in (other, third)] == ["given", "given"]
    (ended,) = [row for row in an.get("/account/export")["agreements"] if row["end_reason"]]
    assert ended["end_reason"] == "own_phone"


def test_1_1_6_agreeing_and_proving_at_once_leaves_nothing_standing(ward: Ward, an: Phone) -> None:
    """Whichever of the two gets the account's lock first."""
    vault, write = ward.workbench.vault, ward.workbench.transactions.write
    for turn in range(5):
        number = f"1390000001{turn}"
        dependent = spouse(an, phone=number, id_number=resident_id(order=911 + 2 * turn))
        assert ask(an, dependent).status == 202
        saying, code_id = tried(ward, dependent)

        def agree_to_it(session: Session, now: datetime, saying: Saying = saying, code_id: UUID = code_id) -> None:
            agree_by_code(session, saying, code_id=code_id, vault=vault, now=now)

        def prove_it(session: Session, now: datetime, saying: Saying = saying, number: str = number) -> None:
            who = {"account_id": saying.caller.account_id, "identity_id": saying.caller.identity_id}
            keep_phone(session, phone=f"+86{number}", vault=vault, now=now, cause=CAUSE, **who)

        agreed, proven = race(lambda: write(agree_to_it), lambda: write(prove_it))
        assert (agreed is None or isinstance(agreed, OwnPhone), proven) == (True, None)
        assert agreement(an, dependent) == {"status": "needed"}
        ward.clock.advance(timedelta(hours=1))


def test_1_1_6_with_no_phone_of_ones_own_known_none_agrees(ward: Ward) -> None:
    """Oneself was never named, or was removed: the dependent's phone might be one's own."""
    somebody = ward.log_in("somebody")
    dependent = spouse(somebody)
    assert ask(somebody, dependent).code == "own_phone"
    me = add(somebody, id_number=resident_id(order=905))
    assert ask(somebody, dependent).status == 202
    assert somebody.send("DELETE", f"/dependents/{me}").status == 204
    assert give(somebody, dependent, way="phone_code", otp=code_of(ward)).code == "own_phone"
    said = {"provider": PROVIDER, "code": f"phone-{OWN}"}
    assert somebody.send("PUT", "/account/phone", said).status == 200
    ward.clock.advance(timedelta(minutes=1))
    assert ask(somebody, spouse(somebody, id_number=resident_id(order=907), phone="13900000009")).status == 202


def test_1_1_6_a_code_is_good_once_for_one_dependent_and_for_nothing_else(ward: Ward, an: Phone) -> None:
    one, two = spouse(an), spouse(an, id_number=resident_id(order=903))
    assert ask(an, one).status == 202
    code = code_of(ward)
    assert give(an, two, way="phone_code", otp=code).code == "phone_refused"
    assert an.send("PUT", "/account/phone", {"phone": OWN, "otp": code}).code == "phone_refused"
    assert give(an, one, way="phone_code", otp=code).status == 200
    assert give(an, one, way="phone_code", otp=code).code == "phone_refused"


def test_1_1_6_a_code_for_the_account_agrees_to_nothing(ward: Ward, an: Phone) -> None:
    dependent = spouse(an)
    assert an.send("POST", "/account/phone/otp", {"phone": OWN}).status == 202
    assert give(an, dependent, way="phone_code", otp=code_of(ward)).code == "phone_refused"


def test_1_1_6_another_text_than_the_one_in_force_is_not_agreed_to(ward: Ward, an: Phone) -> None:
    refused = give(an, spouse(an), way="face", version="2020-01")
    assert refused.json["errors"][0] | {"detail": ""} == {
        "pointer": "#/version", "code": "outdated_version", "detail": "",
    }  # fmt: skip


def test_1_1_6_with_another_phone_the_code_of_the_old_one_says_nothing(ward: Ward, an: Phone) -> None:
    dependent = spouse(an)
    agree_by_phone(ward, an, dependent)
    assert an.send("PATCH", f"/dependents/{dependent}", {"phone": OWN}).json["agreement"]["status"] == "given"
    changed = an.send("PATCH", f"/dependents/{dependent}", {"phone": "13900000008"})
    assert changed.json["agreement"] == {"status": "needed"}
    assert booked(ward, an, dependent).code == "agreement_required"


# --- by their face


def test_1_1_6_a_face_says_it_once_and_not_after_it_was_taken_back(ward: Ward, an: Phone) -> None:
    dependent = spouse(an)
    assert give(an, dependent, way="face").code == "agreement_not_given"
    show_face(ward, dependent)
    show_face(ward, dependent)
    given = give(an, dependent, way="face")
    assert (given.status, given.json["agreement"]["way"]) == (200, "face")
    assert an.send("DELETE", f"/dependents/{dependent}/agreement").status == 204
    assert give(an, dependent, way="face").code == "agreement_not_given"
    ward.clock.advance(timedelta(minutes=1))
    show_face(ward, dependent)
    assert give(an, dependent, way="face").status == 200


def test_face_03_a_face_says_nothing_once_the_consent_to_it_is_withdrawn(ward: Ward, an: Phone) -> None:
    dependent = spouse(an)
    show_face(ward, dependent)
    withdraw(an, "face", dependent)
    assert give(an, dependent, way="face").code == "agreement_not_given"
    agree(an, "face", dependent)
    assert give(an, dependent, way="face").status == 200


def test_1_1_6_a_face_of_the_day_before_says_nothing(ward: Ward, an: Phone) -> None:
    dependent = spouse(an)
    show_face(ward, dependent)
    ward.clock.advance(timedelta(days=1))
    assert give(an, dependent, way="face").code == "agreement_not_given"


# --- taken back


def test_1_1_6_the_account_gives_it_back_at_once(ward: Ward, an: Phone) -> None:
    dependent = spouse(an)
    agree_by_phone(ward, an, dependent)
    for _ in range(2):
        assert an.send("DELETE", f"/dependents/{dependent}/agreement").status == 204
    assert agreement(an, dependent) == {"status": "revoked", "at": instant_text(ward.clock.now())}
    assert booked(ward, an, dependent).code == "agreement_required"


@pytest.mark.parametrize("purpose", ["service", "sensitive_identity"])
def test_l_03_nobody_is_asked_to_agree_once_the_consent_is_withdrawn(ward: Ward, an: Phone, purpose: str) -> None:
    """A code that is on its way agrees to nothing either; taking back stays open."""
    one, two = spouse(an), spouse(an, id_number=resident_id(order=903), phone="13900000009")
    agree_by_phone(ward, an, one)
    assert ask(an, two).status == 202
    show_face(ward, two)
    code, gone = code_of(ward), len(messages(ward))
    withdraw(an, purpose)
    ward.clock.advance(timedelta(minutes=1))
    asked, by_code, by_face = ask(an, one), give(an, two, way="phone_code", otp=code), give(an, two, way="face")
    for refused in (asked, by_code, by_face):
        assert (refused.status, refused.code, refused.json["facts"]["purpose"]) == (409, "consent_required", purpose)
    assert len(messages(ward)) == gone
    assert agreement(an, two) == {"status": "needed"}
    assert an.send("DELETE", f"/dependents/{one}/agreement").status == 204
    assert agreement(an, one)["status"] == "revoked"
    agree(an, purpose)
    assert give(an, two, way="phone_code", otp=code).status == 200


def test_l_03_a_code_that_was_tried_before_the_withdrawal_agrees_to_nothing(ward: Ward, an: Phone) -> None:
    """Between the try and the agreement, each in its own transaction."""
    dependent = spouse(an)
    assert ask(an, dependent).status == 202
    saying, code_id = tried(ward, dependent)
    vault, write = ward.workbench.vault, ward.workbench.transactions.write
    withdraw(an, "sensitive_identity")
    with pytest.raises(ConsentRequired):
        write(lambda session, now: agree_by_code(session, saying, code_id=code_id, vault=vault, now=now))


def themselves(ward: Ward, dependent_id: str, *, level: int = IdentityLevel.PRESENT, **more: Any) -> Phone:
    """The dependent in an account of their own, proven to `level`."""
    phone = ward.log_in("the-spouse")
    own = spouse(phone, relationship="self", phone="13900000008", **more)
    with ward.workbench.transactions.database.write() as session:
        session.execute(
            update(Dependent)
            .where(Dependent.id == UUID(own))
            .values(identity_level=level, identity_method="name_match")
        )
    return phone


def test_1_1_6_the_person_sees_who_books_for_them_and_takes_it_back(ward: Ward, an: Phone) -> None:
    dependent = spouse(an)
    agree_by_phone(ward, an, dependent)
    me = themselves(ward, dependent)
    (given,) = me.get("/account/agreements")["items"]
    assert given | {"id": ""} == {
        "id": "", "given_at": instant_text(ward.clock.now()), "way": "phone_code", "holder_masked": "测**",
    }  # fmt: skip
    path = f"/account/agreements/{given['id']}"
    assert an.send("DELETE", path).status == 404
    assert me.send("DELETE", path).status == 204
    assert me.send("DELETE", path).status == 404
    assert me.get("/account/agreements")["items"] == []
    assert agreement(an, dependent)["status"] == "revoked"
    assert booked(ward, an, dependent).code == "agreement_required"


def test_1_1_6_who_is_not_proven_is_told_nothing(ward: Ward, an: Phone) -> None:
    dependent = spouse(an)
    agree_by_phone(ward, an, dependent)
    assert themselves(ward, dependent, level=IdentityLevel.TYPED).get("/account/agreements")["items"] == []


def test_1_1_6_who_was_typed_and_has_not_agreed_is_not_told(ward: Ward, an: Phone) -> None:
    assert themselves(ward, spouse(an)).get("/account/agreements")["items"] == []


def test_1_1_6_an_agreement_is_kept_when_the_dependent_goes(ward: Ward, an: Phone) -> None:
    dependent = spouse(an)
    agree_by_phone(ward, an, dependent)
    assert an.send("DELETE", f"/dependents/{dependent}").status == 204
    (kept,) = an.get("/account/export")["agreements"]
    assert (kept["way"], kept["version"], kept["end_reason"]) == ("phone_code", VERSION, "removed")


def test_1_1_6_at_the_desk(ward: Ward, an: Phone) -> None:
    dependent, cli = spouse(an), ward.app.test_cli_runner()
    said = cli.invoke(args=["agree-on-site", dependent, "--operator", "desk-1", "--holder-seen"])
    assert said.exit_code == 0, said.output
    assert agreement(an, dependent)["way"] == "desk"
    assert cli.invoke(args=["agree-on-site", dependent, "--operator", "desk-1"]).exit_code != 0
    assert cli.invoke(args=["revoke-agreement", dependent, "--operator", "desk-1"]).exit_code == 0
    assert agreement(an, dependent)["status"] == "revoked"
    # The taking back is in the audit; to who booked, it has ended and no more.
    seen = [one["action"] for one in an.get("/account/access-log")["items"]]
    told = an.get("/account/export")
    assert seen == ["agreement.on_site"] == [one["action"] for one in told["accesses"] if "agreement" in one["action"]]
    assert "agreement.revoke" not in str(told)
    with ward.workbench.transactions.database.read() as session:
        kept = session.scalars(select(AuditEntry.result).where(AuditEntry.action == "agreement.revoke")).all()
    assert kept == ["revoked"]
