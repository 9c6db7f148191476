"""Somebody whom both of two joined accounts had: what hung on the record that was archived counts as that of the one
that stayed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from factories import make_schedule
from minors import child
from people import CAUSE, FakeMatcher, resident_id
from sqlalchemy import select
from sqlalchemy.orm import Session
from two_wallets import ALIPAY, ANYBODY, WECHAT, Users, join, log_in, open_two_wallets, prove
from ward import Ward, add, add_card, agree, book, give, verify, wait
from wire import Phone, Reply

from core.clock import hospital_day
from core.dependents.agreements import note_agreement
from core.identity.consent_texts import current_version
from core.identity.join import join_by_union_id
from core.locks import lock_accounts
from core.ports import PlatformUser, ProviderUnavailable
from models.account import Purpose
from models.agreement import Agreement, AgreementWay
from models.database import Database
from models.grant import Grant
from models.hospital import Department
from models.hospital_card import HospitalCard
from models.identity_check import IdentityCheck, IdentityCheckStatus
from models.person import Dependent
from models.schedule import Schedule

OTHER = {"id_number": resident_id(order=995), "name": "测试丁"}


@pytest.fixture
def ward(database: Database, tmp_path: Path) -> Iterator[Ward]:
    with open_two_wallets(database, tmp_path) as opened:
        yield opened


@pytest.fixture
def wechat(ward: Ward) -> Phone:
    return log_in(ward, "wechat_miniapp")


@pytest.fixture
def alipay(ward: Ward, wechat: Phone) -> Phone:
    ward.clock.advance(timedelta(minutes=1))
    return log_in(ward, ALIPAY)


def oneself(phone: Phone) -> str:
    (found,) = [one["id"] for one in phone.get("/dependents")["items"] if one["relationship"] == "self"]
    return str(found)


def remove(phone: Phone, dependent_id: str) -> Reply:
    return phone.send("DELETE", f"/dependents/{dependent_id}")


def correct(phone: Phone, dependent_id: str) -> Reply:
    return phone.send("PATCH", f"/dependents/{dependent_id}", OTHER)


def in_use(reply: Reply) -> dict[str, Any]:
    assert (reply.status, reply.code) == (409, "dependent_in_use"), reply
    return {name: count for name, count in reply.json["facts"].items() if count}


def rows(ward: Ward, *dependent_ids: str) -> list[Dependent]:
    return ward.workbench.transactions.read(
        lambda session, _now: [session.get_one(Dependent, UUID(one)) for one in dependent_ids]
    )


# --- wards -----------------------------------------------------------------------------------------------------------


def ward_of(ward: Ward, phone: Phone, guardian_id: str) -> str:
    minor = phone.post("/dependents", child(ward, guardian_dependent_id=guardian_id)).json["id"]
    agree(phone, "minor", minor)
    return str(minor)


@pytest.mark.parametrize("stays", ["of_the_kept_account", "of_the_other"])
def test_whoever_had_the_archived_one_as_a_guardian_has_the_one_that_stays(
    ward: Ward, wechat: Phone, alipay: Phone, stays: str
) -> None:
    mine, theirs = add(wechat), add(alipay)
    other, expected = (alipay, mine) if stays == "of_the_kept_account" else (wechat, theirs)
    minor = ward_of(ward, other, theirs if other is alipay else mine)
    verify(ward, expected)
    join(wechat, alipay)
    assert oneself(wechat) == expected
    shown = wechat.get(f"/dependents/{minor}")
    assert shown["guardian_dependent_id"] == expected
    assert "guardian" in shown["identity"]["methods"]
    stood = wechat.post(f"/dependents/{minor}/identity-checks", {"method": "guardian"})
    assert (stood.status, stood.json["status"]) == (201, "passed"), stood
    assert in_use(remove(wechat, expected)) == {"guardian_of": 1}


def test_1_2_1_a_hand_over_reaches_the_record_that_was_archived(ward: Ward, wechat: Phone, alipay: Phone) -> None:
    """It comes back when the join is undone, and holds no more than the one that stayed."""
    born = hospital_day(ward.clock.now()) + timedelta(days=1)
    number = resident_id(birth=born.replace(year=born.year - 18), order=921)
    mine, theirs = (
        phone.post("/dependents", child(ward, id_number=number, guardian_dependent_id=add(phone))).json["id"]
        for phone in (wechat, alipay)
    )
    for phone, minor in ((wechat, mine), (alipay, theirs)):
        for purpose in ("minor", "health"):
            agree(phone, purpose, minor)
        told = phone.send("PATCH", f"/dependents/{minor}", {"allergies_and_history": "青霉素过敏"})
        assert told.status == 200, told
    join(wechat, alipay)
    he = log_in(ward, WECHAT, "the-son")
    verify(ward, str(he.post("/dependents", child(ward, id_number=number, relationship="self")).json["id"]))
    ward.clock.advance(timedelta(days=1))
    assert he.send("POST", "/account/hand-over").status == 204
    exported = [one for one in wechat.get("/account/export")["dependents"] if one["id"] in (mine, theirs)]
    assert [(one["id_number"], one["allergies_and_history"]) for one in exported] == [(None, None)] * 2
    assert [one.handed_over_at is not None for one in rows(ward, mine, theirs)] == [True, True]
    assert [one.guardian_dependent_id for one in rows(ward, mine, theirs)] == [None, None]


def test_undoing_gives_each_ward_its_own_guardian_back(ward: Ward, wechat: Phone, alipay: Phone) -> None:
    mine, theirs = add(wechat), add(alipay)
    minor = ward_of(ward, alipay, theirs)
    joined = join(wechat, alipay)
    since = str(wechat.post("/dependents", child(ward, order=941, guardian_dependent_id=mine)).json["id"])
    assert wechat.send("DELETE", f"/account/joins/{joined['id']}").status == 200
    assert alipay.get(f"/dependents/{minor}")["guardian_dependent_id"] == theirs
    assert wechat.get(f"/dependents/{since}")["guardian_dependent_id"] == mine
    assert in_use(remove(alipay, theirs)) == {"guardian_of": 1}


def test_a_join_by_union_id_leads_wards_as_well(ward: Ward) -> None:
    """Nobody is asked there: it happens at a login."""
    users = OneProvider()
    ward.adapters.logins["wechat_miniapp", None] = users
    first = log_in(ward, "wechat_miniapp")
    mine = add(first)
    ward.clock.advance(timedelta(minutes=2))
    users.app = "second"
    second = log_in(ward, "wechat_miniapp")
    minor = ward_of(ward, second, add(second))
    users.union_id = "one"
    for users.app in ("main", "second"):
        phone = log_in(ward, "wechat_miniapp")
    assert oneself(phone) == mine
    assert phone.get(f"/dependents/{minor}")["guardian_dependent_id"] == mine


class OneProvider(Users):
    """Two apps of it, which say from some day on that their users are the same."""

    union_id: str | None = None

    def exchange_code(self, code: str) -> PlatformUser:
        return PlatformUser(self.provider, self.app, open_id=f"{self.app}-an", union_id=self.union_id)


# --- numbers and waiting ---------------------------------------------------------------------------------------------


def test_an_open_appointment_of_the_archived_one_blocks(ward: Ward, wechat: Phone, alipay: Phone) -> None:
    """Else the number would be somebody else's, or nobody's."""
    mine, theirs = add(wechat), add(alipay)
    booked = book(alipay, ward.schedule(terms=ANYBODY), theirs, "on_site").json["id"]
    join(wechat, alipay)
    assert in_use(remove(wechat, mine)) == {"open_appointments": 1}
    assert in_use(correct(wechat, mine)) == {"open_appointments": 1}
    assert wechat.send("PATCH", f"/dependents/{mine}", {"name": "测试乙"}).status == 200
    assert wechat.post(f"/appointments/{booked}/cancellation").status == 200
    assert correct(wechat, mine).status == 409  # changed a moment ago
    assert remove(wechat, mine).status == 204


def test_a_number_that_the_archived_one_waits_for_blocks_becoming_another(
    ward: Ward, wechat: Phone, alipay: Phone
) -> None:
    mine, theirs = add(wechat), add(alipay)
    wait(ward, alipay, theirs)
    join(wechat, alipay)
    assert in_use(correct(wechat, mine)) == {"waiting": 1}
    assert remove(wechat, mine).status == 204
    assert [one["status"] for one in wechat.get("/waitlist-entries")["items"]] == ["left"]


def another_day(ward: Ward, schedule_id: str) -> str:
    """A half day of the same department."""

    def step(session: Session, now: datetime) -> str:
        department = session.get_one(Department, session.get_one(Schedule, UUID(schedule_id)).department_id)
        return str(make_schedule(session, department, numbers=3, now=now, terms=ANYBODY, visit_date=ward.day(6)).id)

    return ward.workbench.transactions.write(step)


def test_a_number_of_the_archived_one_is_exchanged_for_the_same_human_being(
    ward: Ward, wechat: Phone, alipay: Phone
) -> None:
    """With the card that was to be brought: it is the card of the one that stays now."""
    mine, theirs = add(wechat), add(alipay)
    schedule_id = ward.schedule(terms=ANYBODY)
    card = add_card(alipay, theirs, hospital_of(ward, schedule_id))
    wish = {"schedule_id": schedule_id, "dependent_id": theirs, "pay": "on_site", "visit_card_id": card}
    booked = alipay.post("/appointments", wish)
    assert booked.status == 201, booked
    join(wechat, alipay)
    assert [one["id"] for one in wechat.get(f"/dependents/{mine}")["hospital_cards"]] == [card]
    assert correct(wechat, mine).status == 409
    to = {"schedule_id": another_day(ward, schedule_id)}
    moved = wechat.post(f"/appointments/{booked.json['id']}/rescheduling", to)
    assert moved.status in (200, 201), moved
    shown = wechat.get(f"/appointments/{moved.json['id']}")
    assert (shown["dependent"]["id"], shown["visit_card"]["id"]) == (theirs, card)


def test_an_exchange_goes_back_whole_with_whoever_booked(ward: Ward, wechat: Phone, alipay: Phone) -> None:
    """The old number and the new one are on one charge, so that both must be of the same account once more."""
    add(wechat)
    schedule_id = ward.schedule(terms=ANYBODY)
    booked = book(alipay, schedule_id, add(alipay), "on_site").json["id"]
    joined = join(wechat, alipay)
    to = {"schedule_id": another_day(ward, schedule_id)}
    moved = wechat.post(f"/appointments/{booked}/rescheduling", to).json["id"]
    assert wechat.send("DELETE", f"/account/joins/{joined['id']}").status == 200
    assert wechat.send("GET", f"/appointments/{moved}").status == 404
    assert alipay.get(f"/appointments/{moved}")["status"] == "booked"
    assert ward.app.test_cli_runner().invoke(args=["invariants"]).exit_code == 0
    assert alipay.post(f"/appointments/{moved}/cancellation").status == 200


def test_what_was_matched_of_the_archived_one_is_not_corrected_on_the_one_that_stays(
    ward: Ward, wechat: Phone, alipay: Phone
) -> None:
    """Cards and grants of the archived one hang on it."""
    mine, theirs = add(wechat), add(alipay, relationship="parent")
    verify(ward, theirs)
    join(wechat, alipay)
    frozen = correct(wechat, mine)
    assert (frozen.status, frozen.json["code"]) == (409, "identity_frozen")


def hospital_of(ward: Ward, schedule_id: str) -> str:
    def look(session: Session, _now: datetime) -> str:
        department = session.get_one(Department, session.get_one(Schedule, UUID(schedule_id)).department_id)
        return str(department.hospital_id)

    return ward.workbench.transactions.read(look)


# --- withdrawing and correcting --------------------------------------------------------------------------------------


def withdraw(phone: Phone, purpose: str, dependent_id: str | None = None) -> None:
    said: dict[str, Any] = {"purpose": purpose, "version": current_version(Purpose(purpose)), "granted": False}
    said |= {"dependent_id": dependent_id} if dependent_id else {}
    assert phone.send("POST", "/account/consents", said).status == 201


def begin(phone: Phone, dependent_id: str, method: str) -> str:
    """The id of a check that waits."""
    begun = phone.post(f"/dependents/{dependent_id}/identity-checks", {"method": method})
    assert (begun.status, begun.json["status"]) == (201, "pending"), begun
    return str(begun.json["id"])


def silent_register(ward: Ward) -> FakeMatcher:
    """It does not answer the first question, and later ones with a match."""
    ward.adapters.matcher = matcher = FakeMatcher(answers=[ProviderUnavailable("down", sent=True)])
    return matcher


def waiting(ward: Ward, *dependent_ids: str) -> list[str]:
    """The methods of the checks that still wait, of these."""
    pending = select(IdentityCheck.method).where(
        IdentityCheck.dependent_id.in_([UUID(one) for one in dependent_ids]),
        IdentityCheck.status == IdentityCheckStatus.PENDING,
    )
    return ward.workbench.transactions.read(lambda session, _now: [str(one) for one in session.scalars(pending)])


def test_l_03_a_withdrawal_ends_the_question_about_the_archived_one(ward: Ward, wechat: Phone, alipay: Phone) -> None:
    register = silent_register(ward)
    mine, theirs = add(wechat), add(alipay)
    begin(alipay, theirs, "name_match")
    join(wechat, alipay)
    assert (oneself(wechat), waiting(ward, theirs)) == (mine, ["name_match"])
    withdraw(wechat, "sensitive_identity")
    assert waiting(ward, theirs) == []
    ward.work(after=timedelta(hours=1))
    assert len(register.asked) == 1


def test_l_03_a_withdrawal_ends_the_question_about_a_child_that_was_archived(
    ward: Ward, wechat: Phone, alipay: Phone
) -> None:
    register = silent_register(ward)
    minors = [ward_of(ward, phone, add(phone)) for phone in (wechat, alipay)]
    begin(alipay, minors[1], "name_match")
    join(wechat, alipay)
    withdraw(wechat, "minor", minors[0])
    assert waiting(ward, *minors) == []
    ward.work(after=timedelta(hours=1))
    assert len(register.asked) == 1


def test_f_03_a_withdrawal_ends_the_face_of_the_archived_one(ward: Ward, wechat: Phone, alipay: Phone) -> None:
    mine, theirs = add(wechat), add(alipay)
    verify(ward, theirs)
    agree(wechat, "face", mine)
    begin(wechat, mine, "wechat_face")
    join(wechat, alipay)
    assert (oneself(wechat), waiting(ward, mine)) == (theirs, ["wechat_face"])
    withdraw(wechat, "face", theirs)
    assert waiting(ward, mine) == []


def test_a_correction_ends_the_question_about_what_was_typed_of_the_archived_one(
    ward: Ward, wechat: Phone, alipay: Phone
) -> None:
    """Else its answer would be about another number, and nobody could correct the record any more."""
    register = silent_register(ward)
    mine, theirs = add(wechat), add(alipay)
    check = begin(alipay, theirs, "name_match")
    join(wechat, alipay)
    assert correct(wechat, mine).status == 200
    ward.work(after=timedelta(hours=1))
    assert len(register.asked) == 1
    ended = wechat.send("POST", f"/identity-checks/{check}/completion", {})
    assert (ended.json["status"], ended.json["reason"]) == ("failed", "corrected")


def test_l_03_what_was_agreed_to_for_the_archived_one_is_withdrawn_with_the_one_that_stays(
    ward: Ward, wechat: Phone, alipay: Phone
) -> None:
    """Nobody can name the archived one, and it comes back when the join is undone."""
    mine, theirs = add(wechat), add(alipay)
    agree(alipay, "face", theirs)
    agree(alipay, "health", theirs)
    joined = join(wechat, alipay)
    ward.clock.advance(timedelta(minutes=1))
    for _ in range(2):
        withdraw(wechat, "face", mine)
    agree(wechat, "health", mine)
    assert said_of(wechat, mine) == {"face": [False], "health": [True]}
    assert said_of(wechat, theirs) == {"face": [False], "health": [True]}
    agree(wechat, "face", mine)
    assert wechat.send("DELETE", f"/account/joins/{joined['id']}").status == 200
    assert said_of(wechat, mine) == {"face": [True], "health": [True]}
    assert said_of(alipay, theirs) == {"face": [False], "health": [True]}


def said_of(phone: Phone, dependent_id: str) -> dict[str, list[bool]]:
    items = [one for one in phone.get("/account/consents")["items"] if one.get("dependent_id") == dependent_id]
    purposes = {one["purpose"] for one in items}
    return {purpose: [one["granted"] for one in items if one["purpose"] == purpose] for purpose in sorted(purposes)}


# --- a grown-up's own word -------------------------------------------------------------------------------------------


def spouse(ward: Ward, phone: Phone) -> str:
    """Who agreed at the desk to be booked for."""
    wanted = {"name": "测试辛", "id_number": resident_id(order=901), "relationship": "spouse", "phone": "13900000007"}
    dependent_id = add(phone, **wanted)
    agree_at_desk(ward, dependent_id)
    return dependent_id


def agree_at_desk(ward: Ward, dependent_id: str) -> None:
    args = ["agree-on-site", dependent_id, "--operator", "desk-1", "--holder-seen"]
    assert ward.app.test_cli_runner().invoke(args=args).exit_code == 0


@pytest.mark.parametrize("how", ["given_back", "at_the_desk"])
def test_1_1_6_what_is_taken_back_while_both_are_one_does_not_come_back(
    ward: Ward, wechat: Phone, alipay: Phone, how: str
) -> None:
    mine, theirs = spouse(ward, wechat), spouse(ward, alipay)
    joined = join(wechat, alipay)
    if how == "given_back":
        assert wechat.send("DELETE", f"/dependents/{mine}/agreement").status == 204
    else:
        args = ["revoke-agreement", mine, "--operator", "desk-1"]
        assert ward.app.test_cli_runner().invoke(args=args).exit_code == 0
    assert wechat.send("DELETE", f"/account/joins/{joined['id']}").status == 200
    for phone, dependent_id in ((wechat, mine), (alipay, theirs)):
        assert phone.get(f"/dependents/{dependent_id}")["agreement"]["status"] == "revoked"
        refused = book(phone, ward.schedule(terms=ANYBODY), dependent_id, "on_site")
        assert (refused.status, refused.code) == (409, "agreement_required")


def test_1_1_6_what_is_said_anew_takes_nothing_from_the_archived_one(ward: Ward, wechat: Phone, alipay: Phone) -> None:
    mine, theirs = spouse(ward, wechat), spouse(ward, alipay)
    joined = join(wechat, alipay)
    agree_at_desk(ward, mine)
    assert wechat.send("DELETE", f"/account/joins/{joined['id']}").status == 200
    assert alipay.get(f"/dependents/{theirs}")["agreement"]["status"] == "given"


def test_1_1_6_a_phone_that_the_other_account_has_proven_is_ones_own_from_then_on(
    ward: Ward, wechat: Phone, alipay: Phone
) -> None:
    """Joined by a union id, under which each may have proven another phone."""
    wanted = {"name": "测试辛", "relationship": "spouse"}
    one = add(wechat, **wanted, id_number=resident_id(order=901), phone="13900000007")
    two = add(alipay, **wanted, id_number=resident_id(order=903), phone="13900000009")
    prove(wechat, WECHAT, "phone-13900000009")
    prove(alipay, ALIPAY, "phone-13900000007")

    def join_them(session: Session, now: datetime) -> None:
        found = {session.get_one(Dependent, UUID(each)).account_id: each for each in (one, two)}
        accounts = list(lock_accounts(session, found).values())
        for each in (one, two):
            note_agreement(session, session.get_one(Dependent, UUID(each)), AgreementWay.PHONE_CODE, now=now)
        vault = ward.workbench.vault
        assert join_by_union_id(session, *accounts, vault=vault, now=now, cause=CAUSE) is None

    ward.workbench.transactions.write(join_them)
    for each in (one, two):
        assert wechat.get(f"/dependents/{each}")["agreement"]["status"] == "needed"
        asked = wechat.send("POST", f"/dependents/{each}/agreement", {"way": "phone_code"})
        assert (asked.status, asked.code) == (409, "own_phone")


# --- erasing ---------------------------------------------------------------------------------------------------------


def told_and_granted(ward: Ward, phone: Phone, holder: Phone) -> str:
    """The id of somebody of whom as much as can be is kept."""
    dependent_id = add(phone, phone="13911112222", address="中山路321号", email="me@example.com")
    add_card(phone, dependent_id, ward.hospital())
    give(ward, phone, dependent_id, holder, "see")
    agree(phone, "face", dependent_id)
    started = phone.post(f"/dependents/{dependent_id}/identity-checks", {"method": "on_site"})
    assert started.status == 201, started
    return dependent_id


def left_of(ward: Ward, dependent_id: str) -> dict[str, int]:
    """What still hangs on the record, or would still go on."""
    whose = UUID(dependent_id)

    def look(session: Session, _now: datetime) -> dict[str, int]:
        found = {
            "cards": session.query(HospitalCard).filter_by(dependent_id=whose).count(),
            "grants": session.query(Grant).filter_by(dependent_id=whose, ended_at=None).count(),
            "agreements": session.query(Agreement).filter_by(dependent_id=whose, ended_at=None).count(),
            "checks": session.query(IdentityCheck)
            .filter_by(dependent_id=whose, status=IdentityCheckStatus.PENDING)
            .count(),
        }
        return {name: count for name, count in found.items() if count}

    return ward.workbench.transactions.read(look)


def test_l_05_the_archived_one_is_erased_with_the_one_that_stays(ward: Ward, wechat: Phone, alipay: Phone) -> None:
    mine = add(wechat)
    verify(ward, mine)
    theirs = told_and_granted(ward, alipay, log_in(ward, ALIPAY, "bo"))
    join(wechat, alipay)
    assert oneself(wechat) == mine
    assert left_of(ward, theirs)
    assert remove(wechat, mine).status == 204
    for row in rows(ward, mine, theirs):
        assert (row.name_masked, row.phone_sealed, row.address_sealed, row.email_sealed) == ("", b"", None, None)
    assert left_of(ward, mine) == left_of(ward, theirs) == {}
    exported = wechat.send("GET", "/account/export")
    for told in ("测试甲", "330102199001019973", "13911112222", "中山路321号", "me@example.com", "0012345678"):
        assert told not in exported.body.decode()


@pytest.mark.parametrize("how", ["removed", "closed"])
def test_law_07_both_are_kept_as_long_as_a_visit_of_one_wants(
    ward: Ward, wechat: Phone, alipay: Phone, how: str
) -> None:
    mine, theirs = add(wechat), add(alipay)
    booked = book(alipay, ward.schedule(terms=ANYBODY), theirs, "on_site").json["id"]
    join(wechat, alipay)
    assert wechat.post(f"/appointments/{booked}/cancellation").status == 200
    ward.clock.advance(timedelta(days=2))
    wechat = log_in(ward, "wechat_miniapp")
    assert (remove(wechat, mine) if how == "removed" else wechat.send("DELETE", "/account")).status in (200, 204)
    kept = rows(ward, mine, theirs)
    assert len({one.erase_after for one in kept}) == 1
    assert all(one.erase_after is not None and one.phone_masked == "" != one.name_masked for one in kept)
    ward.work(after=timedelta(days=1090))
    assert [one.name_masked for one in rows(ward, mine, theirs)] == ["测**", "测**"]
    ward.work(after=timedelta(days=15))
    with ward.workbench.transactions.database.read() as session:
        left = [session.get(Dependent, UUID(one)) for one in (mine, theirs)]
        assert [one.name_masked for one in left if one is not None] == (["", ""] if how == "removed" else [])


def test_l_07_the_one_that_stays_is_there_as_long_as_what_points_at_it(
    ward: Ward, wechat: Phone, alipay: Phone
) -> None:
    """What was paid is kept for longer than anybody's name, and with it the archived record."""
    mine, theirs = add(wechat), add(alipay)
    booked = book(alipay, ward.schedule(terms=ANYBODY), theirs).json["id"]
    opened = alipay.post(f"/appointments/{booked}/payments", {"channel": ALIPAY}).json
    ward.adapters.gateway_of(ALIPAY, "demo", "patient").pay(opened["out_trade_no"])  # type: ignore[attr-defined]
    ward.work(after=timedelta(seconds=6))
    join(wechat, alipay)
    ward.work(after=timedelta(days=20))
    assert log_in(ward, "wechat_miniapp").send("DELETE", "/account").status == 200
    ward.work(after=timedelta(days=1100))
    assert [one.name_masked for one in rows(ward, mine, theirs)] == ["", ""]


def test_nobody_comes_back_who_was_removed_while_both_were_one(ward: Ward, wechat: Phone, alipay: Phone) -> None:
    mine, _theirs = add(wechat), add(alipay)
    joined = join(wechat, alipay)
    assert remove(wechat, mine).status == 204
    assert wechat.send("DELETE", f"/account/joins/{joined['id']}").status == 200
    assert wechat.get("/dependents")["items"] == alipay.get("/dependents")["items"] == []
