"""The real app with its platforms in memory, and accounts in it that have something to lose."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from factories import (
    make_account,
    make_department,
    make_dependent,
    make_doctor,
    make_face_check,
    make_hospital,
    make_schedule,
    make_strike,
    serial,
)
from fakes import START, FakeAdapters, FakeGateway, FakePhones, FakeSms, ManualClock
from fakes_official import CLINIC, FakeConversation, FakeMiniappLinks, FakeOfficialAccount, FakePageLogin
from hospital_acts import offer_instead
from people import APP, CAUSE, PROVIDER, FakeVerifier, agree, resident_id
from people_http import SELF, Clinic, Patient, Users
from sqlalchemy import select
from sqlalchemy.orm import Session
from wallets import make_neighbour
from werkzeug.test import TestResponse

from core.booking.day.at_desk import check_in_at_desk
from core.booking.follow_up.right import allow_follow_up
from core.clock import hospital_day
from core.dependents.phones import masked_phone
from core.identity.join import join_by_union_id
from core.identity.join_offers import offer_id
from core.identity.login import token_digest
from core.ports import Incoming, IncomingKind, MessageKind, PlatformMessage, TradeAnswer, TradeState
from miniapp_api.app import create_app
from miniapp_api.config import Config
from miniapp_api.keys import write_keys
from miniapp_api.openapi import Operation, operations
from miniapp_api.services import EXTENSION
from models import Base
from models.account import Account, LoginSession, Provider, Purpose
from models.account_join import AccountJoin
from models.agreement import Agreement
from models.appointment import Appointment
from models.database import Database, Timeouts
from models.hospital import Department, Doctor
from models.person import Dependent, IdentityLevel, IdentityStatus, PersonIdentifier, Relationship
from schemas.base import instant_text

EASY = {
    "min_identity_level": 0,
    "max_open_holds_person": 9,
    "max_open_holds_account": 9,
    "max_per_person_7_days": 9,
    "follow_up_days": 9,
}
"""Terms under which nothing but ownership stands between an account and a number."""

OPEN_FOR_CHECK_IN = EASY | {"check_in_opens_minutes": 99_999}

PATIENT = Timeouts(lock=10_000, statement=30_000, idle_in_transaction=30_000)
"""A machine that many share must not look like one that is overloaded."""

Rows = dict[str, list[str]]


@dataclass
class Settled:
    """An account with one of everything; `ids` by kind."""

    patient: Patient
    ids: dict[str, str]


ENDS_ALL = frozenset({"close_own_account"})
"""Operations after which nothing of the account is left."""


@dataclass
class World(Clinic):
    adapters: FakeAdapters
    conversation: FakeConversation
    document: dict[str, Any] = field(default_factory=dict, repr=False)
    standing: list[Settled] = field(default_factory=list, repr=False)

    @property
    def gateway(self) -> FakeGateway:
        return self.adapters.the_gateway

    @property
    def database(self) -> Database:
        return self.workbench.transactions.database

    @property
    def operations(self) -> dict[str, Operation]:
        """By operationId."""
        return {one.name: one for one in operations(self.app).values()}

    def anybody(self, **how: Any) -> Patient:
        """An account nobody has seen before."""
        return self.patient(f"somebody-{serial()}", **how)

    # --- what everybody may see

    def department(self) -> dict[str, str]:
        """A hospital with a department and a doctor."""
        with self.database.write() as session:
            department = make_department(session, make_hospital(session, lat=32.05, lng=118.78))
            doctor = make_doctor(session, department)
            return {
                "hospital": str(department.hospital_id),
                "department": str(department.id),
                "doctor": str(doctor.id),
            }

    def schedule(self, department_id: str | None = None, *, in_days: int = 3, **facts: Any) -> str:
        """Open for booking, in a department of its own unless told otherwise; `EASY` unless `terms` are given."""
        department_id = department_id or self.department()["department"]
        day = hospital_day(self.clock.now()) + timedelta(days=in_days)
        given = {"numbers": 3, "terms": EASY, "visit_date": day, "now": self.clock.now()} | facts
        with self.database.write() as session:
            return str(make_schedule(session, session.get_one(Department, UUID(department_id)), **given).id)

    # --- what is one's own

    def dependent(self, patient: Patient, **typed: Any) -> str:
        return patient.add(new_person(**typed))

    def book(self, patient: Patient, dependent_id: str, schedule_id: str | None = None, **wish: Any) -> TestResponse:
        wanted = {"schedule_id": schedule_id or self.schedule(), "dependent_id": dependent_id, "pay": "online"}
        return patient.post("/appointments", wanted | wish)

    def held(self, patient: Patient, dependent_id: str, **schedule: Any) -> str:
        """The id of an appointment that waits for its payment."""
        return str(created(self.book(patient, dependent_id, self.schedule(**schedule)))["id"])

    def booked(self, patient: Patient, dependent_id: str, **schedule: Any) -> str:
        return str(created(self.book(patient, dependent_id, self.schedule(**schedule), pay="on_site"))["id"])

    def offered(self, patient: Patient, dependent_id: str) -> dict[str, str]:
        """A `lost` appointment, whose clinic is suspended, and an `offer` that stands for it."""
        lost, other = self.booked(patient, dependent_id, in_days=6), UUID(self.schedule(in_days=7))
        offer = self.workbench.transactions.write(
            lambda session, now: str(offer_instead(session, UUID(lost), other, now=now).id)
        )
        return {"lost": lost, "offer": offer}

    def open_payment(self, patient: Patient, appointment_id: str) -> TestResponse:
        return patient.post(f"/appointments/{appointment_id}/payments", {"channel": "wechat_jsapi"})

    def settle_for(self, name: str) -> Settled:
        """Somebody who may do what the operation `name` does. Nobody closes an account with anything open."""
        return Settled(self.anybody(), {}) if name in ENDS_ALL else self.settle()

    def settle(self) -> Settled:
        """An account with one of everything that can be owned."""
        patient, place = self.anybody(), self.department()
        dependent = self.dependent(patient)
        patient.agree("face", dependent)
        check = created(patient.post(f"/dependents/{dependent}/identity-checks", {"method": "wechat_face"}))["id"]
        appointment = self.held(patient, dependent, in_days=4)
        own = {
            "dependent": dependent,
            "ward": patient.add(new_born()),
            "card": self._card(patient, dependent, place["hospital"]),
            "check": check,
            "appointment": appointment,
            "booked": self.booked(patient, dependent, in_days=5, department_id=place["department"]),
            "today": self.booked(patient, dependent, in_days=6, fee_fen=0, terms=OPEN_FOR_CHECK_IN),
            **self.offered(patient, dependent),
            "payment": created(self.open_payment(patient, appointment))["id"],
        }
        own["visited"] = self._visited(patient, dependent, place["department"])
        own["strike"] = self._strike(own["booked"])
        full, entry = self._full(), self._full()
        own["entry"] = self.wait(patient, dependent, entry["full_department"])
        own |= self._grants(patient) | self._joins(patient) | self._agreements(patient)
        found = own | place | full | {"schedule": self.schedule(place["department"]), "merchant": self.gateway.merchant}
        found |= {"app": self.adapters.the_app_gateway.app, "official": CLINIC}
        return Settled(patient, found)

    def _visited(self, patient: Patient, dependent_id: str, department_id: str) -> str:
        """An appointment of that department that somebody came to, and may go on with."""
        visited = self.booked(patient, dependent_id, in_days=2, department_id=department_id)

        def step(session: Session, now: datetime) -> None:
            appointment_id = UUID(visited)
            check_in_at_desk(
                session, appointment_id=appointment_id, operator="desk", overrule=True, now=now, cause=CAUSE
            )
            allow_follow_up(session, appointment_id=appointment_id, operator="desk", now=now)

        self.workbench.transactions.write(step)
        return visited

    def _strike(self, appointment_id: str) -> str:
        """The id of a strike for it."""
        with self.database.write() as session:
            return str(make_strike(session, session.get_one(Appointment, UUID(appointment_id))).id)

    def _full(self) -> dict[str, str]:
        """A department whose one doctor has no number, on the day three days ahead."""
        place, day = self.department(), hospital_day(self.clock.now()) + timedelta(days=3)
        with self.database.write() as session:
            department = session.get_one(Department, UUID(place["department"]))
            doctor = session.get_one(Doctor, UUID(place["doctor"]))
            make_schedule(
                session, department, doctor=doctor, numbers=0, terms=EASY, visit_date=day, now=self.clock.now()
            )
        return {"full_department": place["department"], "full_doctor": place["doctor"]}

    def wait(self, patient: Patient, dependent_id: str, department_id: str) -> str:
        """The id of an entry of the waitlist."""
        day = (hospital_day(self.clock.now()) + timedelta(days=3)).isoformat()
        wanted = {"dependent_ids": [dependent_id], "department_id": department_id, "pay": "online"}
        return str(created(patient.post("/waitlist-entries", wanted | {"date_from": day, "date_to": day}))["id"])

    def _agreements(self, patient: Patient) -> dict[str, str]:
        """A `spouse` whose face was shown, who can be spared, and an agreement that oneself has `given` to somebody."""
        vault = self.workbench.vault

        def step(session: Session, now: datetime) -> dict[str, str]:
            query = select(LoginSession.account_id).where(LoginSession.token_hash == token_digest(patient.token))
            mine = session.get_one(Account, session.scalars(query).one())
            spouse = make_dependent(session, vault, mine, phone="+8613900000009", agreed=False, now=now)
            agree(session, mine.id, Purpose.FACE, dependent_id=spouse.id, now=now)
            make_face_check(session, spouse, now=now)
            self_of_mine = (Dependent.account_id == mine.id) & (Dependent.relationship_ == Relationship.SELF)
            me = session.get_one(
                PersonIdentifier, session.scalars(select(Dependent.identifier_id).where(self_of_mine)).one()
            )
            theirs = make_dependent(session, vault, make_account(session, now=now), identifier=me, now=now)
            given = session.scalars(select(Agreement).where(Agreement.dependent_id == theirs.id)).one()
            own = {"spouse": spouse, "spare": spouse, "given": given, "agreement": given}
            return {kind: str(one.id) for kind, one in own.items()}

        return self.workbench.transactions.write(step)

    def verified(self, dependent_id: str) -> str:
        """The same, who was seen."""
        with self.database.write() as session:
            whom = session.get_one(Dependent, UUID(dependent_id))
            whom.identity_status, whom.identity_level = IdentityStatus.VERIFIED, IdentityLevel.PRESENT
        return dependent_id

    def _grants(self, patient: Patient) -> dict[str, str]:
        """Who is `oneself`, a `grant` over them that a relative holds, and a `code` with which that one offers more."""
        oneself, relative = self.oneself(patient), self.anybody()
        grant = self.grant(patient, oneself, relative, "book")
        return {"oneself": oneself, "grant": grant, "code": self.offer(relative, self.oneself(relative), "see")}

    def oneself(self, patient: Patient) -> str:
        return self.verified(self.dependent(patient, relationship="self"))

    def offer(self, patient: Patient, oneself: str, *scopes: str, lasts: timedelta = timedelta(days=30)) -> str:
        """A code to type."""
        to_at = instant_text(self.clock.now() + lasts)
        wanted = {"dependent_id": oneself, "scopes": scopes, "to_at": to_at}
        return str(created(patient.post("/account/grants", wanted))["code"])

    def grant(self, patient: Patient, oneself: str, holder: Patient, *scopes: str, **how: Any) -> str:
        code = self.offer(patient, oneself, *scopes, **how)
        return str(created(holder.post("/account/grants/acceptance", {"code": code}))["id"])

    def _card(self, patient: Patient, dependent: str, hospital: str) -> str:
        said = {"hospital_id": hospital, "number": f"{serial():010d}"}
        return str(created(patient.post(f"/dependents/{dependent}/hospital-cards", said))["id"])

    def _joins(self, patient: Patient) -> dict[str, str]:
        """A `join` that is offered, and one that is `joined` already."""
        vault, phone = self.workbench.vault, f"+86139{serial():08d}"

        def step(session: Session, now: datetime) -> dict[str, str]:
            query = select(LoginSession).where(LoginSession.token_hash == token_digest(patient.token))
            login = session.scalars(query).one()
            mine = session.get_one(Account, login.account_id)
            by = login.platform_identity_id
            mine.seal_phone(vault, phone, masked=masked_phone(phone), proven_at=now, proven_by=by)
            official, _ = make_neighbour(session, vault, phone=phone, provider=Provider.WECHAT_OFFICIAL, now=now)
            assert join_by_union_id(session, mine, official, vault=vault, now=now, cause=CAUSE) is None
            (joined,) = session.scalars(select(AccountJoin.id).where(AccountJoin.kept_account_id == mine.id))
            other, _ = make_neighbour(session, vault, phone=phone, now=now)
            return {"join": str(offer_id(vault, mine.id, other.id)), "joined": str(joined)}

        return self.workbench.transactions.write(step)

    def two_settled(self) -> tuple[Settled, Settled]:
        """The same two each time, for tests after which everything is as it was."""
        while len(self.standing) < 2:
            self.standing.append(self.settle())
        return self.standing[0], self.standing[1]

    def message(self) -> bytes:
        """The body of an event that the platform has signed, about a number nobody knows."""
        paid = TradeAnswer(new_key(), TradeState.UNPAID)
        body = secrets.token_bytes(16)
        told = PlatformMessage(new_key(), MessageKind.PAYMENT, self.gateway.merchant, self.gateway.app, paid, None)
        self.adapters.the_reader.messages[body] = told
        self.adapters.the_app_gateway.known.add(body)
        self.conversation.known[body] = Incoming(CLINIC, new_key(), IncomingKind.TEXT, "nobody", START, text="ceshi")
        return body

    # --- what is there now

    def rows(self) -> Rows:
        """Everything in the database."""
        with self.database.read() as session:
            return {
                table.name: sorted(repr(row) for row in session.execute(select(table)))
                for table in Base.metadata.sorted_tables
            }

    def platform_calls(self) -> tuple[int, int, int]:
        """How often the platforms were asked anything."""
        return len(self.gateway.calls), len(self.verifier.started), len(self.verifier.asked)


def created(answer: TestResponse) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    return dict(answer.json)


def new_person(**typed: Any) -> dict[str, Any]:
    """A grown man nobody has added yet."""
    nth = serial()
    number = resident_id(birth=date(1950, 1, 1) + timedelta(days=nth // 400), order=2 * (nth % 400) + 1)
    return {**SELF, "relationship": "other", "id_number": number} | typed


def new_child() -> dict[str, Any]:
    """A boy nobody has added yet."""
    nth = serial()
    number = resident_id(birth=date(2016, 1, 1) + timedelta(days=nth // 400), order=2 * (nth % 400) + 1)
    return {**SELF, "relationship": "son", "id_number": number}


def new_born() -> dict[str, Any]:
    """A girl without a number."""
    born = {"id_type": "guardian_bound", "id_number": None, "birth_date": "2026-11-01", "sex": "female"}
    return {**SELF, "relationship": "daughter"} | born


def said(answer: TestResponse) -> tuple[int, dict[str, Any]]:
    """Status and body of a problem without what differs from request to request."""
    body = dict(answer.get_json(force=True))
    body.pop("instance", None)
    return answer.status_code, body


def new_key() -> str:
    return str(uuid4())


@contextmanager
def open_world(url: str, folder: Path) -> Iterator[World]:
    """An app of its own over an empty database."""
    write_keys(folder / "keys.json")
    (folder / "platforms.json").write_text(json.dumps({}))
    wide = {f"RATE_LIMIT_SMS_{whose}": "9999/minute" for whose in ("PHONE", "ACCOUNT", "ADDRESS")}
    environ = {"MODE": "local", "DATA_DIR": str(folder), "DATABASE_URL": url, "SMS_DAILY_MOST": "999999"}
    config = Config.from_environ(environ | wide)
    clock, users, verifier = ManualClock(), Users(), FakeVerifier()
    adapters = FakeAdapters(clock)
    adapters.logins = {(PROVIDER, None): users, (PROVIDER, APP): users}
    adapters.faces = [verifier]
    adapters.phones = {(PROVIDER, APP): FakePhones(PROVIDER, APP)}
    adapters.sms = [FakeSms()]
    adapters.pages[CLINIC], conversation = FakePageLogin(), FakeConversation()
    adapters.conversations[CLINIC] = conversation
    adapters.officials = {CLINIC: FakeOfficialAccount(), APP: FakeOfficialAccount(APP, PROVIDER)}
    adapters.links = {(one.provider, one.app): one for one in (FakeMiniappLinks(), FakeMiniappLinks(APP, PROVIDER))}
    app = create_app(config, adapters=adapters, clock=clock)
    document = app.test_client().get("/openapi.json").get_json()
    transactions = app.extensions[EXTENSION].workbench.transactions
    transactions.database.close()
    transactions.database = database = Database(url, timeouts=PATIENT)
    Base.metadata.create_all(database.engine)
    yield World(app, clock, users, verifier, adapters, conversation, document)
    database.close()
