"""After the load: every promise still holds, and exactly the numbers that were asked for are sold."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, text

from bench.figures import BenchFailed
from bench.house import House
from core.invariants import check_invariants
from models.appointment import Appointment
from models.base import Base
from models.charge import Charge, ChargeLine
from models.idempotency import IdempotencyKey
from models.schedule import Slot, SlotStatus
from models.states import StateEvent

_ONE_EACH: tuple[type[Base], ...] = (Appointment, Charge, ChargeLine, IdempotencyKey)


def require_promises(house: House) -> None:
    """Raises: BenchFailed."""
    with house.database.read() as session:
        broken = Counter(one.invariant for one in check_invariants(session, now=datetime.now(UTC)))
    if broken:
        raise BenchFailed(f"invariants are broken: {dict(broken)}")


def require_health(house: House, *, sold: int) -> None:
    """Every promise, and as many rows as numbers were sold. Raises: BenchFailed."""
    require_promises(house)
    with house.database.read() as session:
        found = {record.__tablename__: session.scalar(select(func.count()).select_from(record)) for record in _ONE_EACH}
        found["slots"] = session.scalar(select(func.count()).where(Slot.status != SlotStatus.FREE))
        found["state_events"] = (session.scalar(select(func.count()).select_from(StateEvent)) or 0) // 2
    wrong = {name: count for name, count in found.items() if count != sold}
    if wrong:
        raise BenchFailed(f"{sold} numbers were sold, but there are {wrong}")


def settle(house: House) -> None:
    """Fresh statistics over tables that hold something, and no leftover of the seeding in the way.

    ANALYZE of an empty table would fix sequential scans into every cached plan (docs/performance.md)."""
    if house.database.is_sqlite:
        with house.database.write() as session:
            session.execute(text("ANALYZE"))
        return
    with house.database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))


def require_durable(house: House) -> str:
    """The server's version, once it is known to wait for the disk. Raises: BenchFailed."""
    with house.database.read() as session:
        settings: dict[str, Any] = {
            name: session.scalar(text(f"SHOW {name}")) for name in ("fsync", "synchronous_commit", "full_page_writes")
        }
        if set(settings.values()) != {"on"}:
            raise BenchFailed(f"PostgreSQL does not wait for the disk: {settings}")
        return str(session.scalar(text("SHOW server_version")))
