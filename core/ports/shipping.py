"""Telling a platform that what was paid for has been delivered, where it keeps the money until it knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Delivery:
    """What one payment was for is the patient's since `completed_at`. `payer` is the payer's id at the platform."""

    platform_trade_no: str
    description: str
    payer: str = field(repr=False)
    completed_at: datetime


class ShippingReporter(Protocol):
    """Reports for the payments that are made in one app. `is_on`: this app is said to be subject to it."""

    channel: str
    app: str
    is_on: bool

    def is_managed(self) -> bool:
        """Whether the platform itself says that it keeps the money. Raises: ProviderUnavailable, ProviderRefused."""

    def report(self, delivery: Delivery) -> None:
        """Reporting an equal delivery again changes nothing, and what was reported before is no error.

        Raises: ProviderUnavailable, ProviderRefused."""
