"""An app with stand-ins for the platforms, and somebody who has one of everything that a route can name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from factories import (
    make_account,
    make_department,
    make_dependent,
    make_doctor,
    make_hospital,
    make_login,
    make_schedule,
    make_strike,
)
from fakes import FakeAdapters, FakePhones, FakeSms, ManualClock
from harness import make_runner
from hospital_acts import offer_instead
from people import APP, PROVIDER, FakeVerifier
from people_http import SELF, Users
from shared_app import app_with
from sqlalchemy import select
from sqlalchemy.orm import Session
from wallets import make_neighbour
from wire import Phone, Reply, in_process, new_key

from core.clock import HOSPITAL_ZONE, hospital_day
from core.dependents.agreement_words import VERSION as AGREEMENT_VERSION
from core.identity.consent_texts import current_version
from core.identity.join import say_yes
from core.identity.join_offers import Viewer, list_joins
from core.workbench import Workbench
from miniapp_api.app import BLUEPRINTS, App, create_app
from miniapp_api.config import Config
from miniapp_api.keys import write_keys
from miniapp_api.openapi import Operation
from miniapp_api.services import EXTENSION
from models.account import Account, PlatformIdentity, Purpose
from models.agreement import Agreement
from models.appointment import Appointment
from models.hospital import Department, Doctor
from models.person import Dependent, IdentityLevel, IdentityStatus, PersonIdentifier
from models.schedule import Schedule
from models.states import Actor, Cause, CauseKind
from schemas.base import instant_text

OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation for blueprint in BLUEPRINTS for operation in blueprint.operations
}
"""Every documented operation by its operationId."""

PRIVATE = frozenset(
    {
        "agreement_id",
        "appointment_id",
        "card_id",
        "check_id",
        "dependent_id",
        "entry_id",
        "grant_id",
        "join_id",
        "offer_id",
        "payment_id",
        "strike_id",
    }
)
PUBLIC = frozenset({"department_id", "doctor_id", "hospital_id", "schedule_id"})


@dataclass
class Ward:
    """The app, what stands in for the platforms, and ids that exist."""

    app: App
    clock: ManualClock
    adapters: FakeAdapters
    users: Users
    verifier: FakeVerifier
    folder: Path
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def workbench(self) -> Workbench:
        found: Workbench = self.app.extensions[EXTENSION].workbench
        return found

    def send(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        return in_process(self.app)(method, path, body, headers or {})

    def log_in(self, name: str, *, agreed: bool = True) -> Phone:
        reply = self.send("POST", "/api/v1/sessions", {"provider": PROVIDER, "code": f"code-of-{name}"})
        assert reply.status == 201, reply
        phone = Phone(in_process(self.app), reply.json["token"])
        if agreed:
            agree(phone, "service")
            agree(phone, "sensitive_identity")
        return phone

    def schedule(self, **facts: Any) -> str:
        """One more, in a department of its own."""

        def step(session: Session, now: datetime) -> str:
            department = make_department(session, make_hospital(session))
            return str(make_schedule(session, department, **{"numbers": 3, "now": now} | facts).id)

        return self.workbench.transactions.write(step)

    def day(self, ahead: int) -> date:
        """So many of the hospital's days ahead."""
        return hospital_day(self.clock.now()) + timedelta(days=ahead)

    def hospital(self) -> str:
        """One more, where nothing is sold."""
        return self.workbench.transactions.write(lambda session, _now: str(make_hospital(session).id))

    def work(self, *, after: timedelta = timedelta(0)) -> None:
        """Let time pass, then run what is due, and erase what is over."""
        self.clock.advance(after)
        runner = make_runner(self.workbench, also={"erase_expired"})
        while runner.run_due():
            pass


def agree(phone: Phone, purpose: str, dependent_id: str | None = None) -> None:
    said: dict[str, Any] = {"purpose": purpose, "version": current_version(Purpose(purpose)), "granted": True}
    said |= {"dependent_id": dependent_id} if dependent_id else {}
    assert phone.send("POST", "/account/consents", said).status == 201


def add(phone: Phone, /, **changes: Any) -> str:
    reply = phone.post("/dependents", SELF | changes)
    assert reply.status == 201, reply
    return str(reply.json["id"])


