"""Money in and out over one platform, and what that platform tells of it. Amounts are integer fen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from models.account import IdKind


@dataclass(frozen=True)
class PaymentOrder:
    """One payment to open. Asking again with an equal order opens nothing new.

    `payer` is the payer's id at the platform, and `payer_kind` which of the platform's ids it is. `client_ip` is where
    the payer's device is, for a platform that wants to know; it belongs to the asking, and makes no other order.
    """

    out_trade_no: str
    amount_fen: int
    currency: str
    description: str
    payer: str = field(repr=False)
    payer_kind: IdKind
    expires_at: datetime
    client_ip: str | None = field(default=None, repr=False, compare=False)


class TradeState(StrEnum):
    UNPAID = "unpaid"
    PAID = "paid"
    CLOSED = "closed"
    FAILED = "failed"
    NO_SUCH_NUMBER = "no_such_number"


@dataclass(frozen=True)
class TradeAnswer:
    """What the platform says of one of our numbers. Amount and trade number are present when it was paid.

    `given_back`: of what was paid, some or all is no longer there. Our own refunds are told so too.
    """

    out_trade_no: str
    state: TradeState
    amount_fen: int | None = None
    currency: str | None = None
    platform_trade_no: str | None = None
    paid_at: datetime | None = None
    funding: str | None = None
    given_back: bool = False


class CloseOutcome(StrEnum):
    CLOSED = "closed"
    ALREADY_PAID = "already_paid"
    NO_SUCH_NUMBER = "no_such_number"


@dataclass(frozen=True)
class RefundOrder:
    out_refund_no: str
    out_trade_no: str
    amount_fen: int
    total_fen: int
    currency: str
    reason: str


@dataclass(frozen=True)
class PayeeCard:
    """A bank card of the payer. `bank` is the platform's word for its bank (`GatewayLimits.card_banks`)."""

    bank: str
    number: str = field(repr=False)
    holder: str = field(repr=False)


@dataclass(frozen=True)
class CardRefund:
    """A refund that the platform could not deliver, for another card. `platform_refund_no` is the platform's number
    of it."""

    out_refund_no: str
    out_trade_no: str
    platform_refund_no: str
    card: PayeeCard


class RefundState(StrEnum):
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    ABNORMAL = "abnormal"
    CLOSED = "closed"
    NO_SUCH_NUMBER = "no_such_number"


@dataclass(frozen=True)
class RefundAnswer:
    """What the platform says of one of our refund numbers; it may be `succeeded` at once.

    `amount_fen` is this refund's own amount; None where the platform tells only a total of several.
    """

    out_refund_no: str
    state: RefundState
    amount_fen: int | None = None
    platform_refund_no: str | None = None
    succeeded_at: datetime | None = None
    received_account: str | None = None


class MessageKind(StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    OTHER = "other"


@dataclass(frozen=True)
class PlatformMessage:
    """A verified and opened message of a platform: a hint, to be compared with our rows before anything moves."""

    event_id: str
    kind: MessageKind
    merchant: str
    app: str | None = None
    trade: TradeAnswer | None = None
    refund: RefundAnswer | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """The platform's own word, ready to be sent."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"


@dataclass(frozen=True)
class GatewayLimits:
    """A platform's own limits. What we do on reaching one is the core's business.

    `refunds_apart`: so long after one part of a payment was sent back the next one may be.
    `card_banks`: the banks to whose cards it sends what it could not deliver; none where it knows no such way.
    `by_link`: what opens a payment is a link that is handed out, and the platform learns of the number only when the
    payer opens it: one that it does not know may still be opened, and cannot be closed before."""

    shortest_lead: timedelta
    refunds_per_payment: int
    card_banks: frozenset[str] = frozenset()
    by_link: bool = False
    refunds_apart: timedelta = timedelta(0)


class PaymentGateway(Protocol):
    """Takes money for one merchant over one channel. One implementation for each platform.

    `counted_as`: the number by which the platform counts our calls. Several merchants may call under one."""

    channel: str
    merchant: str
    app: str
    provider: str
    counted_as: str
    limits: GatewayLimits

    def open_payment(self, order: PaymentOrder) -> Mapping[str, Any]:
        """Return the client parameters that show the pay sheet.

        Asking again with an equal order opens nothing new and returns fresh parameters.
        Raises: ProviderUnavailable, ProviderRefused."""

    def find_payment(self, out_trade_no: str) -> TradeAnswer:
        """Raises: ProviderUnavailable, ProviderRefused."""

    def close_payment(self, out_trade_no: str) -> CloseOutcome:
        """Raises: ProviderUnavailable, ProviderRefused."""

    def open_refund(self, order: RefundOrder) -> RefundAnswer:
        """Send or send again under the same number. Raises: ProviderUnavailable, ProviderRefused."""

    def find_refund(self, out_refund_no: str, *, out_trade_no: str) -> RefundAnswer:
        """`out_trade_no` is the payment it belongs to: some platforms know a refund only by both.

        Raises: ProviderUnavailable, ProviderRefused."""

    def refund_to_card(self, order: CardRefund) -> RefundAnswer:
        """Send an `abnormal` refund to another card of the payer, or send it again: an answer means accepted.

        Raises: ProviderUnavailable, ProviderRefused."""


class PageReturn(Protocol):
    """Reads with what a platform's page sends people back to us. It proves where they come from, and no payment."""

    def check(self, query: bytes) -> None:
        """Raises: InvalidSignature."""


class MessageReader(Protocol):
    """Reads what one merchant account's platform sends us."""

    provider: str
    merchant: str

    def check(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> PlatformMessage:
        """Stamp and signature over the raw bytes, then open, then compare merchant and app with our own.

        Raises: InvalidSignature."""

    def read(self, body: bytes) -> PlatformMessage:
        """Open a body that was checked before, for the job that applies it. Raises: InvalidSignature."""

    def accepted(self) -> Reply:
        """The reply that stops this platform from sending the message again."""

    def refused(self) -> Reply:
        """The reply that tells the platform that nothing was taken."""
