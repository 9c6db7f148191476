"""Departments and doctors: who sees patients, and when."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from core.catalog.departments import doctor_detail, doctors_of
from core.catalog.timetable import Days, department_schedules
from core.clock import hospital_day
from miniapp_api.cacheable import reading_public, reading_shared
from miniapp_api.openapi import endpoint, open_blueprint
from miniapp_api.patient.hospitals import DIRECTORY_SECONDS
from models.errors import NotFound
from schemas.hospital import DoctorSchema, DoctorsPageSchema, DoctorsQuery
from schemas.schedule import SchedulesPageSchema, SchedulesQuery

blueprint = open_blueprint("departments", "/api/v1/departments")
doctors_blueprint = open_blueprint("doctors", "/api/v1/doctors")

_NOT_MODIFIED = {304: None}
_SCHEDULES = SchedulesPageSchema()  # making one takes longer than using it


@endpoint(
    blueprint,
    "GET",
    "/<uuid:department_id>/doctors",
    query=DoctorsQuery,
    reply=DoctorsPageSchema,
    also=_NOT_MODIFIED,
    refusals=(NotFound,),
    summary="The doctors of a department",
)
def get_department_doctors(department_id: UUID, query: dict[str, Any]) -> Response:
    return reading_public(
        lambda session, now: doctors_of(
            session, department_id, today=hospital_day(now), cursor=query["cursor"], limit=query["limit"]
        ),
        DoctorsPageSchema(),
        seconds=DIRECTORY_SECONDS,
    )


@endpoint(
    doctors_blueprint,
    "GET",
    "/<uuid:doctor_id>",
    reply=DoctorSchema,
    also=_NOT_MODIFIED,
    refusals=(NotFound,),
    summary="One doctor",
)
def get_doctor(doctor_id: UUID) -> Response:
    return reading_public(
        lambda session, _now: doctor_detail(session, doctor_id), DoctorSchema(), seconds=DIRECTORY_SECONDS
    )


@endpoint(
    blueprint,
    "GET",
    "/<uuid:department_id>/schedules",
    query=SchedulesQuery,
    reply=SchedulesPageSchema,
    also=_NOT_MODIFIED,
    refusals=(NotFound,),
    summary="What a department offers over some days",
)
def get_department_schedules(department_id: UUID, query: dict[str, Any]) -> Response:
    first, last, doctor_id = query["first"], query["last"], query["doctor_id"]
    cursor, limit = query["cursor"], query["limit"]
    return reading_shared(
        ("department", department_id, first, last, doctor_id, cursor, limit),
        lambda session, now: department_schedules(
            session,
            department_id,
            days=Days.asked(first, last, now=now),
            doctor_id=doctor_id,
            cursor=cursor,
            limit=limit,
            now=now,
        ),
        _SCHEDULES,
    )