def add_card(phone: Phone, dependent_id: str, hospital_id: str, number: str = "0012345678") -> str:
    reply = phone.post(f"/dependents/{dependent_id}/hospital-cards", {"hospital_id": hospital_id, "number": number})
    assert reply.status == 201, reply
    return str(reply.json["id"])


def book(phone: Phone, schedule_id: str, dependent_id: str, pay: str = "online") -> Reply:
    wish = {"schedule_id": schedule_id, "dependent_id": dependent_id, "pay": pay}
    return phone.post("/appointments", wish)


@contextmanager
def open_ward(database_url: str, folder: Path, **changes: Any) -> Iterator[Ward]:
    """`changes` to the configuration. The clock begins in the morning of the present day, so that nothing hangs on the
    hour at which the tests run: at night nobody begins to wait for a number."""
    if not (folder / "keys.json").exists():
        write_keys(folder / "keys.json")
    (folder / "platforms.json").write_text(json.dumps({}))
    config = Config.from_environ({"MODE": "local", "DATA_DIR": str(folder), "DATABASE_URL": database_url})
    clock = ManualClock(datetime.now(HOSPITAL_ZONE).replace(hour=10, minute=0).astimezone(UTC))
    adapters, users, verifier = FakeAdapters(clock), Users(), FakeVerifier()
    adapters.logins[PROVIDER, None] = users
    adapters.faces.append(verifier)
    adapters.phones[PROVIDER, APP] = FakePhones(PROVIDER, APP)
    adapters.sms.append(FakeSms())
    if changes:
        app = create_app(replace(config, **changes), adapters=adapters, clock=clock)
    else:
        app = app_with(config, adapters=adapters, clock=clock)
    ward = Ward(app, clock, adapters, users, verifier, folder)
    yield ward
    ward.workbench.transactions.database.close()


def settle_in(ward: Ward) -> Phone:
    """Somebody with one of everything; `ward.ids` names it all."""
    phone, schedule_id = ward.log_in("owner"), ward.schedule(terms={"min_identity_level": 0})
    ward.ids |= {"dependent_id": add(phone), "schedule_id": schedule_id} | _around(ward, schedule_id)
    dependent_id = ward.ids["dependent_id"]
    agree(phone, "face", dependent_id)
    # Before anything waits to be paid: while one number does, no other may be had.
    ward.ids["offer_id"] = offered(ward, phone, dependent_id)
    appointment = book(phone, schedule_id, dependent_id)
    assert appointment.status == 201, appointment
    opened = phone.post(f"/appointments/{appointment.json['id']}/payments", {"channel": "wechat_jsapi"})
    begun = phone.post(f"/dependents/{dependent_id}/identity-checks", {"method": "wechat_face"})
    assert (opened.status, begun.status) == (201, 201), (opened, begun)
    ward.ids |= {
        "appointment_id": appointment.json["id"],
        "payment_id": opened.json["id"],
        "check_id": begun.json["id"],
        "card_id": add_card(phone, dependent_id, ward.ids["hospital_id"]),
    }
    ward.ids["grant_id"] = give(ward, phone, dependent_id, ward.log_in("relative"))
    ward.ids["join_id"] = ask_to_join(ward, phone)
    ward.ids["agreement_id"] = agree_elsewhere(ward, dependent_id)
    ward.ids["entry_id"] = wait(ward, phone, dependent_id)
    ward.ids["strike_id"] = strike(ward, appointment.json["id"])
    assert ward.ids.keys() == PRIVATE | PUBLIC
    return phone


def strike(ward: Ward, appointment_id: str) -> str:
    """The id of a strike for an appointment of anybody's."""

    def step(session: Session, now: datetime) -> str:
        return str(make_strike(session, session.get_one(Appointment, UUID(appointment_id)), at=now).id)

    return ward.workbench.transactions.write(step)


def department_of(ward: Ward, schedule_id: str) -> tuple[str, str]:
    """The id of the department of a half day, and its day."""

    def look(session: Session, _now: datetime) -> tuple[str, str]:
        schedule = session.get_one(Schedule, UUID(schedule_id))
        return str(schedule.department_id), schedule.visit_date.isoformat()

    return ward.workbench.transactions.write(look)


def wait_for(ward: Ward, phone: Phone, dependent_id: str, **wish: Any) -> Reply:
    """For a number of a department that is full."""
    department_id, day = department_of(ward, ward.schedule(numbers=0))
    wanted = {"department_id": department_id, "date_from": day, "date_to": day, "pay": "online"}
    return phone.post("/waitlist-entries", {"dependent_ids": [dependent_id]} | wanted | wish)


