"""Years of appointments, in bulk: each row is a copy of one that a real booking left, with ids and days of its own.

All of them were kept (`fulfilled`), over the last thousand days. Who is going to book is among the people who did.
Everything that a booking writes and that is kept is there: schedule, number, charge, line, appointment, their events;
for each person account, login, consents, document and dependent. Keys and jobs are not: they are swept after days.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from bench.bulk import in_bulk
from bench.figures import BenchFailed
from bench.house import House
from bench.seed import Offer, Patient
from core.clock import hospital_day
from models.account import Account, Consent, LoginSession, PlatformIdentity
from models.appointment import Appointment
from models.base import Base, table_of
from models.charge import Charge, ChargeLine
from models.person import Dependent, Person, PersonIdentifier
from models.schedule import Schedule, Slot
from models.states import StateEvent

VISITS_EACH = 20
"""Of a person on average, where there are enough visits for everybody who is going to book."""
_PER_HALF_DAY = 50
_DAYS = 1_000
_CHUNK = 100_000

Changes = Mapping[str, str]
"""What differs from the copied row `t`, in SQL over a row `s` of the source."""

_PEOPLE = """CREATE UNLOGGED TABLE history.people AS SELECT n, uuidv7() AS account_id, uuidv7() AS person_id,
 uuidv7() AS dependent_id, uuidv7() AS identifier_id, uuidv7() AS identity_id
 FROM generate_series({known}, {people} - 1) n"""
_KNOWN = """INSERT INTO history.people (n, account_id, person_id, dependent_id) SELECT n - 1, a, p, d
 FROM unnest(%(accounts)s::uuid[], %(persons)s::uuid[], %(dependents)s::uuid[]) WITH ORDINALITY AS known (a, p, d, n)"""
_HALF_DAYS = """CREATE UNLOGGED TABLE history.half_days AS SELECT k, uuidv7() AS id, d.id AS doctor_id,
 d.code AS doctor_code, d.department_id, {ahead} + {days} - k * {days} / {half_days} AS back
 FROM generate_series(0, {half_days} - 1) k JOIN (SELECT id, code, department_id, row_number() OVER (ORDER BY id) - 1
 AS at FROM doctors WHERE id IN (SELECT doctor_id FROM schedules WHERE id = ANY('{{{schedules}}}'))) d
 ON d.at = k % {doctors}"""
_VISITS = """CREATE UNLOGGED TABLE history.visits AS SELECT v.n, v.n % {each} + 1 AS sequence, h.id AS schedule_id,
 h.department_id, h.back, uuidv7() AS id, uuidv7() AS slot_id, uuidv7() AS charge_id, p.account_id, p.person_id,
 p.dependent_id FROM generate_series({first}, {last}) v (n) JOIN history.half_days h ON h.k = v.n / {each}
 JOIN history.people p ON p.n = v.n % {people}"""

_ID, _ACCOUNT, _DIGEST = {"id": "uuidv7()"}, {"account_id": "s.account_id"}, "sha256(uuid_send(s.identifier_id))"


def _earlier(*columns: str) -> Changes:
    return {column: f"t.{column} - s.back * interval '1 day'" for column in columns}


_OF_PERSON: Sequence[tuple[type[Base], Changes]] = (
    (Account, {"id": "s.account_id"}),
    (Person, {"id": "s.person_id"}),
    (PersonIdentifier, {"id": "s.identifier_id", "person_id": "s.person_id", "number_hash": _DIGEST}),
    (PlatformIdentity, {"id": "s.identity_id", **_ACCOUNT, "subject_hash": _DIGEST}),
    (
        Dependent,
        {
            **{"id": "s.dependent_id", "person_id": "s.person_id", "identifier_id": "s.identifier_id"},
            **_ACCOUNT,
            "phone_hash": _DIGEST,
        },
    ),
    (LoginSession, {**_ID, **_ACCOUNT, "platform_identity_id": "s.identity_id", "token_hash": _DIGEST}),
    (Consent, {**_ID, **_ACCOUNT}),
)
_OF_HALF_DAY: Changes = {
    **{name: f"s.{name}" for name in ("id", "doctor_id", "doctor_code", "department_id")},
    "visit_date": "t.visit_date - s.back",
    **_earlier("starts_at", "ends_at", "release_at", "closes_at", "cancel_before", "created_at"),
}
_OF_VISIT: Sequence[tuple[type[Base], Changes]] = (
    (
        Slot,
        {
            "id": "s.slot_id",
            "schedule_id": "s.schedule_id",
            "sequence": "s.sequence",
            **_earlier("starts_at", "ends_at"),
        },
    ),
    (Charge, {"id": "s.charge_id", **_ACCOUNT, **_earlier("created_at")}),
    (
        Appointment,
        {
            **{name: f"s.{name}" for name in ("id", "slot_id", "charge_id", "schedule_id", "department_id")},
            **{name: f"s.{name}" for name in ("account_id", "person_id", "dependent_id")},
            "number": "'H' || s.n",
            "visit_date": "t.visit_date - s.back",
            "status": "'fulfilled'",
            "moved": "3",
            **_earlier("cancel_before", "created_at"),
        },
    ),
    (ChargeLine, {**_ID, "charge_id": "s.charge_id", "appointment_id": "s.id"}),
)
_EVENT: Changes = {**_ID, **_earlier("at"), "actor_id": "s.account_id::text"}
_A_DAY_LATER = f"{_EVENT['at']} + interval '1 day'"
_LATER: Sequence[Changes] = (
    {"seq": "2", "from_status": "'booked'", "to_status": "'arrived'", "at": _A_DAY_LATER},
    {"seq": "3", "from_status": "'arrived'", "to_status": "'fulfilled'", "at": _A_DAY_LATER},
)
_FILLED = {table_of(record).name for record, _ in (*_OF_PERSON, *_OF_VISIT)} | {"schedules", "state_events"}


class History:
    """Of one house. `template` is who has one booked number of `offers`, to be paid on site, and nothing else."""

    def __init__(self, house: House, template: Patient, bookers: Sequence[Patient], offers: Sequence[Offer]) -> None:
        self._house, self._bookers, self._offers = house, bookers, offers
        with house.database.read() as session:
            of_template = select(Appointment).where(Appointment.account_id == template.account_id)
            self._copied = session.scalars(of_template).one()
            of_charge = select(ChargeLine.id).where(ChargeLine.charge_id == self._copied.charge_id)
            line = session.scalars(of_charge).one()
            dependent = session.get_one(Dependent, template.dependent_id)
        account = template.account_id
        self._templates: dict[type[Base], ColumnElement[bool]] = {
            Account: Account.id == account,
            Person: Person.id == template.person_id,
            PersonIdentifier: PersonIdentifier.id == dependent.identifier_id,
            PlatformIdentity: PlatformIdentity.account_id == account,
            Dependent: Dependent.id == template.dependent_id,
            LoginSession: LoginSession.account_id == account,
            Consent: Consent.account_id == account,
            Schedule: Schedule.id == self._copied.schedule_id,
            Slot: Slot.id == self._copied.slot_id,
            Charge: Charge.id == self._copied.charge_id,
            Appointment: Appointment.id == self._copied.id,
            ChargeLine: ChargeLine.id == line,
        }

    def fill(self, visits: int, *, trusted: bool, say: Callable[[str], None]) -> None:
        """`trusted`: the database need not look up what each row points at, and is written in bulk. `say` hears how far
        it is. Raises: BenchFailed."""
        with in_bulk(self._house, _FILLED, say=say) if trusted else nullcontext():
            self._fill(visits, trusted=trusted, say=say)

    def _fill(self, visits: int, *, trusted: bool, say: Callable[[str], None]) -> None:
        with self._house.database.engine.connect() as connection:
            _run(connection, f"SET session_replication_role = {'replica' if trusted else 'origin'}")
            people = max(visits // VISITS_EACH, len(self._bookers))
            self._settle_in(connection, people, -(-visits // _PER_HALF_DAY))
            for first in range(0, visits, _CHUNK):
                last = min(first + _CHUNK, visits) - 1
                _run(connection, _VISITS.format(each=_PER_HALF_DAY, first=first, last=last, people=people))
                self._book(connection)
                _run(connection, "DROP TABLE history.visits")
                connection.commit()
                say(f"{last + 1:>12,}")
            stored = connection.scalar(select(func.count()).select_from(Appointment))
            if stored != visits + 1:
                raise BenchFailed(f"{stored} appointments are stored, not {visits + 1}")
            _run(connection, "SET session_replication_role = origin")
            _run(connection, "DROP SCHEMA history CASCADE")
            connection.commit()

    def _settle_in(self, connection: Connection, people: int, half_days: int) -> None:
        """Everybody who came, and every half day."""
        ahead = (self._copied.visit_date - hospital_day(datetime.now(UTC))).days
        schedules = ",".join(str(offer.schedule_id) for offer in self._offers)
        _run(connection, "CREATE SCHEMA history")
        _run(connection, _PEOPLE.format(known=len(self._bookers), people=people))
        for record, changes in _OF_PERSON:
            self._copy(connection, record, changes, source="history.people")
        columns = {"accounts": "account_id", "persons": "person_id", "dependents": "dependent_id"}
        known = {name: [str(getattr(one, column)) for one in self._bookers] for name, column in columns.items()}
        connection.exec_driver_sql(_KNOWN, known)
        places = {"ahead": ahead, "days": _DAYS, "half_days": half_days, "doctors": len(self._offers)}
        _run(connection, _HALF_DAYS.format(schedules=schedules, **places))
        self._copy(connection, Schedule, _OF_HALF_DAY, source="history.half_days")
        _run(connection, "CREATE UNIQUE INDEX ON history.people (n)")
        _run(connection, "ANALYZE history.people")
        connection.commit()

    def _book(self, connection: Connection) -> None:
        source = "history.visits"
        for record, changes in _OF_VISIT:
            self._copy(connection, record, changes, source=source)
        of_slot, of_appointment = (
            and_(StateEvent.record_id == one, StateEvent.seq == 1) for one in (self._copied.slot_id, self._copied.id)
        )
        self._copy(connection, StateEvent, {**_EVENT, "record_id": "s.slot_id"}, source=source, template=of_slot)
        for later in ({}, *_LATER):
            changes = {**_EVENT, "record_id": "s.id", **later}
            self._copy(connection, StateEvent, changes, source=source, template=of_appointment)

    def _copy(
        self,
        connection: Connection,
        record: type[Base],
        changes: Changes,
        *,
        source: str,
        template: ColumnElement[bool] | None = None,
    ) -> None:
        """One row like the template's for each of the source."""
        table = table_of(record)
        which = select(table).where(self._templates[record] if template is None else template)
        rows = which.compile(connection, compile_kwargs={"literal_binds": True})
        names = [column.name for column in table.columns]
        values = ", ".join(changes.get(name, f"t.{name}") for name in names)
        into = f"{table.name} ({', '.join(names)})"
        _run(connection, f"INSERT INTO {into} SELECT {values} FROM {source} s CROSS JOIN ({rows}) t")


def _run(connection: Connection, statement: str) -> Any:
    return connection.exec_driver_sql(statement.replace("%", "%%"))
