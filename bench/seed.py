"""What has to stand before anybody can book, written in bulk with the models and the vault of the product."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, inspect
from sqlalchemy.orm import Session

from core.booking.terms import CompiledTerms, compile_terms
from core.clock import HOSPITAL_ZONE, hospital_day
from core.identity.consent_texts import current_version
from core.identity.login import token_digest
from models.account import Account, Consent, IdKind, LoginSession, PlatformIdentity, Provider, Purpose
from models.base import Base, new_id
from models.hospital import Campus, Department, Doctor, Hospital, Period
from models.person import Dependent, IdentityLevel, IdentityStatus, IdType, Person, PersonIdentifier, Relationship, Sex
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus
from models.sealing import Vault

FEE_FEN = 5000
_APP = "main"
DEPARTMENTS = 10
_SEGMENT = timedelta(minutes=30)
_SEGMENTS = 8


@dataclass(frozen=True)
class Patient:
    """Somebody who may book: logged in, agreed, proven."""

    token: str
    account_id: UUID
    dependent_id: UUID
    person_id: UUID


@dataclass(frozen=True)
class Offer:
    """A schedule with `numbers` free ones, and the facts that an appointment of it repeats."""

    schedule_id: UUID
    department_id: UUID
    hospital_id: UUID
    visit_date: date
    cancel_before: datetime
    terms: Any
    numbers: int


def add_hospital(session: Session, *, now: datetime) -> Hospital:
    """One hospital with one campus."""
    hospital = Hospital(
        id=new_id(), code="BENCH", name="压测医院", alias="", grade="三级甲等", kind="综合", adcode="320106",
        address="测试路1号", merchant=None, booking_notice="", search_text="", synthetic=True, updated_at=now,
    )  # fmt: skip
    session.add(hospital)
    session.flush()
    session.add(Campus(id=new_id(), hospital_id=hospital.id, code="BENCH-A", name="本部", address="测试路1号"))
    session.flush()
    return hospital


def add_offers(
    session: Session,
    hospital: Hospital,
    stage: str,
    *,
    schedules: int,
    numbers: int,
    now: datetime,
    departments: int = DEPARTMENTS,
) -> list[Offer]:
    """`schedules` half days with `numbers` free numbers each, in up to so many `departments` of their own."""
    campus = session.query(Campus).filter_by(hospital_id=hospital.id).one()
    rooms = [_department(hospital, stage, at) for at in range(min(departments, schedules))]
    _write(session, rooms)
    places = [(rooms[at % len(rooms)], at // len(rooms)) for at in range(schedules)]
    doctors = [_doctor(department, stage, at) for at, (department, _) in enumerate(places)]
    _write(session, doctors)
    found = [
        _schedule(campus, doctor, hospital_day(now) + timedelta(days=2 + day % 7), now=now)
        for doctor, (_, day) in zip(doctors, places, strict=True)
    ]
    _write(session, found)
    _write(session, [_slot(schedule, sequence, numbers) for schedule in found for sequence in range(1, numbers + 1)])
    return [
        Offer(one.id, one.department_id, one.hospital_id, one.visit_date, one.cancel_before, one.terms, numbers)
        for one in found
    ]


def add_patients(session: Session, vault: Vault, count: int, *, now: datetime) -> list[Patient]:
    """Accounts with a login, the two consents and one dependent who was proven at the desk."""
    accounts = [Account(id=new_id(), created_at=now) for _ in range(count)]
    persons = [Person(id=new_id(), created_at=now) for _ in range(count)]
    identities = [_identity(vault, account, now=now) for account in accounts]
    identifiers = [_identifier(vault, person, at, now=now) for at, person in enumerate(persons)]
    dependents = [
        _dependent(vault, account, identifier, now=now)
        for account, identifier in zip(accounts, identifiers, strict=True)
    ]
    tokens = [secrets.token_urlsafe(32) for _ in range(count)]
    logins = [_login(identity, token, now=now) for identity, token in zip(identities, tokens, strict=True)]
    consents = [
        _consent(account, purpose, now=now)
        for account in accounts
        for purpose in (Purpose.SERVICE, Purpose.SENSITIVE_IDENTITY)
    ]
    rows: Iterable[Sequence[Base]] = (accounts, persons, identities, identifiers, dependents, logins, consents)
    for kind in rows:
        _write(session, kind)
    return [
        Patient(token, one.account_id, one.id, one.person_id) for token, one in zip(tokens, dependents, strict=True)
    ]


def _write(session: Session, records: Sequence[Base]) -> None:
    columns = inspect(type(records[0])).column_attrs.keys()
    rows = [{name: record.__dict__.get(name) for name in columns} for record in records]
    session.execute(insert(type(records[0])), rows)


def _department(hospital: Hospital, stage: str, at: int) -> Department:
    return Department(
        id=new_id(), hospital_id=hospital.id, code=f"BENCH-{stage}-{at}", name=f"压测科{at}", alias="", online=True,
        search_text="", position=at, synthetic=True,
    )  # fmt: skip


def _doctor(department: Department, stage: str, at: int) -> Doctor:
    return Doctor(
        id=new_id(), hospital_id=department.hospital_id, department_id=department.id, code=f"DOC-{stage}-{at}",
        name="虚拟甲", title="主治医师", introduction="", search_text="", synthetic=True,
    )  # fmt: skip


def _schedule(campus: Campus, doctor: Doctor, visit_date: date, *, now: datetime) -> Schedule:
    starts_at = datetime.combine(visit_date, time(8), HOSPITAL_ZONE).astimezone(UTC)
    compiled: CompiledTerms = compile_terms(
        [],
        department_id=doctor.department_id,
        visit_date=visit_date,
        starts_at=starts_at,
        last_segment_starts_at=starts_at + (_SEGMENTS - 1) * _SEGMENT,
    )
    return Schedule(
        id=new_id(),
        hospital_id=campus.hospital_id,
        campus_id=campus.id,
        department_id=doctor.department_id,
        doctor_id=doctor.id,
        doctor_code=doctor.code,
        visit_date=visit_date,
        period=Period.MORNING,
        starts_at=starts_at,
        ends_at=starts_at + _SEGMENTS * _SEGMENT,
        clinic_type="GENERAL",
        fee_fen=FEE_FEN,
        status=ScheduleStatus.OPEN,
        release_at=compiled.release_at,
        closes_at=compiled.closes_at,
        cancel_before=compiled.cancel_before,
        terms=compiled.terms.to_document(),
        terms_version=compiled.terms.version,
        created_at=now,
    )


def _slot(schedule: Schedule, sequence: int, numbers: int) -> Slot:
    starts_at = schedule.starts_at + ((sequence - 1) * _SEGMENTS // numbers) * _SEGMENT
    return Slot(
        id=new_id(), hospital_id=schedule.hospital_id, schedule_id=schedule.id, sequence=sequence,
        starts_at=starts_at, ends_at=starts_at + _SEGMENT, status=SlotStatus.FREE, moved=0,
    )  # fmt: skip


def _identity(vault: Vault, account: Account, *, now: datetime) -> PlatformIdentity:
    identity = PlatformIdentity(
        id=new_id(), account_id=account.id, provider=Provider.WECHAT_MINIAPP, app=_APP, kind=IdKind.OPEN_ID,
        created_at=now,
    )  # fmt: skip
    identity.seal_subject(vault, f"bench-{account.id}")
    return identity


def _identifier(vault: Vault, person: Person, at: int, *, now: datetime) -> PersonIdentifier:
    identifier = PersonIdentifier(id=new_id(), person_id=person.id, id_type=IdType.RESIDENT_ID, created_at=now)
    identifier.seal_number(vault, f"bench-{at}")
    return identifier


def _dependent(vault: Vault, account: Account, identifier: PersonIdentifier, *, now: datetime) -> Dependent:
    dependent = Dependent(
        id=new_id(), account_id=account.id, person_id=identifier.person_id, identifier_id=identifier.id,
        relationship_=Relationship.SELF, id_type=identifier.id_type,
        sex=Sex.FEMALE, birth_date=date(1990, 1, 1), is_default=True, identity_status=IdentityStatus.VERIFIED,
        identity_level=IdentityLevel.PRESENT, identity_method="on_site", identity_checked_at=now, created_at=now,
    )  # fmt: skip
    dependent.seal_name(vault, "测试某", masked="测**")
    dependent.seal_phone(vault, "+8613000000000", masked="130****0000")
    return dependent


def _login(identity: PlatformIdentity, token: str, *, now: datetime) -> LoginSession:
    return LoginSession(
        id=new_id(), account_id=identity.account_id, platform_identity_id=identity.id, token_hash=token_digest(token),
        created_at=now, expires_at=now + timedelta(days=30),
    )  # fmt: skip


def _consent(account: Account, purpose: Purpose, *, now: datetime) -> Consent:
    return Consent(
        id=new_id(), account_id=account.id, dependent_id=None, purpose=purpose, version=current_version(purpose),
        granted=True, provider=Provider.WECHAT_MINIAPP, at=now,
    )  # fmt: skip
