"""Hospitals: find one, read its rules, see its departments and what a day of it offers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from core.catalog.departments import department_tree, search
from core.catalog.hospitals import HospitalWish, hospital_detail, list_hospitals
from core.catalog.timetable import hospital_schedules
from core.paging import Page
from miniapp_api.cacheable import reading_private, reading_public, reading_shared
from miniapp_api.openapi import endpoint, open_blueprint
from models.errors import NotFound
from schemas.hospital import (
    DepartmentsPageSchema,
    FoundSchema,
    HospitalSchema,
    HospitalsPageSchema,
    HospitalsQuery,
    SearchQuery,
)
from schemas.schedule import HospitalDayQuery, SchedulesPageSchema

blueprint = open_blueprint("hospitals", "/api/v1/hospitals")
search_blueprint = open_blueprint("search", "/api/v1/search")

DIRECTORY_SECONDS = 30
_NOT_MODIFIED = {304: None}
_SCHEDULES = SchedulesPageSchema()  # making one takes longer than using it


@endpoint(
    blueprint,
    "GET",
    "",
    query=HospitalsQuery,
    reply=HospitalsPageSchema,
    also=_NOT_MODIFIED,
    summary="Find a hospital by name, alias, pinyin, region or distance",
)
def get_hospitals(query: dict[str, Any]) -> Response:
    """With `near` the nearest first, and nothing of it is kept in shared caches."""

    wish = HospitalWish(query["q"] or None, query["adcode"], query["near"])

    def look(session: Any, _now: Any) -> Any:
        return list_hospitals(session, wish, cursor=query["cursor"], limit=query["limit"])

    if wish.near is not None:
        return reading_private(look, HospitalsPageSchema())
    return reading_public(look, HospitalsPageSchema(), seconds=DIRECTORY_SECONDS)


@endpoint(
    blueprint,
    "GET",
    "/<uuid:hospital_id>",
    reply=HospitalSchema,
    also=_NOT_MODIFIED,
    refusals=(NotFound,),
    summary="One hospital with its rules, fee and refund terms and booking notice",
)
def get_hospital(hospital_id: UUID) -> Response:
    return reading_public(
        lambda session, _now: hospital_detail(session, hospital_id), HospitalSchema(), seconds=DIRECTORY_SECONDS
    )


@endpoint(
    blueprint,
    "GET",
    "/<uuid:hospital_id>/departments",
    reply=DepartmentsPageSchema,
    also=_NOT_MODIFIED,
    refusals=(NotFound,),
    summary="All departments of a hospital as a tree",
)
def get_hospital_departments(hospital_id: UUID) -> Response:
    return reading_public(
        lambda session, _now: Page(department_tree(session, hospital_id), None),
        DepartmentsPageSchema(),
        seconds=DIRECTORY_SECONDS,
    )


@endpoint(
    blueprint,
    "GET",
    "/<uuid:hospital_id>/schedules",
    query=HospitalDayQuery,
    reply=SchedulesPageSchema,
    also=_NOT_MODIFIED,
    refusals=(NotFound,),
    summary="By date first: one day of a hospital",
)
def get_hospital_schedules(hospital_id: UUID, query: dict[str, Any]) -> Response:
    day, department_id, cursor, limit = query["date"], query["department_id"], query["cursor"], query["limit"]
    return reading_shared(
        ("hospital", hospital_id, day, department_id, cursor, limit),
        lambda session, now: hospital_schedules(
            session, hospital_id, day=day, department_id=department_id, cursor=cursor, limit=limit, now=now
        ),
        _SCHEDULES,
    )


@endpoint(
    search_blueprint,
    "GET",
    "",
    query=SearchQuery,
    reply=FoundSchema,
    also=_NOT_MODIFIED,
    summary="Hospitals, departments and doctors that answer best",
)
def get_search(query: dict[str, Any]) -> Response:
    return reading_public(lambda session, _now: search(session, query["q"]), FoundSchema(), seconds=DIRECTORY_SECONDS)
