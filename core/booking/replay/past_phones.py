"""How many numbers had been booked for a phone when somebody booked: read only where terms limit them.

The phone is that of today: nobody keeps the one of then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from core.booking.replay.past_booking import PastBooking
from core.booking.replay.past_states import PastStates, in_parts
from core.booking.replay.past_terms import PastTerms
from core.booking.rules.phone_limit import month_begins
from core.booking.terms import Terms
from models.appointment import HOLDS_SLOT, Appointment
from models.person import Dependent

_Phone = tuple[bytes, int]
"""Its digest, and the key of that."""


@dataclass(frozen=True)
class _Number:
    """One that was booked; `replaces_id` as long as it stood beside that one."""

    id: UUID
    created_at: datetime
    replaces_id: UUID | None


@dataclass(frozen=True)
class PastPhones:
    """The numbers of one phone, whoever booked them."""

    by_phone: Mapping[_Phone, Sequence[_Number]]
    states: PastStates

    @classmethod
    def read(cls, session: Session, past: Sequence[PastBooking], terms: PastTerms) -> PastPhones:
        wanted = [one for one in past if _is_asked(one, terms.of(one)[1])]
        found, every = defaultdict(list), set[UUID]()
        for phones in in_parts({one.dependent.phone_hash for one in wanted}):
            since, until = month_begins(wanted[0].appointment.created_at), wanted[-1].appointment.created_at
            for phone, number in _read(session, phones, since=since, until=until):
                found[phone].append(number)
                every |= {number.id} if number.replaces_id is None else {number.id, number.replaces_id}
        return cls(found, PastStates.read(session, every))

    def booked_by_phone(self, one: PastBooking, terms: Terms, *, never: Collection[UUID]) -> int:
        """In the words of `core/booking/rules/phone_limit.py`, but for numbers that were `never` booked. None where the
        terms that it was sold under would refuse as well: somebody has another phone since."""
        row = one.appointment
        if not _is_asked(one, terms):
            return 0
        since = month_begins(row.created_at)
        before = [
            number
            for number in self.by_phone.get(_phone_of(one), ())
            if since <= number.created_at
            and (number.created_at, number.id) < (row.created_at, row.id)
            and self._stood(number.id, row.created_at, never)
        ]
        count = len({self._stands_for(number, row.created_at, never) for number in before} - {row.replaces_id})
        most_then = Terms.from_document(row.terms).max_per_phone_month
        return 0 if most_then and count >= most_then else count

    def _stood(self, number_id: UUID, at: datetime, never: Collection[UUID]) -> bool:
        return number_id not in never and self.states.at(number_id, at) in HOLDS_SLOT

    def _stands_for(self, number: _Number, at: datetime, never: Collection[UUID]) -> UUID:
        replaced = number.replaces_id
        return number.id if replaced is None or not self._stood(replaced, at, never) else replaced


def _is_asked(one: PastBooking, terms: Terms) -> bool:
    """Of whoever was removed nobody knows a phone any more."""
    return bool(terms.max_per_phone_month) and one.dependent.archived_at is None


def _phone_of(one: PastBooking) -> _Phone:
    return one.dependent.phone_hash, one.dependent.phone_hash_key


def _read(
    session: Session, phones: Collection[bytes], *, since: datetime, until: datetime
) -> Iterator[tuple[_Phone, _Number]]:
    own = and_(Dependent.id == Appointment.dependent_id, Dependent.account_id == Appointment.account_id)  # by index
    query = (
        select(
            Dependent.phone_hash,
            Dependent.phone_hash_key,
            Appointment.id,
            Appointment.created_at,
            Appointment.replaces_id,
        )
        .join(Dependent, own)
        .where(
            Dependent.phone_hash.in_(phones),
            Appointment.follow_up_of_id.is_(None),
            Appointment.created_at >= since,
            Appointment.created_at <= until,
        )
    )
    return ((row[:2], _Number(*row[2:])) for row in session.execute(query))
