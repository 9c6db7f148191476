"""Rows for tests, each the shortest way to a valid one. Every name, number and phone in here is made up.

A function adds its row to the session and flushes; what is not given is filled with something unique.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from canaries import plant
from fakes import START
from sqlalchemy.orm import Session

from core.clock import HOSPITAL_ZONE, hospital_day
from core.dependents.agreements import note_agreement
from models.account import Account, IdKind, LoginSession, PlatformIdentity, Provider
from models.agreement import AgreementWay
from models.appointment import Appointment, PayMode
from models.base import new_id
from models.booking_signal import BookingSignal, SignalAnswer, SignalKind
from models.grant import Grant, Scope
from models.hospital import Campus, Department, Doctor, Hospital, Period
from models.identity_check import IdentityCheck, IdentityMethod
from models.person import Dependent, IdentityLevel, IdentityStatus, IdType, Person, PersonIdentifier, Relationship, Sex
from models.schedule import Schedule, ScheduleStatus, Slot, SlotStatus
from models.sealing import Vault
from models.states import Actor, Cause, CauseKind
from models.strike import Strike, StrikeAppeal, StrikeKind
from models.waitlist import WaitlistEntry

CAUSE = Cause(actor=Actor.SYSTEM, kind=CauseKind.COMMAND, id="test")
APP = "main"

TERMS: Mapping[str, Any] = {
    "release_days_before": 14,
    "release_time": "07:00",
    "closes_minutes_before": 30,
    "hold_minutes": 15,
    "close_cap_minutes": 30,
    "cancel_days_before": 0,
    "cancel_time": "00:00",
    "max_open_per_person_schedule": 1,
    "max_open_per_person_department_day": 1,
    "max_per_person_day": 2,
    "may_overlap": True,
    "rebook_after_cancel_minutes": 0,
    "rebook_after_refund_minutes": 0,
    "max_open_holds_person": 1,
    "max_open_holds_account": 2,
    "min_identity_level": 1,
    "pay_modes": ["online", "on_site"],
    "return_after_seconds": 0,
    "return_spread_seconds": 0,
    "let_go_rest_minutes": 0,
}

_numbers = itertools.count(1)


def serial() -> int:
    """A number that no other row of this process has."""
    return next(_numbers)


def make_account(session: Session, *, now: datetime = START) -> Account:
    account = Account(id=new_id(), created_at=now)
    session.add(account)
    session.flush()
    return account


def make_identity(
    session: Session,
    vault: Vault,
    account: Account,
    *,
    provider: Provider = Provider.WECHAT_MINIAPP,
    app: str = APP,
    kind: IdKind = IdKind.OPEN_ID,
    subject: str | None = None,
    now: datetime = START,
) -> PlatformIdentity:
    identity = PlatformIdentity(
        id=new_id(), account_id=account.id, provider=provider, app=app, kind=kind, created_at=now
    )
    subject = subject or f"open-id-{serial()}"
    plant(subject)
    identity.seal_subject(vault, subject)
    session.add(identity)
    session.flush()
    return identity


def make_login(
    session: Session,
    account: Account,
    identity: PlatformIdentity,
    *,
    token_hash: bytes | None = None,
    now: datetime = START,
    lasts: timedelta = timedelta(days=30),
) -> LoginSession:
    login = LoginSession(
        id=new_id(),
        account_id=account.id,
        platform_identity_id=identity.id,
        token_hash=token_hash or new_id().bytes * 2,
        created_at=now,
        expires_at=now + lasts,
    )
    session.add(login)
    session.flush()
    return login


def resident_number(*, birth: date = date(1990, 1, 1), sex: Sex = Sex.FEMALE, sequence: int | None = None) -> str:
    """A resident ID number with a true checksum, in a region code that was never handed out (99 and four digits), and
    without a `sequence` one that no other call has made."""
    region, order = divmod(serial() if sequence is None else sequence % 500, 500)
    head = f"99{region:04d}{birth:%Y%m%d}{order * 2 + (sex is Sex.MALE):03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return head + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(head, weights, strict=True)) % 11]


def make_person(
    session: Session,
    vault: Vault,
    *,
    id_type: IdType = IdType.RESIDENT_ID,
    id_number: str | None = None,
    now: datetime = START,
) -> PersonIdentifier:
    """A person with one document; the person is `identifier.person_id`."""
    person = Person(id=new_id(), created_at=now)
    session.add(person)
    session.flush()
    identifier = PersonIdentifier(id=new_id(), person_id=person.id, id_type=id_type, created_at=now)
    id_number = id_number or resident_number()
    plant(id_number)
    identifier.seal_number(vault, id_number)
    session.add(identifier)
    session.flush()
    return identifier


def make_dependent(
    session: Session,
    vault: Vault,
    account: Account,
    *,
    identifier: PersonIdentifier | None = None,
    relationship: Relationship = Relationship.OTHER,
    level: int = IdentityLevel.PRESENT,
    name: str = "测试某",
    phone: str = "+8613000000000",
    sex: Sex = Sex.FEMALE,
    birth_date: date = date(1990, 1, 1),
    is_default: bool = False,
    agreed: bool = True,
    now: datetime = START,
) -> Dependent:
    """`level` above `IdentityLevel.TYPED` makes the dependent verified. `phone` in E.164. Whoever is not oneself has
    `agreed` to be booked for."""
    identifier = identifier or make_person(session, vault, now=now)
    verified = level > IdentityLevel.TYPED
    dependent = Dependent(
        id=new_id(),
        account_id=account.id,
        person_id=identifier.person_id,
        identifier_id=identifier.id,
        relationship_=relationship,
        id_type=identifier.id_type,
        sex=sex,
        birth_date=birth_date,
        is_default=is_default,
        identity_status=IdentityStatus.VERIFIED if verified else IdentityStatus.UNVERIFIED,
        identity_level=level,
        identity_method="on_site" if verified else None,
        identity_checked_at=now if verified else None,
        created_at=now,
    )
    plant(name, phone)
    dependent.seal_name(vault, name, masked=f"{name[0]}**")
    dependent.seal_phone(vault, phone, masked="130****0000")
    session.add(dependent)
    session.flush()
    if agreed and relationship is not Relationship.SELF:
        note_agreement(session, dependent, AgreementWay.DESK, witnessed_by="test", now=now)
    return dependent


def make_face_check(session: Session, dependent: Dependent, *, now: datetime = START) -> IdentityCheck:
    """The dependent's face was shown, and matched."""
    check = IdentityCheck(
        id=new_id(),
        account_id=dependent.account_id,
        dependent_id=dependent.id,
        method=IdentityMethod.WECHAT_FACE,
        level=0,
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    check.begin(session, at=now, cause=CAUSE)
    check.succeed(session, level=IdentityLevel.PRESENT, matched=["name", "id_number", "face"], at=now, cause=CAUSE)
    session.add(check)
    session.flush()
    return check


def make_grant(
    session: Session,
    dependent: Dependent,
    account_id: UUID,
    *,
    identity_id: UUID,
    scopes: Collection[Scope] = tuple(Scope),
    now: datetime = START,
    lasts: timedelta = timedelta(days=30),
) -> Grant:
    """In force: the account may do what `scopes` say for another account's dependent. `identity_id` is its login's."""
    grant = Grant(
        id=new_id(),
        dependent_id=dependent.id,
        may_see=Scope.SEE in scopes or Scope.BOOK in scopes,
        may_book=Scope.BOOK in scopes,
        may_pay=Scope.PAY in scopes,
        offered_at=now,
        offer_ends_at=now,
        to_at=now + lasts,
    )
    grant.accept(account_id, identity_id=identity_id, at=now)
    session.add(grant)
    session.flush()
    return grant


def make_hospital(session: Session, *, code: str | None = None, name: str = "测试医院", **more: Any) -> Hospital:
    """With one campus; `campus_of` finds it."""
    code = code or f"H{serial()}"
    facts: dict[str, Any] = {
        "alias": "", "grade": "三级甲等", "kind": "综合", "adcode": "320106", "address": "测试路1号",
        "merchant": None, "booking_notice": "", "search_text": name, "synthetic": True, "updated_at": START,
        "notice_version": "0123456789abcdef",
    }  # fmt: skip
    hospital = Hospital(id=new_id(), code=code, name=name, **(facts | more))
    session.add(hospital)
    session.flush()
    session.add(Campus(id=new_id(), hospital_id=hospital.id, code=f"{code}-A", name="本部", address=hospital.address))
    session.flush()
    return hospital


def campus_of(session: Session, hospital: Hospital) -> Campus:
    return session.query(Campus).filter_by(hospital_id=hospital.id).order_by(Campus.id).limit(1).one()


def make_department(
    session: Session, hospital: Hospital, *, parent: Department | None = None, name: str = "测试科", **more: Any
) -> Department:
    facts: dict[str, Any] = {
        "alias": "", "online": True, "search_text": name, "position": serial(), "synthetic": True,
    }  # fmt: skip
    department = Department(
        id=new_id(),
        hospital_id=hospital.id,
        parent_id=parent.id if parent else None,
        code=f"{hospital.code}-D{serial()}",
        name=name,
        **(facts | more),
    )
    session.add(department)
    session.flush()
    return department


def make_doctor(session: Session, department: Department, *, name: str = "虚拟甲", **more: Any) -> Doctor:
    facts: dict[str, Any] = {"title": "主治医师", "introduction": "", "search_text": name, "synthetic": True}
    doctor = Doctor(
        id=new_id(),
        hospital_id=department.hospital_id,
        department_id=department.id,
        code=f"DOC{serial()}",
        name=name,
        **(facts | more),
    )
    session.add(doctor)
    session.flush()
    return doctor


def make_schedule(
    session: Session,
    department: Department,
    *,
    doctor: Doctor | None = None,
    numbers: int = 50,
    fee_fen: int = 5000,
    status: ScheduleStatus = ScheduleStatus.OPEN,
    visit_date: date | None = None,
    starts: time = time(8),
    release_at: datetime | None = None,
    closes_at: datetime | None = None,
    cancel_before: datetime | None = None,
    terms: Mapping[str, Any] | None = None,
    clinic_type: str | None = None,
    now: datetime = START,
) -> Schedule:
    """A half day of four hours with its free slots; by default three days ahead, released yesterday.

    `terms` is laid over `TERMS`. The patient's deadline is 00:00 of the visit day at the hospital.
    """
    visit_date = visit_date or hospital_day(now) + timedelta(days=3)
    starts_at = datetime.combine(visit_date, starts, HOSPITAL_ZONE).astimezone(UTC)
    midnight = datetime.combine(visit_date, time(0), HOSPITAL_ZONE).astimezone(UTC)
    hospital = session.get_one(Hospital, department.hospital_id)
    schedule = Schedule(
        id=new_id(),
        hospital_id=hospital.id,
        campus_id=campus_of(session, hospital).id,
        department_id=department.id,
        doctor_id=doctor.id if doctor else None,
        doctor_code=doctor.code if doctor else "",
        visit_date=visit_date,
        period=Period.MORNING if starts.hour < 12 else Period.AFTERNOON,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=4),
        clinic_type=clinic_type or f"GENERAL-{serial()}",
        fee_fen=fee_fen,
        status=status,
        release_at=release_at or now - timedelta(days=1),
        closes_at=closes_at or starts_at - timedelta(minutes=30),
        cancel_before=cancel_before or midnight,
        terms=dict(TERMS) | dict(terms or {}),
        terms_version="test",
        created_at=now,
    )
    session.add(schedule)
    session.flush()
    _add_slots(session, schedule, numbers)
    return schedule


