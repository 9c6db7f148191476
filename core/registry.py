"""Which adapter serves what: the one place where a platform's name decides anything."""

from __future__ import annotations

from typing import Protocol

from core.ports import FaceVerifier, LoginPlatform, MessageReader, PaymentGateway, ProviderError


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

    def reader(self, provider: str, merchant: str) -> MessageReader:
        """Raises: NotConfigured."""