def wait(ward: Ward, phone: Phone, dependent_id: str) -> str:
    """The id of an entry that waits."""
    reply = wait_for(ward, phone, dependent_id)
    assert reply.status == 201, reply
    return str(reply.json["id"])


def offered(ward: Ward, phone: Phone, dependent_id: str) -> str:
    """The id of an offer that stands for an appointment whose clinic is suspended."""
    terms = {"min_identity_level": 0}
    lost, other = (ward.schedule(terms=terms, visit_date=ward.day(days)) for days in (4, 5))
    made = book(phone, lost, dependent_id, "on_site")
    assert made.status == 201, made
    return ward.workbench.transactions.write(
        lambda session, now: str(offer_instead(session, UUID(made.json["id"]), UUID(other), now=now).id)
    )


def agree_elsewhere(ward: Ward, dependent_id: str) -> str:
    """The id of an agreement by which another account may book for the same person."""

    def step(session: Session, now: datetime) -> str:
        mine = session.get_one(Dependent, UUID(dependent_id))
        document = session.get_one(PersonIdentifier, mine.identifier_id)
        theirs = make_dependent(
            session, ward.workbench.vault, make_account(session, now=now), identifier=document, now=now
        )
        return str(session.scalars(select(Agreement.id).where(Agreement.dependent_id == theirs.id)).one())

    return ward.workbench.transactions.write(step)


def verify(ward: Ward, dependent_id: str) -> None:
    """As if they had been seen at the desk."""

    def step(session: Session, _now: datetime) -> None:
        whom = session.get_one(Dependent, UUID(dependent_id))
        whom.identity_status, whom.identity_level = IdentityStatus.VERIFIED, IdentityLevel.PRESENT

    ward.workbench.transactions.write(step)


def offer(ward: Ward, granter: Phone, dependent_id: str, *scopes: str, lasts: timedelta = timedelta(days=30)) -> Reply:
    """Of the granter over themselves, once they are matched."""
    verify(ward, dependent_id)
    to_at = instant_text(ward.clock.now() + lasts)
    wanted = {"dependent_id": dependent_id, "scopes": list(scopes or ("see", "book", "pay")), "to_at": to_at}
    return granter.post("/account/grants", wanted)


def give(ward: Ward, granter: Phone, dependent_id: str, holder: Phone, *scopes: str) -> str:
    """The id of a grant that the holder has accepted."""
    code = offer(ward, granter, dependent_id, *scopes).json["code"]
    reply = holder.post("/account/grants/acceptance", {"code": code})
    assert reply.status == 201, reply
    return str(reply.json["id"])


def neighbour(ward: Ward, phone: Phone) -> tuple[UUID, UUID]:
    """Account and identity of somebody in another wallet who has the same phone as this one, proven by both."""
    assert phone.send("PUT", "/account/phone", BODIES["set_account_phone"]).status == 200

    def step(session: Session, now: datetime) -> tuple[UUID, UUID]:
        account, identity = make_neighbour(session, ward.workbench.vault, now=now)
        return account.id, identity.id

    return ward.workbench.transactions.write(step)


def ask_to_join(ward: Ward, phone: Phone) -> str:
    """The id of a first yes that waits for the second."""
    neighbour(ward, phone)
    (offer,) = [one for one in phone.get("/account/joins")["items"] if one["state"] == "offered"]
    reply = phone.post("/account/joins", {"join_id": offer["id"]})
    assert (reply.status, reply.json["state"]) == (201, "asked"), reply
    return str(reply.json["id"])


def be_asked_to_join(ward: Ward, phone: Phone) -> str:
    """The id of a join that somebody else has asked for."""
    vault, (account_id, identity_id) = ward.workbench.vault, neighbour(ward, phone)
    cause = Cause(Actor.ACCOUNT, CauseKind.REQUEST, "t", str(account_id))

    def step(session: Session, now: datetime) -> str:
        account, identity = session.get_one(Account, account_id), session.get_one(PlatformIdentity, identity_id)
        viewer = Viewer(account_id, identity_id, make_login(session, account, identity, now=now).id)
        (offer,) = list_joins(session, viewer=viewer, vault=vault, now=now)
        asked = say_yes(session, viewer=viewer, join_id=offer.id, vault=vault, now=now, cause=cause)
        return str(asked.id)

    return ward.workbench.transactions.write(step)


