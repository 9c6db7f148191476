"""Money in on a charge, and money back of a payment. Each has its own machine; an appointment is never "refunded"."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from models.base import Base, new_id, word
from models.states import Cause, Machine, Stateful


class Channel(StrEnum):
    """The ways to pay (api.md). One without a configured adapter is refused."""

    WECHAT_JSAPI = "wechat_jsapi"
    WECHAT_H5 = "wechat_h5"
    ALIPAY_MINIAPP = "alipay_miniapp"
    ALIPAY_WAP = "alipay_wap"


class PaymentStatus(StrEnum):
    CREATED = "created"
    PENDING = "pending"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    CLOSED = "closed"
    FAILED = "failed"


LIVE_PAYMENT = frozenset({PaymentStatus.CREATED, PaymentStatus.PENDING, PaymentStatus.UNKNOWN})
_LIVE_SQL = "status IN ('created','pending','unknown') AND NOT let_go"


class Payment(Stateful, Base):
    """One number at one platform for one charge.

    `amount_fen` is what was asked, `received_fen` what the platform says was paid; they differ only when something is
    wrong, and then nothing is confirmed and all of it goes back. `let_go` marks a payment that its hold no longer
    waits for (the cap has passed): it is asked on, but no longer stands in the way of another. `opening_at` is when a
    call that opens it at the platform was last about to be made: the same number may be sent again.
    It belongs to the account of its charge, also where another one pays: `grant_id` says under which grant.
    """

    __tablename__ = "payments"
    __table_args__ = (
        UniqueConstraint("merchant", "out_trade_no"),
        UniqueConstraint("channel", "platform_trade_no"),
        Index(
            "uq_payments_live_charge",
            "charge_id",
            unique=True,
            postgresql_where=text(_LIVE_SQL),
            sqlite_where=text(_LIVE_SQL),
        ),
        Index("ix_payments_charge", "charge_id"),
        Index("ix_payments_ask", "status", "asked_at"),
        Index("ix_payments_merchant_paid_at", "merchant", "paid_at"),
        Index(
            "ix_payments_grant",
            "grant_id",
            postgresql_where=text("grant_id IS NOT NULL"),
            sqlite_where=text("grant_id IS NOT NULL"),
        ),
        CheckConstraint("amount_fen > 0", name="amount"),
        CheckConstraint("(status = 'succeeded') = (received_fen IS NOT NULL)", name="received"),
    )

    machine = Machine.PAYMENT
    moves = {  # noqa: RUF012
        PaymentStatus.CREATED: frozenset(
            {
                PaymentStatus.PENDING,
                PaymentStatus.FAILED,
                PaymentStatus.UNKNOWN,
                PaymentStatus.SUCCEEDED,
                PaymentStatus.CLOSED,
            }
        ),
        PaymentStatus.PENDING: frozenset({PaymentStatus.SUCCEEDED, PaymentStatus.CLOSED, PaymentStatus.UNKNOWN}),
        PaymentStatus.UNKNOWN: frozenset(
            {
                PaymentStatus.PENDING,
                PaymentStatus.SUCCEEDED,
                PaymentStatus.CLOSED,
                PaymentStatus.FAILED,
                PaymentStatus.CREATED,
            }
        ),
        PaymentStatus.CLOSED: frozenset({PaymentStatus.SUCCEEDED}),
        PaymentStatus.FAILED: frozenset({PaymentStatus.SUCCEEDED}),
    }

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    charge_id: Mapped[UUID] = mapped_column(ForeignKey("charges.id"))
    channel: Mapped[Channel] = mapped_column(word(Channel))
    app: Mapped[str]
    merchant: Mapped[str]
    payer_identity_id: Mapped[UUID] = mapped_column(ForeignKey("platform_identities.id"))
    amount_fen: Mapped[int]
    currency: Mapped[str]
    description: Mapped[str]
    out_trade_no: Mapped[str]
    expires_at: Mapped[datetime]
    status: Mapped[PaymentStatus] = mapped_column(word(PaymentStatus))
    moved: Mapped[int]
    let_go: Mapped[bool]
    platform_trade_no: Mapped[str | None]
    received_fen: Mapped[int | None]
    received_currency: Mapped[str | None]
    funding: Mapped[str | None]
    asked_at: Mapped[datetime | None]
    asked_times: Mapped[int]
    created_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    opening_at: Mapped[datetime | None]
    grant_id: Mapped[UUID | None]

    @property
    def is_live(self) -> bool:
        """It may still bring money that its charge waits for."""
        return self.status in LIVE_PAYMENT

    @property
    def paid_as_asked(self) -> bool:
        return self.received_fen == self.amount_fen and self.received_currency == self.currency

    def accepted(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """The platform knows the number and waits for the money. Asking for the state it has changes nothing."""
        if self.status is not PaymentStatus.PENDING:
            self.enter(session, PaymentStatus.PENDING, at=at, cause=cause)

    def lost_sight(self, session: Session, *, at: datetime, cause: Cause, reason: str) -> None:
        """No answer came: not failed, only unknown."""
        if self.status is not PaymentStatus.UNKNOWN:
            self.enter(session, PaymentStatus.UNKNOWN, at=at, cause=cause, reason=reason)

    def never_arrived(self, session: Session, *, at: datetime, cause: Cause) -> None:
        """The platform says: no such number. The same number may be sent again."""
        if self.status is PaymentStatus.PENDING:
            self.enter(session, PaymentStatus.UNKNOWN, at=at, cause=cause, reason="no_such_number")
        if self.status is PaymentStatus.UNKNOWN:
            self.enter(session, PaymentStatus.CREATED, at=at, cause=cause, reason="no_such_number")

    def refuse(self, session: Session, *, at: datetime, cause: Cause, reason: str) -> None:
        self.enter(session, PaymentStatus.FAILED, at=at, cause=cause, reason=reason)

    def close(self, session: Session, *, at: datetime, cause: Cause) -> None:
        if self.status is not PaymentStatus.CLOSED:
            self.enter(session, PaymentStatus.CLOSED, at=at, cause=cause)

    def succeed(
        self,
        session: Session,
        *,
        received_fen: int,
        currency: str,
        platform_trade_no: str | None,
        paid_at: datetime,
        at: datetime,
        cause: Cause,
    ) -> bool:
        """The platform has the money. Returns False, and changes nothing, where that was known already."""
        if self.status is PaymentStatus.SUCCEEDED:
            return False
        self.received_fen, self.received_currency = received_fen, currency
        self.platform_trade_no, self.paid_at = platform_trade_no, paid_at
        self.enter(session, PaymentStatus.SUCCEEDED, at=at, cause=cause, facts={"received_fen": received_fen})
        return True


class RefundStatus(StrEnum):
    DUE = "due"
    PROCESSING = "processing"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    ABNORMAL = "abnormal"
    CLOSED = "closed"
    DESK = "desk"


class RefundReason(StrEnum):
    CANCELLED = "cancelled"
    LATE_PAYMENT = "late_payment"
    SURPLUS = "surplus"
    AMOUNT_DIFFERS = "amount_differs"
    SUSPENDED = "suspended"
    RESCHEDULED = "rescheduled"
    PRICE_LOWERED = "price_lowered"


UNSETTLED_REFUND = frozenset(
    {RefundStatus.DUE, RefundStatus.PROCESSING, RefundStatus.UNKNOWN, RefundStatus.ABNORMAL, RefundStatus.DESK}
)


_AS_TOLD = frozenset({RefundStatus.PROCESSING, RefundStatus.SUCCEEDED, RefundStatus.ABNORMAL, RefundStatus.CLOSED})


class Refund(Stateful, Base):
    """Money back of one payment, under a number that we made and stored before the call. A retry keeps the number.

    One that is given back `by_hand` leaves no trace at the platform: two people have said so (`RefundDecision`).
    `awaits_red_since`: it is not sent before the hospital has ended its receipt by a red one. `was_abnormal` is known
    where it is shown alone: it could not arrive where it was paid from."""

    was_abnormal = False

    __tablename__ = "refunds"
    __table_args__ = (
        Index("ix_refunds_ask", "status", "asked_at"),
        Index("ix_refunds_succeeded_at", "succeeded_at"),
        Index(
            "ix_refunds_awaits_red_since",
            "awaits_red_since",
            postgresql_where=text("awaits_red_since IS NOT NULL"),
            sqlite_where=text("awaits_red_since IS NOT NULL"),
        ),
        Index(
            "uq_refunds_replaces",
            "replaces_id",
            unique=True,
            postgresql_where=text("replaces_id IS NOT NULL"),
            sqlite_where=text("replaces_id IS NOT NULL"),
        ),
        CheckConstraint("amount_fen > 0", name="amount"),
    )

    machine = Machine.REFUND
    moves = {  # noqa: RUF012
        RefundStatus.DUE: _AS_TOLD | {RefundStatus.UNKNOWN, RefundStatus.DESK},
        RefundStatus.UNKNOWN: _AS_TOLD | {RefundStatus.DUE, RefundStatus.DESK},
        RefundStatus.PROCESSING: frozenset({RefundStatus.SUCCEEDED, RefundStatus.ABNORMAL, RefundStatus.CLOSED}),
        RefundStatus.ABNORMAL: frozenset({RefundStatus.PROCESSING, RefundStatus.SUCCEEDED, RefundStatus.DESK}),
        RefundStatus.DESK: frozenset({RefundStatus.PROCESSING, RefundStatus.SUCCEEDED}),
    }

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), index=True)
    charge_id: Mapped[UUID] = mapped_column(ForeignKey("charges.id"), index=True)
    amount_fen: Mapped[int]
    out_refund_no: Mapped[str] = mapped_column(unique=True)
    reason: Mapped[RefundReason] = mapped_column(word(RefundReason))
    status: Mapped[RefundStatus] = mapped_column(word(RefundStatus))
    moved: Mapped[int]
    replaces_id: Mapped[UUID | None] = mapped_column(ForeignKey("refunds.id"))
    platform_refund_no: Mapped[str | None]
    received_account: Mapped[str | None]
    last_refusal: Mapped[str | None]
    asked_at: Mapped[datetime | None]
    asked_times: Mapped[int]
    created_at: Mapped[datetime]
    succeeded_at: Mapped[datetime | None]
    by_hand: Mapped[bool] = mapped_column(default=False, server_default=false())
    awaits_red_since: Mapped[datetime | None]

    def become(
        self,
        session: Session,
        status: RefundStatus,
        *,
        at: datetime,
        cause: Cause,
        reason: str | None = None,
        done_at: datetime | None = None,
    ) -> bool:
        """Follow the platform's word. Returns False, and changes nothing, where it says nothing new. `done_at` is when
        it paid, as it says: neither after `at` nor before the refund was due, whatever its clock shows.

        Raises: IllegalTransition."""
        if self.status is status:
            return False
        self.enter(session, status, at=at, cause=cause, reason=reason)
        self.awaits_red_since = None
        if status is RefundStatus.SUCCEEDED:
            self.succeeded_at = at if done_at is None else max(self.created_at, min(done_at, at))
        return True


class RefundLine(Base):
    """Which line of the charge a refund gives back, and how much of it."""

    __tablename__ = "refund_lines"
    __table_args__ = (UniqueConstraint("refund_id", "charge_line_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    refund_id: Mapped[UUID] = mapped_column(ForeignKey("refunds.id"))
    charge_line_id: Mapped[UUID] = mapped_column(ForeignKey("charge_lines.id"), index=True)
    amount_fen: Mapped[int]
