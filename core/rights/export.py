"""All that is kept about an account, in clear and in one document, for its holder (rules.md L-05)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.dependents.agreements import has_agreed
from core.dependents.grants import view_grant
from core.rights.access import ONESELF, AccessAction, AccessPurpose, note_access
from core.rights.holdings import HOLDINGS
from models.appointment import Appointment
from models.base import Base, table_of
from models.hospital import Department, Hospital
from models.person import Dependent, PersonIdentifier
from models.sealing import ERASED, Vault
from models.states import StateEvent

_SEALED = "_sealed"
# What only our own machinery reads: digests to find things by, key numbers, and counters of moves.
_INTERNAL_ENDINGS = ("_hash", "_hash_key")
# And what leads to another account: the other side of a join, and the person who may stand in several.
_OTHERS = frozenset(
    {"person_id", "identifier_id", "earlier_identifier_id", "carried", "actor_id", "replaces_id", "joined_into_id"}
) | {f"{which}_account_id" for which in ("asking", "asked", "kept", "emptied")}
_OTHER_SIDES = {"grants_given": ("account_id", "accepted_by_id"), "grants_held": ("dependent_id",)}
_INTERNAL = frozenset({"moved", "dedup", "terms"})


def export_account(session: Session, *, account_id: UUID, vault: Vault, now: datetime) -> dict[str, Any]:
    """Lists of rows by what they are; sealed values are opened under their bare name, instants are in UTC.

    `moves` are the changes of state of all of them. That it was handed out is noted in the access log.
    """
    held = {one.name: _rows(session, one.record, one.told_to(account_id)) for one in HOLDINGS}
    told = {name: [_told(row, vault) for row in rows] for name, rows in held.items()}
    for dependent, row in zip(told["dependents"], held["dependents"], strict=True):
        known = row.name_sealed != ERASED  # the document may be another account's too, and is its alone now
        identifier = session.get_one(PersonIdentifier, row.identifier_id)
        dependent["id_number"] = row.number(vault, identifier) if known else None
        dependent["birth_date"] = dependent["birth_date"] if known else None  # the row keeps a day that is nobody's
        dependent["earlier_id_number"] = _earlier_number(session, row, vault)
        if row.handed_over_at is not None and not has_agreed(session, row):
            dependent |= {"name": row.name_masked, **dict.fromkeys(("id_number", "earlier_id_number"))}
    for shown, row in zip(told["appointments"], held["appointments"], strict=True):
        shown.update(_places(session, row))
    _hide_others(session, told, held, account_id, now=now)
    moves = _moves(session, [row.id for rows in held.values() for row in rows])
    note_access(
        session,
        actor=ONESELF,
        action=AccessAction.EXPORTED,
        purpose=AccessPurpose.OWN_REQUEST,
        account_id=account_id,
        result="handed_out",
        now=now,
    )
    (account,) = told.pop("account")
    return {"exported_at": _plain(now), "account": account, **told, "moves": [_told(one, vault) for one in moves]}


def _earlier_number(session: Session, dependent: Dependent, vault: Vault) -> str | None:
    """Of the birth certificate that named them before."""
    if dependent.earlier_identifier_id is None:
        return None
    return session.get_one(PersonIdentifier, dependent.earlier_identifier_id).number(vault)


def _hide_others(
    session: Session,
    told: dict[str, list[dict[str, Any]]],
    held: dict[str, list[Any]],
    account_id: UUID,
    *,
    now: datetime,
) -> None:
    """Of a grant's other side the masked name is told, as in the list of grants; of a payment made for another account,
    or by one, no more than the payment itself."""
    for name, others in _OTHER_SIDES.items():
        for shown, row in zip(told[name], held[name], strict=True):
            whom = session.get_one(Dependent, row.dependent_id)
            other = view_grant(session, row, whom, account_id, now=now).other
            shown["other_name_masked"] = None if other is None else other.name_masked
            for one in others:
                del shown[one]
    for shown, row in zip(told["payments"], held["payments"], strict=True):
        if row.grant_id is not None:  # by what means the other side paid is the other side's
            for one in ("payer_identity_id", "funding", "platform_trade_no"):
                del shown[one]
    under_grant = {row.id for row in held["payments"] if row.grant_id is not None}
    for shown, row in zip(told["refunds"], held["refunds"], strict=True):
        if row.payment_id in under_grant:
            del shown["received_account"]
    for shown in told["payments_for_others"]:
        del shown["account_id"]


def _rows(session: Session, record: type[Base], where: Any) -> list[Any]:
    id_column = table_of(record).c.id
    return list(session.scalars(select(record).where(where).order_by(id_column)))


def _moves(session: Session, record_ids: list[UUID]) -> Iterable[StateEvent]:
    found: list[StateEvent] = []
    for start in range(0, len(record_ids), 500):  # as many as any database takes in one statement
        some = record_ids[start : start + 500]
        found += session.scalars(select(StateEvent).where(StateEvent.record_id.in_(some)))
    return sorted(found, key=lambda event: (event.at, event.id))


def _told(row: Any, vault: Vault) -> dict[str, Any]:
    table = table_of(type(row)).name
    told: dict[str, Any] = {}
    for attribute in type(row).__mapper__.column_attrs:
        name, value = attribute.columns[0].name, getattr(row, attribute.key)
        if name in _INTERNAL | _OTHERS or name.endswith(_INTERNAL_ENDINGS):
            continue
        if name.endswith(_SEALED):
            name = name.removesuffix(_SEALED)
            value = None if value in (None, ERASED) else vault.open_text(f"{table}.{name}", row.id, value)
        told[name] = _plain(value)
    return told


def _places(session: Session, appointment: Appointment) -> dict[str, str]:
    hospital = session.get_one(Hospital, appointment.hospital_id)
    department = session.get_one(Department, appointment.department_id)
    return {"hospital": hospital.name, "department": department.name}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, (date, UUID)):
        return str(value)
    return value.value if isinstance(value, Enum) else value
