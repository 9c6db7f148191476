"""Which adapter serves what: the one place where a platform's name decides anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from core.ports import (
    AppGateway,
    BillSource,
    Conversation,
    FaceVerifier,
    HospitalSystem,
    LoginPlatform,
    MessageReader,
    MiniappLinks,
    NameMatcher,
    OfficialAccount,
    PageLogin,
    PageReturn,
    PaymentGateway,
    PhoneProver,
    ProviderError,
    ShippingReporter,
    SmsGateway,
)


class NotConfigured(ProviderError):
    """The word is known, but this deployment has no adapter for it."""


class Adapters(Protocol):
    """Which platform, app and merchant is served by which adapter: the one place where a platform's name decides."""

    def login(self, provider: str, app: str | None) -> LoginPlatform:
        """Without `app` the first configured one is meant. Raises: NotConfigured."""

    def face_verifiers(self, provider: str, app: str) -> list[FaceVerifier]:
        """The ways to verify a face that work for somebody logged in there; empty where there is none."""

    def face_verifier(self, method: str, app: str) -> FaceVerifier:
        """Raises: NotConfigured."""

    def gateway(self, channel: str, merchant: str | None, *, provider: str, app: str) -> PaymentGateway:
        """The gateway that takes `channel` payments of somebody logged in at (provider, app) for the merchant account.

        Without `merchant` the first configured account is meant. Raises: NotConfigured."""

    def gateway_of(self, channel: str, merchant: str, app: str) -> PaymentGateway:
        """The gateway that an existing payment went through. Raises: NotConfigured."""

    def gateway_at(self, provider: str, merchant: str) -> PaymentGateway:
        """Any gateway of the merchant account: what is asked by number goes over each alike. Raises: NotConfigured."""

    def reader(self, provider: str, merchant: str) -> MessageReader:
        """Raises: NotConfigured."""

    def payment_return(self, merchant: str) -> PageReturn:
        """Who reads with what people come back from the page where they paid the merchant. Raises: NotConfigured."""

    def bill_sources(self) -> Mapping[tuple[str, str], BillSource]:
        """Who tells the bills of every merchant account there is, by its provider and our name of it."""

    def shipping_reporters(self) -> list[ShippingReporter]:
        """Those of every app that can be subject to shipping management, be it or not."""

    def shipping_reporter(self, channel: str, app: str) -> ShippingReporter | None:
        """Who is told that what was paid there is delivered; None where nobody waits for that."""

    def phone_prover(self, provider: str, app: str) -> PhoneProver:
        """How somebody logged in there proves a phone. Raises: NotConfigured."""

    def sms_gateways(self) -> list[SmsGateway]:
        """What sends text messages, in the order in which to try; empty where there is none."""

    def name_matcher(self) -> NameMatcher | None:
        """Who tells whether a name and a number belong together; None where there is nobody."""

    def hospital_system(self, name: str) -> HospitalSystem:
        """The hospital's own system of that name. Raises: NotConfigured."""

    def page_login(self, app: str) -> PageLogin:
        """Login of web pages by an official account. Raises: NotConfigured."""

    def conversation(self, app: str) -> Conversation:
        """Raises: NotConfigured."""

    def official_account(self, app: str | None) -> OfficialAccount:
        """Without `app` the first configured one is meant. Raises: NotConfigured."""

    def miniapp_links(self, provider: str, app: str) -> MiniappLinks:
        """Links into the mini-program that goes with the app somebody is logged in at. Raises: NotConfigured."""

    def app_gateway(self, app: str) -> AppGateway:
        """Raises: NotConfigured."""
