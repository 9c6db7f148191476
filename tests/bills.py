"""A platform's bills as the fake gateway's own ledger gives them, and ways to spoil one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

from fakes import START, FakeGateway
from harness import Patient, join

from core.clock import day_begins, hospital_day
from core.ports import BillEntry, BillKind, BillNotReady, BillState, FundEntry, FundKind, RefundState, TradeState

Spoil = Callable[[list[BillEntry]], list[BillEntry]]

_STATES = {
    RefundState.SUCCEEDED: BillState.REFUNDED,
    RefundState.PROCESSING: BillState.REFUNDING,
    RefundState.ABNORMAL: BillState.ABNORMAL,
    RefundState.CLOSED: BillState.NOT_REFUNDED,
}


class FakeBills:
    """Of the gateway's one merchant. `fee_per_mille` is what the platform takes of a payment, and gives back of a
    refund. `spoil` is done to what it says, `ready` whether it says anything."""

    def __init__(self, gateway: FakeGateway, *, fee_per_mille: int = 0) -> None:
        self.gateway, self.fee_per_mille = gateway, fee_per_mille
        self.provider, self.merchant = gateway.provider, gateway.merchant
        self.spoil: Spoil | None = None
        self.spoil_funds: Callable[[list[FundEntry]], list[FundEntry]] | None = None
        self.ready = True
        self.asked: list[date] = []

    def trade_bill(self, day: date) -> tuple[BillEntry, ...]:
        self.asked.append(day)
        if not self.ready:
            raise BillNotReady()
        entries = self._entries(day)
        return tuple(entries if self.spoil is None else self.spoil(entries))

    def fund_flow(self, day: date) -> tuple[FundEntry, ...]:
        flows, balance = list[FundEntry](), 0
        for entry in self._entries(day):
            if entry.state is BillState.NOT_REFUNDED:
                continue
            kind = FundKind.PAYMENT if entry.kind is BillKind.PAYMENT else FundKind.REFUND
            moves = [(kind, entry.amount_fen if kind is FundKind.PAYMENT else -entry.amount_fen)]
            moves += [(FundKind.FEE, -entry.fee_fen)] if entry.fee_fen else []
            for what, fen in moves:
                balance += fen
                number = entry.platform_refund_no or entry.platform_trade_no
                flows.append(FundEntry(f"{len(flows)}", number, entry.at, what, fen > 0, abs(fen), balance))
        return tuple(flows if self.spoil_funds is None else self.spoil_funds(flows))

    def _fee(self, fen: int) -> int:
        return fen * self.fee_per_mille // 1000

    def _entries(self, day: date) -> list[BillEntry]:
        return sorted([*self._payments(day), *self._refunds(day)], key=lambda one: (one.at, one.out_trade_no))

    def _payments(self, day: date) -> list[BillEntry]:
        paid = [one for one in self.gateway.trades.values() if one.state is TradeState.PAID]
        return [
            BillEntry(
                kind=BillKind.PAYMENT,
                at=one.paid_at or day_begins(day),
                out_trade_no=one.out_trade_no,
                platform_trade_no=one.platform_trade_no or "",
                amount_fen=one.amount_fen or 0,
                currency=one.currency or "",
                fee_fen=self._fee(one.amount_fen or 0),
                state=BillState.PAID,
            )
            for one in paid
            if one.paid_at is not None and hospital_day(one.paid_at) == day
        ]

    def _refunds(self, day: date) -> list[BillEntry]:
        return [
            BillEntry(
                kind=BillKind.REFUND,
                at=at,
                out_trade_no=order.out_trade_no,
                platform_trade_no=f"T{order.out_trade_no}",
                amount_fen=order.amount_fen,
                currency=order.currency,
                fee_fen=-self._fee(order.amount_fen),
                state=_STATES[self.gateway.refunds[number].state],
                out_refund_no=number,
                platform_refund_no=f"F{number}",
            )
            for number, (order, at) in self.gateway.accepted.items()
            if hospital_day(at) == day
        ]


def without_last(entries: list[BillEntry]) -> list[BillEntry]:
    return entries[:-1]


def with_last_twice(entries: list[BillEntry]) -> list[BillEntry]:
    return [*entries, entries[-1]]


def with_a_stranger(entries: list[BillEntry]) -> list[BillEntry]:
    """A payment that we know nothing of."""
    return [*entries, replace(entries[0], out_trade_no="P" + "0" * 25, platform_trade_no="T0", amount_fen=700)]


def with_other_amount(entries: list[BillEntry]) -> list[BillEntry]:
    return [replace(entries[0], amount_fen=entries[0].amount_fen - 1), *entries[1:]]


def with_another_movement(funds: list[FundEntry]) -> list[FundEntry]:
    """Not of a payment: so the file is none that says nothing."""
    return [*funds, FundEntry("other", "other", START, FundKind.OTHER, True, 1, 1)]


def another_paid(patient: Patient) -> None:
    """Somebody else, a moment before: so a bill that lacks the last line is none that says nothing."""
    join(patient.workbench, patient.clock, patient.adapters, patient.schedule_id).paid()
    patient.clock.advance(timedelta(minutes=1))
