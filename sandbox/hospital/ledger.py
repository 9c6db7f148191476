"""The hospital's own book: claims, patients' records, half days on offer, visits. Each deed is one transaction."""

import json
from collections.abc import Mapping
from typing import Any

from sandbox.context import Sandbox
from sandbox.crypto import random_digits
from sandbox.store import Row, Tx, first

HELD, CONFIRMED, RELEASED, REFUSED = "held", "confirmed", "released", "refused"
LIVE = (HELD, CONFIRMED)
VISITS = ("arrived", "fulfilled", "noshow")
PLACE = ("hospital", "department", "doctor", "visit_date", "period", "clinic_type", "schedule_starts_at", "sequence")


class No(Exception):
    """What the hospital will not do."""

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(code)
        self.reason = reason
        self.code = code


def place_of(asked: Mapping[str, Any]) -> str:
    """One number of one half day."""
    return json.dumps([asked.get(name) for name in PLACE], ensure_ascii=False)


def hold(sandbox: Sandbox, claim: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The same claim again is the same number. Raises: No."""
    place = place_of(asked)
    with sandbox.store.transaction() as tx:
        known = _row(tx, claim)
        if known is not None and known["state"] == RELEASED:
            raise No("other", "claim_released")
        if known is not None and known["place"] != place:
            raise No("other", "claim_used_otherwise")
        if known is not None:
            return shown(known)
        if first(tx, "select 1 from hospital_patients where number = ?", (asked.get("patient"),)) is None:
            raise No("patient", "no_such_patient")
        if first(tx, f"select 1 from hospital_claims where place = ? and state in {LIVE}", (place,)) is not None:
            raise No("taken", "number_taken")
        _insert(tx, sandbox.clock.now(), claim, place=place, state=HELD)
        tx.execute("update hospital_claims set patient = ? where claim = ?", (asked.get("patient"), claim))
        return shown(_row(tx, claim))


def confirm(sandbox: Sandbox, claim: str, paid_fen: int) -> dict[str, Any]:
    """Now it has a number of the hospital's, and one that is called out. Raises: No."""
    with sandbox.store.transaction() as tx:
        known = _row(tx, claim)
        if known is None or known["state"] not in LIVE:
            raise No("other", "not_held")
        if known["state"] == HELD:
            count = first(tx, "select count(*) as n from hospital_claims where sequence is not null")
            tx.execute(
                "update hospital_claims set state = ?, paid_fen = ?, number = ?, sequence = ? where claim = ?",
                (CONFIRMED, paid_fen, f"GH{random_digits(10)}", 101 + int(count["n"] if count else 0), claim),
            )
        return shown(_row(tx, claim))


def release(sandbox: Sandbox, claim: str) -> dict[str, Any]:
    """What is not known is remembered, so that it can never be held. Raises: No where the visit has begun."""
    with sandbox.store.transaction() as tx:
        known = _row(tx, claim)
        if known is None:
            _insert(tx, sandbox.clock.now(), claim, place="", state=RELEASED)
        elif known["state"] in LIVE:
            seen = "select 1 from hospital_visits where claim = ? and kind != 'noshow'"
            if first(tx, seen, (claim,)) is not None:
                raise No("used", "visit_has_begun")
            tx.execute("update hospital_claims set state = ? where claim = ?", (RELEASED, claim))
        return shown(_row(tx, claim))


def ask(sandbox: Sandbox, claim: str) -> dict[str, Any]:
    """`none` where it is not known."""
    known = sandbox.store.one("select * from hospital_claims where claim = ?", (claim,))
    return {"claim": claim, "status": "none"} if known is None else shown(known)


def refuse(sandbox: Sandbox, claim: str, asked: Mapping[str, Any], reason: str) -> None:
    """The hospital's mind is made up, and its book says so."""
    with sandbox.store.transaction() as tx:
        if _row(tx, claim) is None:
            _insert(tx, sandbox.clock.now(), claim, place=place_of(asked), state=REFUSED, reason=reason)
        else:
            tx.execute("update hospital_claims set state = ?, reason = ? where claim = ?", (REFUSED, reason, claim))


def find_patient(sandbox: Sandbox, asked: Mapping[str, Any]) -> str | None:
    """By hospital and document."""
    row = sandbox.store.one(
        "select number from hospital_patients where hospital = ? and id_type = ? and id_number = ?", _document(asked)
    )
    return None if row is None else str(row["number"])


def create_patient(sandbox: Sandbox, asked: Mapping[str, Any]) -> str:
    """Once for a document."""
    with sandbox.store.transaction() as tx:
        known = first(
            tx,
            "select number from hospital_patients where hospital = ? and id_type = ? and id_number = ?",
            _document(asked),
        )
        if known is not None:
            return str(known["number"])
        number = f"BL{random_digits(8)}"
        tx.execute("insert into hospital_patients values (?, ?, ?, ?)", (*_document(asked), number))
        return number


def offers(sandbox: Sandbox, hospital: str, earliest: str, latest: str) -> list[dict[str, Any]]:
    """Half days on offer, both days included."""
    rows = sandbox.store.all("select content from hospital_offers where hospital = ? order by id", (hospital,))
    items: list[dict[str, Any]] = [json.loads(row["content"]) for row in rows]
    return [one for one in items if earliest <= str(one.get("visit_date")) <= latest]


def visits(sandbox: Sandbox, hospital: str, after: int, most: int) -> list[Row]:
    """What was written after that one."""
    return sandbox.store.all(
        "select * from hospital_visits where hospital = ? and id > ? order by id limit ?", (hospital, after, most)
    )


def shown(row: Row | None) -> dict[str, Any]:
    """A claim as the hospital tells it."""
    assert row is not None
    told = {"claim": row["claim"], "status": row["state"], "number": row["number"], "sequence": row["sequence"]}
    return {name: value for name, value in {**told, "reason": row["reason"]}.items() if value is not None}


def _document(asked: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(asked.get("hospital")), str(asked.get("id_type")), str(asked.get("id_number"))


def _row(tx: Tx, claim: str) -> Row | None:
    return first(tx, "select * from hospital_claims where claim = ?", (claim,))


def _insert(tx: Tx, at: float, claim: str, *, place: str, state: str, reason: str | None = None) -> None:
    tx.execute(
        "insert into hospital_claims (claim, place, state, reason, created_at) values (?, ?, ?, ?, ?)",
        (claim, place, state, reason, at),
    )