def _add_slots(session: Session, schedule: Schedule, numbers: int) -> None:
    """Ten numbers to each half hour, in sequence, born free without an event row, as publishing makes them."""
    for sequence in range(1, numbers + 1):
        starts_at = schedule.starts_at + timedelta(minutes=30) * min((sequence - 1) // 10, 7)
        session.add(
            Slot(
                id=new_id(),
                hospital_id=schedule.hospital_id,
                schedule_id=schedule.id,
                sequence=sequence,
                starts_at=starts_at,
                ends_at=starts_at + timedelta(minutes=30),
                status=SlotStatus.FREE,
                moved=0,
            )
        )
    session.flush()


def make_signal(
    session: Session,
    account_id: UUID,
    *,
    answer: SignalAnswer = SignalAnswer.REVIEW,
    until: datetime | None = None,
    now: datetime = START,
) -> BookingSignal:
    """A sign of resale, without appointments that show it."""
    signal = BookingSignal(
        id=new_id(),
        account_id=account_id,
        kind=SignalKind.HOLD_AND_DROP,
        facts={"common": "account", "appointments": []},
        answer=answer,
        until=until,
        created_at=now,
    )
    session.add(signal)
    session.flush()
    return signal


def make_strike(session: Session, appointment: Appointment, *, at: datetime = START) -> Strike:
    """As if the person had not come to it."""
    strike = Strike(
        id=new_id(),
        hospital_id=appointment.hospital_id,
        person_id=appointment.person_id,
        appointment_id=appointment.id,
        kind=StrikeKind.NO_SHOW,
        platform_wide=False,
        at=at,
        evidence={"others_arrived_that_day": 1},
    )
    session.add(strike)
    session.flush()
    return strike


def make_appeal(session: Session, vault: Vault, strike: Strike, *, now: datetime = START) -> StrikeAppeal:
    """The patient says that it is not right, and has not been answered."""
    appeal = StrikeAppeal(
        id=new_id(), hospital_id=strike.hospital_id, strike_id=strike.id, decide_by=now + timedelta(days=2)
    )
    appeal.file(session, vault, "我当天来过", at=now, cause=CAUSE)
    session.flush()
    return appeal


def make_waitlist_entry(
    session: Session, department: Department, account_id: UUID, *, now: datetime = START
) -> WaitlistEntry:
    """Somebody waits there for a number of the day after tomorrow."""
    day = hospital_day(now) + timedelta(days=2)
    entry = WaitlistEntry(
        id=new_id(),
        hospital_id=department.hospital_id,
        account_id=account_id,
        department_id=department.id,
        doctor_ids=[],
        date_from=day,
        date_to=day,
        periods=[],
        not_within_minutes=0,
        pay_mode=PayMode.ONLINE,
        created_at=now,
        expires_at=now + timedelta(days=1),
    )
    entry.begin(session, at=now, cause=CAUSE)
    session.flush()
    return entry
