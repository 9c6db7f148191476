"""One patient with one number, in an app that runs beside a real sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from crowd import Stranger, Town
from sqlalchemy import select
from wire import NoAnswer, Reply, eventually, new_key

from models.payment import Payment, Refund
from models.states import StateEvent


class Place(Protocol):
    """An app with its database and the platform beside it."""

    @property
    def town(self) -> Town: ...

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A call of the sandbox's /control that must succeed."""


@dataclass
class Case:
    """What one patient does, what we know of it, and what the platform has in its books."""

    place: Place
    stranger: Stranger
    schedule_id: UUID
    appointment_id: str
    channel: str = "wechat_jsapi"
    trade_no: str = ""

    # --- what the patient does

    def open_payment(self, key: str | None = None) -> Reply:
        reply = self.stranger.phone.post(self._payments, {"channel": self.channel}, key=key)
        if reply.status == 201:
            self.trade_no = reply.json["out_trade_no"]
        return reply

    def open_payment_once(self, key: str | None = None) -> Reply | NoAnswer:
        """Asked once, whatever comes of it."""
        try:
            return self.stranger.phone.send("POST", self._payments, {"channel": self.channel}, key=key or new_key())
        except NoAnswer as silence:
            return silence

    @property
    def _payments(self) -> str:
        return f"/appointments/{self.appointment_id}/payments"

    def pay(self, **how: Any) -> str:
        """At the platform; returns the id of its event."""
        return str(self.place.control("POST", f"/payments/{self.trade_no}/pay", how)["event_id"])

    def cancel(self) -> Reply:
        return self.stranger.phone.post(f"/appointments/{self.appointment_id}/cancellation")

    # --- what we know

    def shown(self) -> Any:
        return self.stranger.phone.get(f"/appointments/{self.appointment_id}")

    def status(self) -> str:
        return str(self.shown()["status"])

    def is_booked(self) -> bool:
        return self.status() == "booked"

    def is_refunded(self) -> bool:
        refund = self.shown()["refund"]
        return bool(refund and refund["status"] == "succeeded")

    def payments(self) -> list[Payment]:
        query = select(Payment).where(Payment.account_id == self.stranger.account_id).order_by(Payment.id)
        with self.place.town.database.read() as session:
            return list(session.scalars(query))

    def refunds(self) -> list[Refund]:
        query = select(Refund).join(Payment).where(Payment.account_id == self.stranger.account_id).order_by(Refund.id)
        with self.place.town.database.read() as session:
            return list(session.scalars(query))

    def moves(self) -> list[str]:
        """The statuses that the appointment has had."""
        query = select(StateEvent.to_status).where(StateEvent.record_id == UUID(self.appointment_id))
        with self.place.town.database.read() as session:
            return list(session.scalars(query.order_by(StateEvent.seq)))

    # --- what the platform has

    def ledger(self) -> list[dict[str, Any]]:
        ours = {one.out_trade_no for one in self.payments()}
        return [one for one in self.place.control("GET", "/ledger")["items"] if one["out_trade_no"] in ours]

    def kinds(self) -> list[str]:
        return sorted(one["kind"] for one in self.ledger())

    def counts(self) -> tuple[list[str], int, int]:
        """Its trades and refunds, and ours."""
        return self.kinds(), len(self.payments()), len(self.refunds())

    def kept_fen(self) -> int:
        """Of the patient's money, by the platform's books."""
        sign = {"trade": 1, "refund": -1}
        return sum(sign[one["kind"]] * one["amount_fen"] for one in self.ledger() if one["success_at"] is not None)


def make_known(place: Place, stranger: Stranger) -> None:
    """The platform knows the person, who can pay from now on."""
    place.control("POST", "/login-codes", {"provider": str(stranger.provider), "open_id": stranger.open_id})


def booked_by(place: Place, stranger: Stranger, schedule_id: UUID, *, channel: str = "wechat_jsapi") -> Case:
    """A number held for payment."""
    make_known(place, stranger)
    reply = stranger.phone.post("/appointments", stranger.wish(schedule_id))
    assert reply.status == 201, reply
    return Case(place, stranger, schedule_id, reply.json["id"], channel)


def paid(case: Case, *, within: float = 60.0) -> Case:
    """Opened, paid at the platform and booked by a worker that runs."""
    assert case.open_payment().status == 201
    case.pay()
    eventually(case.is_booked, "booked", within=within)
    return case


def spoil(place: Place, target: str, kind: str, *, match: dict[str, str] | None = None, **figures: Any) -> None:
    """Script a fault."""
    place.control("POST", "/faults", {"target": target, "kind": kind, "match": match or {}, **figures})
