"""For each problem code that the contract documents, a request that provokes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from factories import CAUSE, make_dependent, make_signal
from people import resident_id
from people_http import MOTHER, SELF
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from ward import (
    Ward,
    add,
    agree,
    be_asked_to_join,
    book,
    department_of,
    give,
    offer,
    offered,
    open_ward,
    strike,
    wait_for,
)
from werkzeug import exceptions
from wire import Phone, Reply, new_key

from core.booking.day.not_me import freeze
from core.clock import hospital_day
from core.dependents.agreement_words import VERSION
from core.ports import ProviderUnavailable
from models.account import Account
from models.account_join import AccountJoin
from models.arrival import ReportedBy
from models.booking_signal import SignalAnswer
from models.database import Database
from models.hospital import Hospital
from models.person import Dependent, IdentityLevel, IdentityStatus, Relationship
from models.schedule import ScheduleStatus
from models.strike import Lift, Strike

Provoke = Callable[[Ward], Reply]
NOT_YET = {"maintenance"}
"""Codes of the registry whose routes are not open: as soon as one is documented, it needs a provocation here."""

PROVOCATIONS: dict[str, Provoke] = {}
ANYBODY = {"min_identity_level": 0}


def provokes(code: str) -> Callable[[Provoke], Provoke]:
    def keep(provoke: Provoke) -> Provoke:
        assert PROVOCATIONS.setdefault(code, provoke) is provoke
        return provoke

    return keep


# --- the request itself


def raw(ward: Ward, method: str = "POST", path: str = "/api/v1/sessions", **how: Any) -> Reply:
    answer = ward.app.test_client().open(path, method=method, **how)
    return Reply(answer.status_code, answer.get_json(silent=True), answer.data)


def cut_short(error: exceptions.HTTPException) -> Provoke:
    """A request that never reaches a route: the server or the framework gives it up."""

    def give_up() -> None:
        raise error

    def provoke(ward: Ward) -> Reply:
        before = ward.app.before_request_funcs.setdefault(None, [])
        before.append(give_up)
        try:
            return raw(ward, path="/api/v1/nowhere")
        finally:
            before.remove(give_up)

    return provoke


PROVOCATIONS |= {
    "malformed_request": cut_short(exceptions.BadRequest()),
    "request_timeout": cut_short(exceptions.RequestTimeout()),
    "uri_too_long": cut_short(exceptions.RequestURITooLarge()),
    "header_fields_too_large": cut_short(exceptions.RequestHeaderFieldsTooLarge()),
    "malformed_json": lambda ward: raw(ward, data="{", content_type="application/json"),
    "unsupported_media_type": lambda ward: raw(ward, data="{}", content_type="text/plain"),
    "payload_too_large": lambda ward: raw(ward, data=" " * 70_000, content_type="application/json"),
    "method_not_allowed": lambda ward: raw(ward, "PUT"),
    "not_found": lambda ward: raw(ward, "GET", "/api/v1/nowhere"),
    "validation_failed": lambda ward: raw(ward, json={}),
    "unauthenticated": lambda ward: raw(ward, "GET", "/api/v1/account"),
    "login_failed": lambda ward: raw(ward, json={"provider": "wechat_miniapp", "code": "stolen"}),
    "idempotency_key_required": lambda ward: ward.log_in("a").send("POST", "/dependents", SELF),
}


@provokes("idempotency_key_reused")
def _another_body(ward: Ward) -> Reply:
    phone, key = ward.log_in("a"), new_key()
    phone.post("/dependents", SELF, key=key)
    return phone.post("/dependents", MOTHER, key=key)


@provokes("request_in_progress")
def _a_twin_while_the_platform_is_asked(ward: Ward) -> Reply:
    phone, key, twins = ward.log_in("a"), new_key(), list[Reply]()
    path, gateway = f"/appointments/{held(ward, phone)}/payments", ward.adapters.the_gateway
    ask = gateway.open_payment

    def while_asked(order: Any) -> Mapping[str, Any]:
        twins.append(phone.send("POST", path, {"channel": "wechat_jsapi"}, key=key))
        return ask(order)

    gateway.open_payment = while_asked  # type: ignore[method-assign]
    assert phone.post(path, {"channel": "wechat_jsapi"}, key=key).status == 201
    return twins[0]


@provokes("rate_limited")
def _too_often(ward: Ward) -> Reply:
    url = ward.workbench.transactions.database.url.render_as_string(hide_password=False)
    with open_ward(url, ward.folder, login_limit="1/hour") as strict:
        strict.log_in("a", agreed=False)
        return strict.send("POST", "/api/v1/sessions", {"provider": "wechat_miniapp", "code": "code-of-b"})


# --- booking


def held(ward: Ward, phone: Phone, **schedule: Any) -> str:
    """The id of an appointment that waits for payment."""
    made = book(phone, ward.schedule(**{"terms": ANYBODY} | schedule), add(phone))
    assert made.status == 201, made
    return str(made.json["id"])


def refused_by(**schedule: Any) -> Provoke:
    """Booking a schedule that is so."""

    def provoke(ward: Ward) -> Reply:
        phone = ward.log_in("a")
        facts = {name: value(ward) if callable(value) else value for name, value in schedule.items()}
        return book(phone, ward.schedule(**{"terms": ANYBODY} | facts), add(phone))

    return provoke


def after_now(**delta: int) -> Callable[[Ward], Any]:
    return lambda ward: ward.clock.now() + timedelta(**delta)


PROVOCATIONS |= {
    "not_released": refused_by(release_at=after_now(hours=1)),
    "schedule_closed": refused_by(closes_at=after_now(seconds=0)),
    "schedule_suspended": refused_by(status=ScheduleStatus.SUSPENDED),
    "identity_required": refused_by(terms={"min_identity_level": 2}),
    "notice_unread": refused_by(terms=ANYBODY | {"notice_must_be_read": True}),
    "fields_required": refused_by(terms=ANYBODY | {"required_fields": ["address"]}),
    "consent_required": lambda ward: ward.log_in("a", agreed=False).post("/dependents", SELF),
}


def the_last_one_is_gone(pay: str) -> Provoke:
    def provoke(ward: Ward) -> Reply:
        schedule_id = ward.schedule(numbers=1, terms=ANYBODY)
        first, second = ward.log_in("a"), ward.log_in("b")
        assert book(first, schedule_id, add(first), pay).status == 201
        return book(second, schedule_id, add(second, id_number=resident_id(order=995)), pay)

    return provoke


PROVOCATIONS |= {"sold_out": the_last_one_is_gone("on_site"), "numbers_in_flight": the_last_one_is_gone("online")}


def _waiting(ward: Ward, **wish: Any) -> tuple[Phone, str, Reply]:
    phone = ward.log_in("a")
    dependent_id = add(phone)
    return phone, dependent_id, wait_for(ward, phone, dependent_id, **wish)


@provokes("waitlist_closed")
def _nothing_to_wait_for(ward: Ward) -> Reply:
    day = hospital_day(ward.clock.now()) + timedelta(days=60)
    return _waiting(ward, date_from=day.isoformat(), date_to=day.isoformat())[2]


@provokes("numbers_free")
def _nobody_needs_to_wait(ward: Ward) -> Reply:
    schedule_id = ward.schedule(terms=ANYBODY)
    return _waiting(ward, department_id=department_of(ward, schedule_id)[0])[2]


@provokes("waitlist_exists")
def _waiting_already(ward: Ward) -> Reply:
    phone, dependent_id, reply = _waiting(ward)
    where = {name: reply.json[name] for name in ("date_from", "date_to", "pay")}
    department_id = reply.json["department"]["id"]
    return phone.post("/waitlist-entries", where | {"dependent_ids": [dependent_id], "department_id": department_id})


@provokes("waitlist_limit")
def _waiting_for_too_much(ward: Ward) -> Reply:
    phone, dependent_id, _ = _waiting(ward)
    for _ in range(2):
        assert wait_for(ward, phone, dependent_id).status == 201
    return wait_for(ward, phone, dependent_id)


@provokes("already_booked")
def _again(ward: Ward) -> Reply:
    phone, schedule_id = ward.log_in("a"), ward.schedule(terms=ANYBODY)
    dependent_id = add(phone)
    book(phone, schedule_id, dependent_id, "on_site")
    return book(phone, schedule_id, dependent_id, "on_site")


@provokes("person_limit")
def _again_from_another_account(ward: Ward) -> Reply:
    schedule_id = ward.schedule(terms=ANYBODY)
    return [book(phone, schedule_id, add(phone), "on_site") for phone in (ward.log_in("a"), ward.log_in("b"))][1]


@provokes("restricted")
def _seen_to_resell(ward: Ward) -> Reply:
    phone, now = ward.log_in("a"), ward.clock.now()
    dependent_id = add(phone)

    def cool_down(session: Session, _now: datetime) -> None:
        account_id = session.get_one(Dependent, UUID(dependent_id)).account_id
        make_signal(session, account_id, answer=SignalAnswer.COOL_DOWN, until=now + timedelta(days=1), now=now)

    ward.workbench.transactions.write(cool_down)
    return book(phone, ward.schedule(terms=ANYBODY), dependent_id)


def with_one_elsewhere(**rule: Any) -> Provoke:
    """Booking under a rule, with an appointment somewhere else on the same half day."""

    def provoke(ward: Ward) -> Reply:
        phone = ward.log_in("a")
        dependent_id = add(phone)
        assert book(phone, ward.schedule(terms=ANYBODY), dependent_id, "on_site").status == 201
        return book(phone, ward.schedule(terms=ANYBODY | rule), dependent_id, "on_site")

    return provoke


PROVOCATIONS |= {
    "period_limit": with_one_elsewhere(max_per_person_7_days=1),
    "overlaps": with_one_elsewhere(may_overlap=False),
    "not_eligible": refused_by(terms=ANYBODY | {"age_from": 60}),
    "closed_hours": refused_by(terms=ANYBODY | {"closed_from": "00:00", "closed_until": "23:59"}),
}


@provokes("rebook_too_soon")
def _given_back_a_moment_ago(ward: Ward) -> Reply:
    phone, schedule_id = ward.log_in("a"), ward.schedule(terms=ANYBODY | {"rebook_after_cancel_minutes": 2})
    dependent_id = add(phone)
    made = book(phone, schedule_id, dependent_id, "on_site")
    phone.post(f"/appointments/{made.json['id']}/cancellation")
    return book(phone, schedule_id, dependent_id, "on_site")


@provokes("hold_open")
def _another_unpaid(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    held(ward, phone)
    (dependent,) = phone.get("/dependents")["items"]
    return book(phone, ward.schedule(terms=ANYBODY), dependent["id"])


@provokes("fee_changed")
def _another_fee(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    wish = {"schedule_id": ward.schedule(terms=ANYBODY), "dependent_id": add(phone), "pay": "online"}
    return phone.post("/appointments", wish | {"expected_fee_fen": 1})


@provokes("cancel_deadline_passed")
def _too_late(ward: Ward) -> Reply:
    phone, schedule_id = ward.log_in("a"), ward.schedule(terms=ANYBODY, cancel_before=ward.clock.now())
    made = book(phone, schedule_id, add(phone), "on_site")
    return phone.post(f"/appointments/{made.json['id']}/cancellation")


@provokes("not_cancellable")
def _cancelled_before(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    path = f"/appointments/{held(ward, phone)}/cancellation"
    return [phone.post(path) for _ in range(2)][1]


@provokes("not_reschedulable")
def _nothing_to_exchange_yet(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    return phone.post(f"/appointments/{held(ward, phone)}/rescheduling", {"schedule_id": ward.schedule(terms=ANYBODY)})


@provokes("no_follow_up")
def _nobody_allowed_it(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    return phone.post(f"/appointments/{held(ward, phone)}/follow-up", {"schedule_id": ward.schedule(terms=ANYBODY)})


@provokes("offer_ended")
def _taken_before(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    path = f"/offers/{offered(ward, phone, add(phone))}/acceptance"
    return [phone.post(path) for _ in range(2)][1]


# --- the day


def check_in(ward: Ward, phone: Phone, *, opens: int = 99_999, fee_fen: int = 0, **schedule: Any) -> Reply:
    """Of a number that opens for check-in so many minutes before it begins."""
    terms = ANYBODY | {"check_in_opens_minutes": opens}
    made = book(phone, ward.schedule(terms=terms, fee_fen=fee_fen, **schedule), add(phone), "on_site")
    return phone.post(f"/appointments/{made.json['id']}/check-in", {"lat": 32.05, "lng": 118.78})


PROVOCATIONS |= {
    "check_in_too_early": lambda ward: check_in(ward, ward.log_in("a"), opens=0),
    "check_in_at_desk": lambda ward: check_in(ward, ward.log_in("a")),
}


@provokes("check_in_refused")
def _not_paid_yet(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    return phone.post(f"/appointments/{held(ward, phone)}/check-in", {"lat": 32.05, "lng": 118.78})


def on_the_map(ward: Ward) -> None:
    ward.workbench.transactions.write(
        lambda session, _now: session.execute(update(Hospital).values(lat=39.9, lng=116.4))
    )


@provokes("too_far")
def _from_another_town(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    made = check_in(ward, phone)
    on_the_map(ward)
    (appointment,) = phone.get("/appointments")["items"]
    assert made.code == "check_in_at_desk"
    return phone.post(f"/appointments/{appointment['id']}/check-in", {"lat": 32.05, "lng": 118.78})


def once_booked(ward: Ward, then: Callable[[str], Any]) -> Reply:
    """Check in with a number after something has happened to it."""
    phone = ward.log_in("a")
    check_in(ward, phone)
    (appointment,) = phone.get("/appointments")["items"]
    then(appointment["id"])
    return phone.post(f"/appointments/{appointment['id']}/check-in", {"lat": 32.05, "lng": 118.78})


@provokes("check_in_too_late")
def _when_the_clinic_is_over(ward: Ward) -> Reply:
    return once_booked(ward, lambda _: ward.clock.advance(timedelta(days=4)))


@provokes("appointment_frozen")
def _somebody_elses_number(ward: Ward) -> Reply:
    def report(appointment_id: str) -> None:
        ward.workbench.transactions.write(
            lambda session, now: freeze(session, UUID(appointment_id), by=ReportedBy.DESK, now=now, cause=CAUSE)
        )

    return once_booked(ward, report)


def struck(ward: Ward, phone: Phone) -> str:
    """The id of a strike of theirs."""
    made = book(phone, ward.schedule(terms=ANYBODY), add(phone), "on_site")
    return strike(ward, made.json["id"])


@provokes("already_appealed")
def _said_before(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    path = f"/strikes/{struck(ward, phone)}/appeal"
    return [phone.post(path, {"text": "当天已到院就诊"}) for _ in range(2)][1]


@provokes("not_appealable")
def _lifted_before(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    strike_id = struck(ward, phone)

    def lift_it(session: Session, now: datetime) -> None:
        session.get_one(Strike, UUID(strike_id)).lift(Lift.SEEN, at=now)

    ward.workbench.transactions.write(lift_it)
    return phone.post(f"/strikes/{strike_id}/appeal", {"text": "当天已到院就诊"})


# --- paying


def pay(phone: Phone, appointment_id: str) -> Reply:
    return phone.send("POST", f"/appointments/{appointment_id}/payments", {"channel": "wechat_jsapi"}, key=new_key())


@provokes("hold_ending")
def _too_little_time(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    appointment_id = held(ward, phone)
    ward.clock.advance(timedelta(minutes=14))
    return pay(phone, appointment_id)


@provokes("link_open")
def _a_link_that_nobody_has_opened(ward: Ward) -> Reply:
    phone, gateway = ward.log_in("a"), ward.adapters.the_gateway
    appointment_id = held(ward, phone)
    gateway.limits = replace(gateway.limits, by_link=True)
    gateway.trades.pop(pay(phone, appointment_id).json["out_trade_no"])
    ward.clock.advance(timedelta(minutes=4, seconds=30))
    return pay(phone, appointment_id)


@provokes("not_payable")
def _nothing_to_pay_here(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    made = book(phone, ward.schedule(terms=ANYBODY), add(phone), "on_site")
    return pay(phone, made.json["id"])


@provokes("already_paid")
def _paid_before(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    appointment_id = held(ward, phone)
    ward.adapters.the_gateway.pay(pay(phone, appointment_id).json["out_trade_no"])
    ward.work(after=timedelta(seconds=6))
    return pay(phone, appointment_id)


# --- dependents


@provokes("dependent_exists")
def _added_before(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    add(phone)
    return phone.post("/dependents", SELF | {"relationship": "sibling"})


@provokes("dependent_limit")
def _one_too_many(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    numbers = [resident_id(order=order) for order in range(981, 993, 2)]
    return [phone.post("/dependents", SELF | {"relationship": "sibling", "id_number": one}) for one in numbers][-1]


@provokes("hospital_card_exists")
def _a_card_twice(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    path, card = f"/dependents/{add(phone)}/hospital-cards", {"hospital_id": ward.hospital(), "number": "0012345678"}
    return [phone.post(path, card) for _ in range(2)][1]


@provokes("hospital_card_limit")
def _one_card_too_many(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    path, hospital_id = f"/dependents/{add(phone)}/hospital-cards", ward.hospital()
    return [phone.post(path, {"hospital_id": hospital_id, "number": f"{nth:04}"}) for nth in range(21)][-1]


@provokes("identity_frozen")
def _another_name(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    dependent_id = add(phone)
    with ward.workbench.transactions.database.write() as session:
        dependent = session.get_one(Dependent, UUID(dependent_id))
        dependent.identity_status, dependent.identity_level = IdentityStatus.VERIFIED, IdentityLevel.PRESENT
    return phone.insist("PATCH", f"/dependents/{dependent_id}", {"name": "测试乙"})


def a_spouse(holder: Phone, **changes: Any) -> str:
    known = {"name": "测试辛", "id_number": resident_id(order=901), "relationship": "spouse", "phone": "13900000007"}
    added = holder.post("/dependents", SELF | known | changes)
    return str(added.json["id"])


@provokes("agreement_required")
def _a_spouse_who_was_not_asked(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    return book(phone, ward.schedule(terms=ANYBODY), a_spouse(phone))


@provokes("change_limit")
def _a_second_phone(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    path = f"/dependents/{add(phone)}"
    phone.send("PATCH", path, {"phone": "13900000001"})
    return phone.send("PATCH", path, {"phone": "13900000002"})


@provokes("own_phone")
def _a_spouse_with_ones_own_phone(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    add(phone)
    path = f"/dependents/{a_spouse(phone, phone=SELF['phone'])}/agreement"
    return phone.send("POST", path, {"way": "phone_code"})


@provokes("agreement_not_given")
def _a_face_that_was_not_shown(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    given = {"way": "face", "version": VERSION}
    return phone.send("PUT", f"/dependents/{a_spouse(phone)}/agreement", given)


@provokes("check_limit")
def _a_fourth_time(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    dependent_id = add(phone)
    agree(phone, "face", dependent_id)
    path = f"/dependents/{dependent_id}/identity-checks"
    return [phone.post(path, {"method": "wechat_face"}) for _ in range(4)][-1]


@provokes("phone_refused")
def _a_used_code(ward: Ward) -> Reply:
    return ward.log_in("a").send("PUT", "/account/phone", {"provider": "wechat_miniapp", "code": "used"})


@provokes("join_conflict")
def _two_who_are_themselves(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    add(phone)
    join_id = be_asked_to_join(ward, phone)
    with ward.workbench.transactions.database.write() as session:
        other = session.get_one(Account, session.get_one(AccountJoin, UUID(join_id)).asking_account_id)
        make_dependent(session, ward.workbench.vault, other, relationship=Relationship.SELF)
    return phone.post("/account/joins", {"join_id": join_id})


@provokes("undo_too_late")
def _a_day_later(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    join_id = be_asked_to_join(ward, phone)
    assert phone.post("/account/joins", {"join_id": join_id}).json["state"] == "joined"
    ward.clock.advance(timedelta(hours=24))
    return phone.send("DELETE", f"/account/joins/{join_id}")


@provokes("grant_refused")
def _a_code_of_nobody(ward: Ward) -> Reply:
    return ward.log_in("a").post("/account/grants/acceptance", {"code": "AAAA-AAAA-AAAA"})


@provokes("grant_limit")
def _a_sixth_holder(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    dependent_id = add(phone)
    for name in "bcdef":
        give(ward, phone, dependent_id, ward.log_in(name), "see")
    return offer(ward, phone, dependent_id)


@provokes("dependent_in_use")
def _removed_while_booked(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    dependent_id = add(phone)
    assert book(phone, ward.schedule(terms={"min_identity_level": 0}), dependent_id, "on_site").status == 201
    return phone.send("DELETE", f"/dependents/{dependent_id}")


@provokes("account_in_use")
def _an_open_appointment(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    assert book(phone, ward.schedule(terms={"min_identity_level": 0}), add(phone), "on_site").status == 201
    return phone.send("DELETE", "/account")


# --- ours


def login_ends_in(failure: Exception) -> Provoke:
    def provoke(ward: Ward) -> Reply:
        ward.users.failure = failure
        return ward.send("POST", "/api/v1/sessions", {"provider": "wechat_miniapp", "code": "code-of-a"})

    return provoke


PROVOCATIONS |= {
    "provider_unavailable": login_ends_in(ProviderUnavailable("down")),
    "internal_error": login_ends_in(RuntimeError("nobody thought of this")),
}


@provokes("outcome_unknown")
def _no_answer(ward: Ward) -> Reply:
    phone = ward.log_in("a")
    appointment_id = held(ward, phone)
    ward.adapters.the_gateway.down = "after"
    return pay(phone, appointment_id)


@provokes("overloaded")
def _others_hold_the_lock(ward: Ward) -> Reply:
    phone, schedule_id = ward.log_in("a"), ward.schedule(terms=ANYBODY)
    wish = {"schedule_id": schedule_id, "dependent_id": add(phone), "pay": "online"}
    database: Database = ward.workbench.transactions.database
    with database.write() as session:
        session.execute(select(Account.id).with_for_update(key_share=True)).all()
        return phone.send("POST", "/appointments", wish, key=new_key())
