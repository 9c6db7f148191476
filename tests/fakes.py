"""Stand-ins for what the core asks of the outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Any, TypeVar

from core.ports import (
    AppGateway,
    BillSource,
    CardRefund,
    CloseOutcome,
    Conversation,
    Delivery,
    FaceVerifier,
    GatewayLimits,
    HospitalSystem,
    InvalidSignature,
    LoginPlatform,
    MessageReader,
    MiniappLinks,
    NameMatcher,
    OfficialAccount,
    PageLogin,
    PageReturn,
    PaymentGateway,
    PaymentOrder,
    PhoneProver,
    PhoneRefused,
    PlatformMessage,
    ProviderRefused,
    ProviderUnavailable,
    RefundAnswer,
    RefundOrder,
    RefundState,
    Reply,
    ShippingReporter,
    SmsGateway,
    TextKind,
    TradeAnswer,
    TradeState,
)
from core.registry import NotConfigured

T = TypeVar("T")
START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
"""Where every test's clock begins: a Sunday, 10:00 at the hospital."""


class ManualClock:
    """A clock that stands still until told otherwise."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move on, and return the new present."""
        self._now += by
        return self._now

    def set(self, instant: datetime) -> None:
        self._now = instant


class FakeGateway:
    """A payment platform in memory, with its own ledger; `down` makes it silent, before or after it took the call.

    Each call takes effect at one instant. What happens on its way there and back is `meanwhile`, told "before" or
    "after"."""

    channel = "wechat_jsapi"
    provider = "wechat_pay"
    limits = GatewayLimits(timedelta(seconds=60), 50, frozenset({"ICBC_DEBIT", "CMB_DEBIT"}))

    def __init__(self, clock: ManualClock, *, merchant: str = "demo", app: str = "patient") -> None:
        self.clock, self.merchant, self.app = clock, merchant, app
        self.counted_as = f"number of {merchant}"
        self.trades: dict[str, TradeAnswer] = {}
        self.orders: dict[str, PaymentOrder] = {}
        self.refunds: dict[str, RefundAnswer] = {}
        self.accepted: dict[str, tuple[RefundOrder, datetime]] = {}
        self.down: str | None = None
        self.refuse_refunds: ProviderRefused | ProviderUnavailable | None = None
        self.refund_settles_as = self.card_settles_as = RefundState.PROCESSING
        self.refuse_cards: ProviderRefused | ProviderUnavailable | None = None
        self.cards: list[CardRefund] = []
        self.calls: list[tuple[str, str]] = []
        self.meanwhile: Callable[[str], None] | None = None
        self._one_at_a_time = RLock()

    def _silent(self, when: str, verb: str, number: str) -> None:
        if when == "before":
            self.calls.append((verb, number))
        if self.meanwhile is not None:
            self.meanwhile(when)
        if self.down == when:
            raise ProviderUnavailable(f"silent {when} {verb}", sent=True)

    def open_payment(self, order: PaymentOrder) -> Mapping[str, Any]:
        self._silent("before", "open_payment", order.out_trade_no)
        with self._one_at_a_time:
            known = self.trades.get(order.out_trade_no)
            if known is not None and (known.state is not TradeState.UNPAID or self.orders[order.out_trade_no] != order):
                raise ProviderRefused("OUT_TRADE_NO_USED")
            self.orders[order.out_trade_no] = order
            self.trades.setdefault(order.out_trade_no, TradeAnswer(order.out_trade_no, TradeState.UNPAID))
        self._silent("after", "open_payment", order.out_trade_no)
        return {"prepay": f"for {order.out_trade_no}"}

    def pay(self, out_trade_no: str, *, amount_fen: int | None = None, currency: str = "CNY") -> TradeAnswer:
        """The patient pays. Returns what an event would say."""
        order = self.orders[out_trade_no]
        paid = TradeAnswer(
            out_trade_no,
            TradeState.PAID,
            amount_fen=order.amount_fen if amount_fen is None else amount_fen,
            currency=currency,
            platform_trade_no=f"T{out_trade_no}",
            paid_at=self.clock.now(),
            funding="BANK",
        )
        with self._one_at_a_time:
            assert self.trades[out_trade_no].state is TradeState.UNPAID, "only an open number can be paid"
            self.trades[out_trade_no] = paid
        return paid

    def find_payment(self, out_trade_no: str) -> TradeAnswer:
        self._silent("before", "find_payment", out_trade_no)
        return self.trades.get(out_trade_no) or TradeAnswer(out_trade_no, TradeState.NO_SUCH_NUMBER)

    def close_payment(self, out_trade_no: str) -> CloseOutcome:
        self._silent("before", "close_payment", out_trade_no)
        with self._one_at_a_time:
            known = self.trades.get(out_trade_no)
            if known is None:
                return CloseOutcome.NO_SUCH_NUMBER
            if known.state is TradeState.PAID:
                return CloseOutcome.ALREADY_PAID
            self.trades[out_trade_no] = TradeAnswer(out_trade_no, TradeState.CLOSED)
        self._silent("after", "close_payment", out_trade_no)
        return CloseOutcome.CLOSED

    def open_refund(self, order: RefundOrder) -> RefundAnswer:
        self._silent("before", "open_refund", order.out_refund_no)
        if self.refuse_refunds is not None:
            raise self.refuse_refunds
        with self._one_at_a_time:
            if order.out_refund_no not in self.refunds:
                self.accepted[order.out_refund_no] = (order, self.clock.now())
                self.refunds[order.out_refund_no] = RefundAnswer(
                    order.out_refund_no, self.refund_settles_as, order.amount_fen, f"F{order.out_refund_no}"
                )
        self._silent("after", "open_refund", order.out_refund_no)
        return self.refunds[order.out_refund_no]

    def settle_refund(
        self, out_refund_no: str, state: RefundState, *, succeeded_at: datetime | None = None
    ) -> RefundAnswer:
        """The platform finishes with a refund. Returns what an event would say, and what it says when asked."""
        self.refunds[out_refund_no] = replace(self.refunds[out_refund_no], state=state, succeeded_at=succeeded_at)
        return self.refunds[out_refund_no]

    def refund_to_card(self, order: CardRefund) -> RefundAnswer:
        self._silent("before", "refund_to_card", order.out_refund_no)
        if self.refuse_cards is not None:
            raise self.refuse_cards
        known = self.refunds[order.out_refund_no]
        assert (known.state, order.platform_refund_no) == (RefundState.ABNORMAL, known.platform_refund_no)
        self.cards.append(order)
        self.refunds[order.out_refund_no] = replace(known, state=self.card_settles_as)
        self._silent("after", "refund_to_card", order.out_refund_no)
        return self.refunds[order.out_refund_no]

    def find_refund(self, out_refund_no: str, *, out_trade_no: str) -> RefundAnswer:
        self._silent("before", "find_refund", out_refund_no)
        return self.refunds.get(out_refund_no) or RefundAnswer(out_refund_no, RefundState.NO_SUCH_NUMBER)