def _around(ward: Ward, schedule_id: str) -> dict[str, str]:
    def step(session: Session, _now: datetime) -> dict[str, str]:
        schedule = session.get_one(Schedule, UUID(schedule_id))
        department = session.get_one(Department, schedule.department_id)
        doctor: Doctor = make_doctor(session, department)
        return {
            "hospital_id": str(schedule.hospital_id),
            "department_id": str(department.id),
            "doctor_id": str(doctor.id),
        }

    return ward.workbench.transactions.write(step)


_NOBODY = "01900000-0000-7000-8000-000000000000"
_SOON = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()

BODIES: Mapping[str, dict[str, Any]] = {
    "ask_for_agreement": {"way": "phone_code"},
    "give_agreement": {"way": "phone_code", "version": AGREEMENT_VERSION, "otp": "000000"},
    "give_dependent_document": {"name": "测试丁", "id_type": "resident_id", "id_number": "330102202611209023"},
    "name_dependent_guardian": {
        "guardian_dependent_id": "{dependent_id}",
        "relation": "52",
        "evidence": "birth_certificate",
    },
    "accept_account_grant": {"code": "AAAA-AAAA-AAAA"},
    "create_account_grant": {
        "dependent_id": "{dependent_id}",
        "scopes": ["see"],
        "to_at": instant_text(datetime.now(UTC) + timedelta(days=30)),
    },
    "create_session": {"provider": PROVIDER, "code": "code-of-somebody"},
    "create_account_join": {"join_id": "{join_id}"},
    "create_consent": {"purpose": "service", "version": current_version(Purpose.SERVICE), "granted": True},
    "create_dependent": SELF | {"relationship": "sibling", "id_number": "330102199001029960"},
    "change_dependent": {"phone": "13900000001"},
    "create_hospital_card": {"hospital_id": "{hospital_id}", "number": "0087654321"},
    "create_identity_check": {"method": "on_site"},
    "check_in": {"lat": 32.05, "lng": 118.78},
    "complete_identity_check": {},
    "create_appointment": {"schedule_id": "{schedule_id}", "dependent_id": "{dependent_id}", "pay": "on_site"},
    "create_bundle": {
        "items": [{"schedule_id": "{schedule_id}", "dependent_id": one} for one in ("{dependent_id}", _NOBODY)],
        "pay": "on_site",
    },
    "cancel_own_appointment": {},
    "create_waitlist_entry": {
        "dependent_ids": ["{dependent_id}"],
        "department_id": "{department_id}",
        "date_from": _SOON,
        "date_to": _SOON,
        "pay": "online",
    },
    "open_payment": {"channel": "wechat_jsapi"},
    "appeal_strike": {"text": "当天已到院就诊"},
    "create_follow_up": {"schedule_id": "{schedule_id}"},
    "reschedule_own_appointment": {"schedule_id": "{schedule_id}"},
    "send_phone_code": {"phone": "13800000000"},
    "set_account_phone": {"provider": PROVIDER, "code": "phone-13800000000"},
}
"""A body that fits, for every operation that takes one."""

QUERIES: Mapping[str, str] = {
    "get_eligibility": "?dependent_id={dependent_id}",
    "get_hospital_schedules": "?date=2026-11-25",
    "get_page_signature": "?url=http://127.0.0.1:8000/h5/",
    "get_search": "?q=test",
}
"""What an operation cannot be asked without."""


def _filled(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_filled(one, ids) for one in value]
    if isinstance(value, dict):
        return {name: _filled(one, ids) for name, one in value.items()}
    return value.format(**ids) if isinstance(value, str) else value


def request_of(operation: Operation, ids: Mapping[str, str]) -> tuple[str, str, Any, dict[str, str]]:
    """Method, path, body and headers of a request that fits, about these ids."""
    path = operation.rule
    for name in PRIVATE | PUBLIC:
        path = path.replace(f"<uuid:{name}>", ids[name])
    path = path.replace("<merchant>", "demo") + QUERIES.get(operation.name, "").format(**ids)
    body = BODIES.get(operation.name)
    if body is not None:
        body = {name: _filled(value, ids) for name, value in body.items()}
    return operation.method, path, body, {"Idempotency-Key": new_key()} if operation.keyed else {}
