"""A hospital's own system in memory, with its own book of claims."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeVar
from uuid import UUID

from harness import Patient
from sqlalchemy import func, select, update

from core.ports import (
    HoldOrder,
    HospitalAnswer,
    HospitalPatient,
    HospitalRefusal,
    HospitalRefused,
    HospitalSays,
    ProviderUnavailable,
    PublishedHalfDay,
    VisitEvent,
    VisitPage,
)
from models.hospital import Hospital
from models.hospital_claim import HospitalClaim
from models.job import Job
from models.schedule import Schedule

T = TypeVar("T")
LOST: list[str | HospitalRefusal] = ["before", "after", "down", HospitalRefusal.OURS]
"""How a call may end without an answer to it."""
_OF_CLAIMS = frozenset({"find", "create", "hold", "confirm", "release", "ask"})


class FakeHospital:
    """Port HospitalSystem. `faults` go wrong once each, in order, by verb: `before` and `after` are an answer that is
    lost before and after the deed, `down` is nobody there, a HospitalRefusal is its word; `faults_of` are those of one
    claim. `away` is down for all, `deaf_to` for this verb of that claim.
    `most_at_once`: how many calls about claims it ever had at one time."""

    def __init__(self, system: str = "his") -> None:
        self.system = system
        self.claims: dict[str, HospitalSays] = {}
        self.orders: dict[str, HoldOrder] = {}
        self.paid: dict[str, int] = {}
        self.records: dict[str, str] = {}
        self.faults: list[tuple[str, str | HospitalRefusal]] = []
        self.faults_of: dict[str, tuple[str, str | HospitalRefusal]] = {}
        self.deaf_to: set[tuple[str, str]] = set()
        self.away = False
        self.most_at_once = self._busy = 0
        self.calls: list[str] = []
        self.meanwhile: Callable[[str], object] = lambda _verb: None
        self.offered: list[PublishedHalfDay] = []
        self.seen: list[VisitEvent] = []

    def _call(self, verb: str, deed: Callable[[], T], claim: str = "") -> T:
        self.calls.append(verb)
        if self.away or (verb, claim) in self.deaf_to:
            raise ProviderUnavailable("nobody there", sent=False)
        self._busy += verb in _OF_CLAIMS
        self.most_at_once = max(self.most_at_once, self._busy)
        try:
            return self._answered(verb, deed, claim)
        finally:
            self._busy -= verb in _OF_CLAIMS

    def _fault(self, verb: str, claim: str) -> str | HospitalRefusal | None:
        if self.faults_of.get(claim, ("",))[0] == verb:
            return self.faults_of.pop(claim)[1]
        return self.faults.pop(0)[1] if self.faults and self.faults[0][0] == verb else None

    def _answered(self, verb: str, deed: Callable[[], T], claim: str) -> T:
        fault = self._fault(verb, claim)
        self.meanwhile(verb)
        if isinstance(fault, HospitalRefusal):
            if verb in {"hold", "confirm"} and fault is not HospitalRefusal.OURS:
                self.claims[claim] = HospitalSays.REFUSED
            raise HospitalRefused(fault, "HIS-1")
        if fault in {"before", "down"}:
            raise ProviderUnavailable("silent", sent=fault == "before")
        done = deed()
        if fault == "after":
            raise ProviderUnavailable("silent", sent=True)
        return done

    def _answer(self, claim: str) -> HospitalAnswer:
        says = self.claims.get(claim, HospitalSays.NONE)
        if says is not HospitalSays.CONFIRMED:
            return HospitalAnswer(claim, says)
        return HospitalAnswer(claim, says, number=f"HIS{claim}", sequence=77)

    def _become(self, claim: str, says: HospitalSays) -> HospitalAnswer:
        self.claims[claim] = says
        return self._answer(claim)

    def find_patient(self, hospital: str, patient: HospitalPatient) -> str | None:
        return self._call("find", lambda: self.records.get(patient.id_number))

    def create_patient(self, hospital: str, patient: HospitalPatient) -> str:
        number = f"MR{len(self.records) + 1:06d}"
        return self._call("create", lambda: self.records.setdefault(patient.id_number, number))

    def hold(self, order: HoldOrder) -> HospitalAnswer:
        def deed() -> HospitalAnswer:
            if self.claims.get(order.claim) is HospitalSays.RELEASED:
                raise HospitalRefused(HospitalRefusal.OTHER, "RELEASED")
            self.orders[order.claim] = order
            return self._become(order.claim, self.claims.get(order.claim, HospitalSays.HELD))

        return self._call("hold", deed, order.claim)

    def confirm(self, claim: str, *, paid_fen: int) -> HospitalAnswer:
        def deed() -> HospitalAnswer:
            assert self.claims[claim] in {HospitalSays.HELD, HospitalSays.CONFIRMED}, "only what is held"
            self.paid[claim] = paid_fen
            return self._become(claim, HospitalSays.CONFIRMED)

        return self._call("confirm", deed, claim)

    def release(self, claim: str) -> HospitalAnswer:
        return self._call("release", lambda: self._become(claim, HospitalSays.RELEASED), claim)

    def ask(self, claim: str) -> HospitalAnswer:
        return self._call("ask", lambda: self._answer(claim), claim)

    def half_days(self, hospital: str, *, first: date, last: date) -> list[PublishedHalfDay]:
        return self._call("half_days", lambda: [one for one in self.offered if first <= one.visit_date <= last])

    def visits(self, hospital: str, *, after: str | None) -> VisitPage:
        since = int(after or 0)
        return self._call("visits", lambda: VisitPage(tuple(self.seen[since:]), str(len(self.seen)), more=False))


def connect(patient: Patient) -> FakeHospital:
    """The patient's hospital has a system of its own from now on."""
    his = FakeHospital()
    patient.adapters.hospitals[his.system] = his
    of_schedule = select(Schedule.hospital_id).where(Schedule.id == patient.schedule_id).scalar_subquery()
    patient.write(
        lambda session, _now: session.execute(
            update(Hospital).where(Hospital.id == of_schedule).values(system=his.system)
        )
    )
    return his


def claim_of(patient: Patient, appointment_id: UUID) -> HospitalClaim:
    query = select(HospitalClaim).where(HospitalClaim.appointment_id == appointment_id)
    return patient.read(lambda session: session.scalars(query).one())


def pay(patient: Patient, appointment_id: UUID) -> None:
    """Paid at the platform, and its event has arrived."""
    assert patient.open_payment(appointment_id) is None
    patient.hear(patient.gateway.pay(patient.payments()[-1].out_trade_no))


def settled(patient: Patient, *, most: int = 30) -> None:
    """Let a few minutes pass in steps, as long as anything is to be said or given back."""
    kinds = ("settle_claim", "close_payments", "return_slot")
    busy = select(func.count()).select_from(Job).where(Job.done_at.is_(None), Job.kind.in_(kinds))
    for _ in range(most):
        patient.work(after=timedelta(seconds=10))
        if not patient.read(lambda session: session.scalar(busy)):
            return