class FakeReader:
    """Reads messages that FakeGateway's answers were pickled into by `FakeAdapters.message`."""

    provider = "wechat_pay"

    def __init__(self, merchant: str = "demo") -> None:
        self.merchant = merchant
        self.messages: dict[bytes, PlatformMessage] = {}

    def check(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> PlatformMessage:
        return self.read(body)

    def read(self, body: bytes) -> PlatformMessage:
        if body not in self.messages:
            raise InvalidSignature("unknown")
        return self.messages[body]

    def accepted(self) -> Reply:
        return Reply(204)

    def refused(self) -> Reply:
        return Reply(401)


class FakeReturn:
    """Port PageReturn. Believes whoever says that it comes from the platform."""

    def check(self, query: bytes) -> None:
        if query != b"from=platform":
            raise InvalidSignature("bad_signature")


class FakeAppGateway:
    """Takes the bodies it knows."""

    provider = "alipay"

    def __init__(self, app: str = "main") -> None:
        self.app = app
        self.known: set[bytes] = set()

    def answer(self, body: bytes) -> Reply:
        if body not in self.known:
            raise InvalidSignature("unknown")
        return Reply(200, b"success", "text/plain")

    def refused(self) -> Reply:
        return Reply(401)


class FakePhones:
    """Port PhoneProver. The code `phone-13800000000` proves that number, once or as often as it is sent."""

    def __init__(self, provider: str = "wechat_miniapp", app: str = "main", *, takes: frozenset[str] | None = None):
        self.provider, self.app = provider, app
        self.takes = takes or frozenset({"code"})
        self.failure: Exception | None = None
        self.asked: list[tuple[dict[str, str], str]] = []

    def read_phone(self, proof: Mapping[str, str], *, user: str) -> str:
        self.asked.append((dict(proof), user))
        if self.failure is not None:
            raise self.failure
        told = next((one for one in proof.values() if one.startswith("phone-")), None)
        if told is None:
            raise PhoneRefused("40029")
        return f"+86{told.removeprefix('phone-')}"


class FakeSms:
    """Port SmsGateway. `sent` is what reached a phone, `kinds` the text each was in; a failure that is set is raised,
    once each."""

    def __init__(self, provider: str = "aliyun") -> None:
        self.provider = provider
        self.sent: list[tuple[str, str]] = []
        self.kinds: list[TextKind] = []
        self.failures: list[Exception] = []

    def send_code(self, *, phone: str, code: str, kind: TextKind) -> str:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append((phone, code))
        self.kinds.append(kind)
        return f"message-{len(self.sent)}"


class FakeShipping:
    """Port ShippingReporter. `heard` is every report that reached the platform; a failure that is set is raised, once
    each, those in `lost` after it was heard, those in `unasked` where it is asked whom it concerns."""

    channel = "wechat_jsapi"

    def __init__(self, app: str = "patient") -> None:
        self.app, self.is_on, self.managed = app, True, True
        self.heard: list[Delivery] = []
        self.failures: list[Exception] = []
        self.lost: list[Exception] = []
        self.unasked: list[Exception] = []

    def is_managed(self) -> bool:
        if self.unasked:
            raise self.unasked.pop(0)
        return self.managed

    def report(self, delivery: Delivery) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.heard.append(delivery)
        if self.lost:
            raise self.lost.pop(0)


class FakeAdapters:
    """One merchant, one app, and the platform in memory behind them."""

    def __init__(self, clock: ManualClock) -> None:
        self.the_gateway = FakeGateway(clock)
        self.the_reader = FakeReader()
        self.the_app_gateway = FakeAppGateway()
        self.logins: dict[tuple[str, str | None], LoginPlatform] = {}
        self.faces: list[FaceVerifier] = []
        self.bills: dict[tuple[str, str], BillSource] = {}
        self.the_return = FakeReturn()
        self.shipping: list[ShippingReporter] = []
        self.phones: dict[tuple[str, str], PhoneProver] = {}
        self.sms: list[SmsGateway] = []
        self.matcher: NameMatcher | None = None
        self.hospitals: dict[str, HospitalSystem] = {}
        self.pages: dict[str, PageLogin] = {}
        self.conversations: dict[str, Conversation] = {}
        self.officials: dict[str, OfficialAccount] = {}
        self.links: dict[tuple[str, str], MiniappLinks] = {}

    def login(self, provider: str, app: str | None) -> LoginPlatform:
        if (provider, app) not in self.logins:
            raise NotConfigured(provider)
        return self.logins[provider, app]

    def face_verifiers(self, provider: str, app: str) -> list[FaceVerifier]:
        return [one for one in self.faces if one.app == app]

    def face_verifier(self, method: str, app: str) -> FaceVerifier:
        return next(one for one in self.faces if one.method == method)

    def gateway(self, channel: str, merchant: str | None, *, provider: str, app: str) -> PaymentGateway:
        if channel != self.the_gateway.channel:
            raise NotConfigured(channel)
        return self.the_gateway

    def gateway_of(self, channel: str, merchant: str, app: str) -> PaymentGateway:
        return self.the_gateway

    def gateway_at(self, provider: str, merchant: str) -> PaymentGateway:
        if (provider, merchant) != (self.the_gateway.provider, self.the_gateway.merchant):
            raise NotConfigured(merchant)
        return self.the_gateway

    def payment_return(self, merchant: str) -> PageReturn:
        if merchant != self.the_gateway.merchant:
            raise NotConfigured(merchant)
        return self.the_return

    def bill_sources(self) -> Mapping[tuple[str, str], BillSource]:
        return dict(self.bills)

    def shipping_reporters(self) -> list[ShippingReporter]:
        return list(self.shipping)

    def shipping_reporter(self, channel: str, app: str) -> ShippingReporter | None:
        return next((one for one in self.shipping if (one.channel, one.app, one.is_on) == (channel, app, True)), None)

    def phone_prover(self, provider: str, app: str) -> PhoneProver:
        if (provider, app) not in self.phones:
            raise NotConfigured(provider)
        return self.phones[provider, app]

    def sms_gateways(self) -> list[SmsGateway]:
        return list(self.sms)

    def name_matcher(self) -> NameMatcher | None:
        return self.matcher

    def hospital_system(self, name: str) -> HospitalSystem:
        return _found(self.hospitals.get(name))

    def page_login(self, app: str) -> PageLogin:
        return _found(self.pages.get(app))

    def conversation(self, app: str) -> Conversation:
        return _found(self.conversations.get(app))

    def official_account(self, app: str | None) -> OfficialAccount:
        return _found(self.officials.get(app) if app else next(iter(self.officials.values()), None))

    def miniapp_links(self, provider: str, app: str) -> MiniappLinks:
        return _found(self.links.get((provider, app)))

    def app_gateway(self, app: str) -> AppGateway:
        if app != self.the_app_gateway.app:
            raise NotConfigured(app)
        return self.the_app_gateway

    def reader(self, provider: str, merchant: str) -> MessageReader:
        if merchant != self.the_reader.merchant:
            raise NotConfigured(merchant)
        return self.the_reader


def _found(adapter: T | None) -> T:
    if adapter is None:
        raise NotConfigured("not set by this test")
    return adapter
