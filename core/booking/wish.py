"""What a patient asks for, as far as it can be judged by the schedule alone."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from core.booking.terms import Terms
from core.refusals import FeeChanged
from models.account import Provider
from models.appointment import PayerKind, PayMode
from models.errors import FieldError, ValidationFailed
from models.schedule import Schedule


@dataclass(frozen=True)
class Wish:
    """What a patient asks for, the booking notice that they have read, and the way of the login that asks."""

    schedule_id: UUID
    dependent_id: UUID
    pay: PayMode
    segment_starts_at: datetime | None = None
    payer_kind: PayerKind = PayerKind.SELF_PAY
    expected_fee_fen: int | None = None
    complaint: str | None = field(default=None, repr=False)
    visit_card_id: UUID | None = None
    booked_through: Provider | None = None
    notice_version: str | None = None

    @property
    def told(self) -> str | None:
        """What the patient comes for, as it is kept; None where nothing was said."""
        return unicodedata.normalize("NFC", (self.complaint or "").strip()) or None

    def pays_online(self, schedule: Schedule) -> bool:
        """Whether the number is only held until the fee is paid."""
        return self.pay is PayMode.ONLINE and schedule.fee_fen > 0

    def refuse_unless_offered(self, schedule: Schedule, terms: Terms) -> None:
        """Raises: ValidationFailed, FeeChanged."""
        if str(self.pay) not in terms.pay_modes:
            raise ValidationFailed(FieldError("#/pay", "not_offered"))
        if self.payer_kind is not PayerKind.SELF_PAY:
            raise ValidationFailed(FieldError("#/payer_kind", "not_offered"))
        if self.expected_fee_fen is not None and self.expected_fee_fen != schedule.fee_fen:
            raise FeeChanged(fee_fen=schedule.fee_fen)
