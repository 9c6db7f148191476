"""What the core asks of the outside, in the core's words, with the errors an adapter may raise.

Amounts are integer fen, instants are aware UTC, payer and user ids are the platform's own and never logged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol


class ProviderError(Exception):
    """A platform did not do what was asked. The message never holds a secret or a patient's data."""


class ProviderUnavailable(ProviderError):
    """No trustworthy answer. With `sent` the request may have been taken: the outcome is unknown, ask later."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class ProviderRefused(ProviderError):
    """The platform said no, for sure. `code` is its own code, kept for operators.

    `retryable`: the same request with the same numbers may succeed later (balance, frequency).
    """

    def __init__(self, code: str, message: str = "", *, retryable: bool = False) -> None:
        super().__init__(f"{code} {message}".strip())
        self.code = code
        self.retryable = retryable


class LoginRefused(ProviderRefused):
    """The login code is wrong, used, expired, or of another app."""


class InvalidSignature(ProviderError):
    """A message from outside that nothing proves. `reason` is a short word for the log, never told to the sender."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# --- login ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlatformUser:
    """Who a platform says is there. Keyed by (provider, app, id); at least one id is present."""

    provider: str
    app: str
    open_id: str | None = None
    union_id: str | None = None
    user_id: str | None = None


class LoginPlatform(Protocol):
    """Turns a one-time login code into the platform's user. One instance per configured app."""

    provider: str
    app: str

    def exchange_code(self, code: str) -> PlatformUser:
        """Raises: LoginRefused, ProviderUnavailable."""


# --- shared platform tokens ------------------------------------------------------------------------------------------


class TokenStore(Protocol):
    """Keeps a rotating platform token for all processes."""

    def token(self, name: str, fetch: Callable[[], tuple[str, timedelta]], *, rejected: str | None = None) -> str:
        """Return the live token called `name`, calling `fetch` in at most one process at a time.

        `fetch` returns the token and how long it may be used. `rejected` is a token that the platform just refused:
        it is dropped if it is still the stored one. Raises: ProviderUnavailable, and what `fetch` raises."""


# --- face verification -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FaceSubject:
    """Whom to verify, and the platform user who holds the phone. `id_number` with an upper-case X."""

    id_type: str
    name: str
    id_number: str
    open_id: str


@dataclass(frozen=True)
class FaceStart:
    """A verification opened at the platform. `evidence` is what must be sent along to read the result."""

    reference: str
    evidence: str
    expires_in: timedelta
    client_params: Mapping[str, Any]


class FaceOutcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    PENDING = "pending"


@dataclass(frozen=True)
class FaceResult:
    """Only what the platform itself answered. `reason` is a stable word: mismatch, cancelled, not_alive, device …"""

    outcome: FaceOutcome
    reason: str | None = None
    request_id: str | None = None


class FaceVerifier(Protocol):
    method: str
    app: str
    accepted_id_types: frozenset[str]

    def start(self, *, out_seq_no: str, subject: FaceSubject) -> FaceStart:
        """Raises: ProviderUnavailable, ProviderRefused."""

    def read_result(self, *, reference: str, out_seq_no: str, evidence: str, open_id: str) -> FaceResult:
        """Ask the platform. Raises: ProviderUnavailable, ProviderRefused."""


# --- payment ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PaymentOrder:
    """One payment to open. Asking again with an equal order opens nothing new."""

    out_trade_no: str
    amount_fen: int
    currency: str
    description: str
    payer: str
    expires_at: datetime


class TradeState(StrEnum):
    UNPAID = "unpaid"
    PAID = "paid"
    CLOSED = "closed"
    FAILED = "failed"
    NO_SUCH_NUMBER = "no_such_number"


@dataclass(frozen=True)
class TradeAnswer:
    """What the platform says of one of our numbers. Amount and trade number are present when it was paid."""

    out_trade_no: str
    state: TradeState
    amount_fen: int | None = None
    currency: str | None = None
    platform_trade_no: str | None = None
    paid_at: datetime | None = None
    funding: str | None = None


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


class RefundState(StrEnum):
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    ABNORMAL = "abnormal"
    CLOSED = "closed"
    NO_SUCH_NUMBER = "no_such_number"


@dataclass(frozen=True)
class RefundAnswer:
    """What the platform says of one of our refund numbers; it may be `succeeded` at once."""

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
    """A platform's own limits. What we do on reaching one is the core's business."""

    shortest_lead: timedelta
    refund_within: timedelta
    refunds_per_payment: int


class PaymentGateway(Protocol):
    """Takes money for one merchant over one channel. One implementation for each platform."""

    channel: str
    merchant: str
    app: str
    provider: str
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

    def find_refund(self, out_refund_no: str) -> RefundAnswer:
        """Raises: ProviderUnavailable, ProviderRefused."""


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
