"""Finding a hospital, and what a patient is told about it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select
from sqlalchemy.orm import Session

from core.booking.policy import BookingPolicy
from core.booking.policy_book import policies_for
from core.catalog.search import aliases_of, answers
from core.paging import Page, make_cursor, read_cursor
from models.errors import FieldError, NotFound, ValidationFailed
from models.hospital import Campus, Hospital, Roster

_EARTH_RADIUS_M = 6_371_000
_NOWHERE = 50_000_000
"""Further than any place on earth: hospitals without a point come last."""


@dataclass(frozen=True)
class Point:
    """Degrees."""

    lat: float
    lng: float


@dataclass(frozen=True)
class HospitalWish:
    """What to look for. `adcode` is a region's code without the zeros behind it: 32, 3201 or 320106."""

    question: str | None = None
    adcode: str | None = None
    near: Point | None = None


@dataclass(frozen=True)
class ListedHospital:
    hospital: Hospital
    distance_m: int | None

    @property
    def aliases(self) -> list[str]:
        return aliases_of(self.hospital.alias)


@dataclass(frozen=True)
class HospitalDetail:
    """`policy` is the hospital's own, every key of it set; fees are those of its weekly clinics, if it has any."""

    hospital: Hospital
    campuses: list[Campus]
    policy: BookingPolicy
    lowest_fee_fen: int | None
    highest_fee_fen: int | None

    @property
    def aliases(self) -> list[str]:
        return aliases_of(self.hospital.alias)


def list_hospitals(session: Session, wish: HospitalWish, *, cursor: str | None, limit: int) -> Page[ListedHospital]:
    """The best answers first, then the nearest, then the oldest entry.

    Raises: ValidationFailed."""
    conditions: list[ColumnElement[bool]] = []
    rank: ColumnElement[int] = literal(0)
    if wish.adcode:
        conditions.append(Hospital.adcode.like(f"{wish.adcode}%"))
    if wish.question is not None:
        found = answers(Hospital.search_text, wish.question)
        if found is None:
            return Page([], None)
        conditions.append(found.match)
        rank = found.rank
    after = None if cursor is None else read_cursor(cursor)
    if wish.near is None:
        return _by_rank(session, select(Hospital).where(*conditions), rank, after=after, limit=limit)
    return _by_distance(session, conditions, rank, wish.near, after=after, limit=limit)


def _by_rank(
    session: Session, query: Select[Hospital], rank: ColumnElement[int], *, after: UUID | None, limit: int
) -> Page[ListedHospital]:
    if after is not None:
        passed = session.scalar(select(rank).where(Hospital.id == after))
        if passed is None:
            raise ValidationFailed(FieldError("?cursor", "invalid_cursor"))
        query = query.where(or_(rank > passed, and_(rank == passed, Hospital.id > after)))
    rows = session.scalars(query.order_by(rank, Hospital.id).limit(limit + 1)).all()
    items = [ListedHospital(row, None) for row in rows[:limit]]
    return Page(items, make_cursor(items[-1].hospital.id) if len(rows) > limit else None)


def _by_distance(
    session: Session,
    conditions: list[ColumnElement[bool]],
    rank: ColumnElement[int],
    near: Point,
    *,
    after: UUID | None,
    limit: int,
) -> Page[ListedHospital]:
    """Sines are not in every SQL: a few columns of all that match are sorted here, and one page is read whole."""
    places = session.execute(select(Hospital.id, Hospital.lat, Hospital.lng, rank).where(*conditions)).all()
    far = {hospital_id: _distance_or_none(near, lat, lng) for hospital_id, lat, lng, _ in places}
    order = sorted((place, _NOWHERE if far[one] is None else far[one], one) for one, _, _, place in places)
    start = 0
    if after is not None:
        at = next((number for number, key in enumerate(order) if key[2] == after), None)
        if at is None:
            raise ValidationFailed(FieldError("?cursor", "invalid_cursor"))
        start = at + 1
    ids = [key[2] for key in order[start : start + limit]]
    rows = {row.id: row for row in session.scalars(select(Hospital).where(Hospital.id.in_(ids)))}
    items = [ListedHospital(rows[one], far[one]) for one in ids]
    return Page(items, make_cursor(ids[-1]) if ids and start + limit < len(order) else None)


def _distance_or_none(near: Point, lat: float | None, lng: float | None) -> int | None:
    return None if lat is None or lng is None else distance_m(near, Point(lat, lng))


def distance_m(one: Point, other: Point) -> int:
    """Along the earth's surface, by the haversine formula, in whole metres."""
    lat, other_lat = math.radians(one.lat), math.radians(other.lat)
    across = math.radians(other.lng - one.lng)
    chord = math.sin((other_lat - lat) / 2) ** 2 + math.cos(lat) * math.cos(other_lat) * math.sin(across / 2) ** 2
    return round(2 * _EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, chord))))


def hospital_detail(session: Session, hospital_id: UUID) -> HospitalDetail:
    """Raises: NotFound."""
    hospital = find_hospital(session, hospital_id)
    campuses = session.scalars(select(Campus).where(Campus.hospital_id == hospital_id).order_by(Campus.id)).all()
    lowest, highest = session.execute(
        select(func.min(Roster.fee_fen), func.max(Roster.fee_fen)).where(
            Roster.hospital_id == hospital_id, Roster.retired_at.is_(None)
        )
    ).one()
    return HospitalDetail(hospital, list(campuses), policies_for(session, hospital=hospital), lowest, highest)


def find_hospital(session: Session, hospital_id: UUID) -> Hospital:
    """Raises: NotFound."""
    found = session.get(Hospital, hospital_id)
    if found is None:
        raise NotFound()
    return found
