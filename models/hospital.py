"""Where and by whom: hospitals with their campuses, departments, doctors and weekly rosters."""

from __future__ import annotations

from datetime import datetime, time
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, new_id, word
from models.person import Sex


class Period(StrEnum):
    MORNING = "morning"
    AFTERNOON = "afternoon"
    EVENING = "evening"
    ALL_DAY = "all_day"


class Hospital(Base):
    """`code` is the directory's stable name; `merchant` the payment account its money goes to. `system` is its own
    system, which must agree to every booking; without one the numbers are ours. `visits_cursor`: up to where it told us
    of its patients. `notice_version` is that of its booking notice (`core/booking/rules/notice.py`), None until one is
    worked out."""

    __tablename__ = "hospitals"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    alias: Mapped[str]
    grade: Mapped[str]
    kind: Mapped[str]
    adcode: Mapped[str] = mapped_column(index=True)
    address: Mapped[str]
    lat: Mapped[float | None]
    lng: Mapped[float | None]
    merchant: Mapped[str | None]
    booking_notice: Mapped[str]
    search_text: Mapped[str]
    synthetic: Mapped[bool]
    updated_at: Mapped[datetime]
    system: Mapped[str | None]
    visits_cursor: Mapped[str | None]
    notice_version: Mapped[str | None]


class Campus(Base):
    __tablename__ = "campuses"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"), index=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    address: Mapped[str]
    lat: Mapped[float | None]
    lng: Mapped[float | None]


class Department(Base):
    """Two levels: a group has no parent; what is booked usually has one."""

    __tablename__ = "departments"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"), index=True)
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("departments.id"))
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    alias: Mapped[str]
    subject_code: Mapped[str | None]
    sex: Mapped[Sex | None] = mapped_column(word(Sex))
    min_age: Mapped[int | None]
    max_age: Mapped[int | None]
    online: Mapped[bool]
    search_text: Mapped[str]
    position: Mapped[int]
    synthetic: Mapped[bool]


class Doctor(Base):
    __tablename__ = "doctors"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"), index=True)
    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"), index=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    title: Mapped[str]
    sex: Mapped[Sex | None] = mapped_column(word(Sex))
    introduction: Mapped[str]
    search_text: Mapped[str]
    synthetic: Mapped[bool]


class Roster(Base):
    """A half day that comes back every week; a periodic job turns it into schedules for the coming days."""

    __tablename__ = "rosters"
    __table_args__ = (
        UniqueConstraint("department_id", "doctor_code", "weekday", "period", "clinic_type", "starts"),
        Index("ix_rosters_weekday", "weekday"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"), index=True)
    department_id: Mapped[UUID] = mapped_column(ForeignKey("departments.id"))
    doctor_id: Mapped[UUID | None] = mapped_column(ForeignKey("doctors.id"))
    doctor_code: Mapped[str]  # "" for a clinic without a doctor: NULLs would escape the unique rule
    campus_id: Mapped[UUID] = mapped_column(ForeignKey("campuses.id"))
    weekday: Mapped[int]
    period: Mapped[Period] = mapped_column(word(Period))
    starts: Mapped[time]
    ends: Mapped[time]
    clinic_type: Mapped[str]
    fee_fen: Mapped[int]
    segment_minutes: Mapped[int]
    numbers_per_segment: Mapped[int]
    retired_at: Mapped[datetime | None]
