"""What a patient is shown of waiting: who is served, how many are ahead, and why not yet."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.booking.waitlist.wait import people_ahead
from core.paging import Page, page_of
from models.hospital import Department, Doctor, Hospital
from models.person import Dependent
from models.waitlist import OPEN_ENTRY, WaitlistEntry, WaitlistPlace


@dataclass(frozen=True)
class PlaceView:
    """One of those whom the entry names; the codes of why no number was given yet."""

    place: WaitlistPlace
    dependent: Dependent
    reasons: list[str]


@dataclass(frozen=True)
class EntryView:
    """`ahead` is None where nobody waits any more."""

    entry: WaitlistEntry
    hospital: Hospital
    department: Department
    doctors: list[Doctor]
    places: list[PlaceView]
    ahead: int | None


def list_entries(session: Session, *, account_id: UUID, cursor: str | None, limit: int) -> Page[EntryView]:
    """The newest first."""
    own = select(WaitlistEntry).where(WaitlistEntry.account_id == account_id)
    page = page_of(session, own, WaitlistEntry.id, cursor=cursor, limit=limit, newest_first=True)
    return Page([view_of_entry(session, entry) for entry in page.items], page.next_cursor)


def view_of_entry(session: Session, entry: WaitlistEntry) -> EntryView:
    doctors = select(Doctor).where(Doctor.id.in_([UUID(one) for one in entry.doctor_ids])).order_by(Doctor.id)
    rows = session.execute(
        select(WaitlistPlace, Dependent)
        .join(Dependent, Dependent.id == WaitlistPlace.dependent_id)
        .where(WaitlistPlace.entry_id == entry.id)
        .order_by(WaitlistPlace.position)
    ).all()
    waits = entry.status in OPEN_ENTRY and any(place.appointment_id is None for place, _ in rows)
    ahead = people_ahead(session, entry) if waits else None
    return EntryView(
        entry=entry,
        hospital=session.get_one(Hospital, entry.hospital_id),
        department=session.get_one(Department, entry.department_id),
        doctors=list(session.scalars(doctors)),
        places=[PlaceView(place, dependent, _why_not(place, ahead)) for place, dependent in rows],
        ahead=ahead,
    )


def _why_not(place: WaitlistPlace, ahead: int | None) -> list[str]:
    if ahead is None or place.appointment_id is not None:
        return []
    refused = [] if place.skipped_why is None else [place.skipped_why]
    return [*refused, "people_ahead" if ahead else "no_number_yet"]
